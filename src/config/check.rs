//! What an operator should know about a configuration although it is not wrong.

use std::net::SocketAddr;

use hone_strategies::catalogue;

use super::{
    Access, Bounds, Config, FallbackFor, KeyDigest, Limits, Measurements, UNREAD_BYTES,
    UpstreamConfig, reach,
};

mod dialect;

/// One sentence per risk, each beginning with the path that it is about.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    about_listeners(config, &mut warnings);
    if config
        .trusted_proxies
        .iter()
        .any(|network| network.prefix_len() == 0)
    {
        warnings.push(
            "trusted_proxies: every peer is trusted, so every caller can choose its own address by \
             a header, and with it escape its limits"
                .to_owned(),
        );
    }
    about_pages(config, &mut warnings);
    about_memory(&config.bounds, &mut warnings);
    if config.access == Access::Known && config.tenants.is_empty() {
        let nobody = "access: only known keys are admitted, and no [[tenant]] names one";
        warnings.push(nobody.to_owned());
    }
    warnings.extend(examples(config).map(|(path, key)| {
        format!(
            "{path}: \"{key}\" is an example of hone's own, which everybody can read; make a key \
             with `hone key new`"
        )
    }));
    for (index, upstream) in config.upstreams.iter().enumerate() {
        let path = format!("upstream[{index}]");
        let mut told = Vec::new();
        about_fallback(config, &path, upstream, &mut told);
        about_upstream(config, index, &path, upstream, &mut told);
        if config.upstreams.len() > 1 {
            // Nobody counts from 0 which one that is.
            let name = format!(" ({}): ", upstream.name);
            told = told
                .iter()
                .map(|told| told.replacen(": ", &name, 1))
                .collect();
        }
        warnings.extend(told);
    }
    if config.solver.path().is_none() {
        about_solver(config, &mut warnings);
    }
    warnings.extend(config.quality.iter().flat_map(Measurements::warnings));
    warnings
}

fn about_listeners(config: &Config, warnings: &mut Vec<String>) {
    if is_open(config.listen) && config.limits == Limits::default() {
        warnings.push(format!(
            "limits: hone listens on {}, beyond this machine, and no tenant is limited; set \
             [limits] so that one caller cannot take everything",
            config.listen
        ));
    }
    if is_open(config.listen) && config.tls.is_none() && config.trusted_proxies.is_empty() {
        warnings.push(format!(
            "listen: hone listens on {}, beyond this machine, without [tls]: keys and prompts \
             travel unencrypted; set [tls], or name the proxy that speaks TLS before it in \
             trusted_proxies",
            config.listen
        ));
    }
    if let Some(admin) = config.admin.filter(|admin| is_open(*admin)) {
        warnings.push(format!(
            "admin.listen: anyone who can reach {admin} can read the metrics, which name models, \
             upstreams and your tenants; the admin listener asks for no key"
        ));
    }
}

/// What any page in a browser could use without a key of its visitor's.
fn about_pages(config: &Config, warnings: &mut Vec<String>) {
    if !config.cors_origins.iter().any(|origin| origin == "*") {
        return;
    }
    for upstream in &config.upstreams {
        let name = &upstream.name;
        if upstream.is_keyless() {
            warnings.push(format!(
                "cors_origins: \"*\" lets every web page in a browser that reaches hone use \
                 `{name}`, which needs no key; list the origins of your own pages"
            ));
        } else if upstream.fallback.is_some() {
            warnings.push(format!(
                "cors_origins: \"*\" lets every web page in a browser that reaches hone try to \
                 spend the fallback key of `{name}`; list the origins of your own pages"
            ));
        }
    }
}

/// Memory in which no approach can make a call.
fn about_memory(bounds: &Bounds, warnings: &mut Vec<String>) {
    let of_all = ("buffered_bytes", bounds.buffered_bytes);
    let of_one = ("tenant_buffered_bytes", bounds.tenant_buffered_bytes);
    let least = UNREAD_BYTES as usize;
    if let Some((key, bytes)) = [of_all, of_one]
        .into_iter()
        .find(|(_, bytes)| *bytes <= least)
    {
        warnings.push(format!(
            "bounds.{key}: with {bytes} bytes no approach can run, because each of its calls takes \
             {least} beside its prompt; write bounds.{key} = {} or more, for several calls at once",
            16 * least
        ));
    }
}

/// Keys that stand in hone's own files.
const EXAMPLES: [&str; 5] = [
    "hone-example-alice",
    "hone-example-bob",
    "hone-example-mallory",
    "sk-example-alice",
    "sk-example-carol",
];

/// Every place that admits a key of hone's own files, with the key.
pub(super) fn examples(config: &Config) -> impl Iterator<Item = (String, &'static str)> {
    let known = EXAMPLES.map(|key| (KeyDigest::of(key.as_bytes()), key));
    let tenants = config.tenants.iter().enumerate();
    let lists = tenants.flat_map(|(index, tenant)| {
        let lists = [
            ("keys", &tenant.keys),
            ("provider_keys", &tenant.provider_keys),
        ];
        lists.map(|(list, digests)| (format!("tenant[{index}].{list}"), digests))
    });
    lists.flat_map(move |(path, digests)| {
        let places = digests.iter().enumerate();
        let found: Vec<_> = places
            .filter_map(|(index, digest)| {
                let (_, key) = known.iter().find(|(example, _)| example == digest)?;
                Some((format!("{path}[{index}]"), *key))
            })
            .collect();
        found
    })
}

/// Whether other machines can connect to `listen`.
pub(super) fn is_open(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

fn about_fallback(
    config: &Config,
    path: &str,
    upstream: &UpstreamConfig,
    warnings: &mut Vec<String>,
) {
    let Some(fallback) = &upstream.fallback else {
        return;
    };
    let (name, listen, open) = (&upstream.name, config.listen, is_open(config.listen));
    match fallback.allowed {
        FallbackFor::Anyone if open => warnings.push(format!(
            "{path}.fallback_for: anyone who can reach {listen} can spend the fallback key of \
             `{name}`, without a key of their own; \
             \"known\" would keep it to callers with a gateway key"
        )),
        FallbackFor::Known if config.tenants.iter().all(|tenant| tenant.keys.is_empty()) => {
            warnings.push(format!(
                "{path}.fallback_for: nobody can use the fallback key of `{name}`, because no \
                 [[tenant]] has a gateway key in `keys`"
            ));
        }
        FallbackFor::Loopback if open => warnings.push(format!(
            "{path}.fallback_for: \"loopback\" permits nobody while hone listens on {listen}; \
             callers with a gateway key may use the fallback key of `{name}`"
        )),
        FallbackFor::Loopback => warnings.push(format!(
            "{path}.fallback_for: \"loopback\" is not for a machine with a reverse proxy or a \
             tunnel: one that adds no forwarding header makes strangers look local, and they \
             could spend the fallback key of `{name}`"
        )),
        FallbackFor::Anyone | FallbackFor::Known => {}
    }
}

fn about_upstream(
    config: &Config,
    index: usize,
    path: &str,
    upstream: &UpstreamConfig,
    warnings: &mut Vec<String>,
) {
    let name = &upstream.name;
    let is_plain = upstream.base_url.scheme_str() == Some("http");
    if !upstream.is_keyless() && is_plain && !reach::is_loopback(&upstream.base_url) {
        warnings.push(format!(
            "{path}.base_url: keys travel to `{name}` unencrypted; use https:// \
             if the network is not yours alone"
        ));
    }
    if let Some(odd) = reach::odd_path(upstream.dialect, &upstream.base_url) {
        warnings.push(format!("{path}.base_url: the URL of `{name}` {odd}"));
    }
    let contradictions = dialect::about(upstream).into_iter();
    warnings.extend(contradictions.map(|(key, why)| format!("{path}.{key}: {why}")));
    for glob in upstream.models.iter().filter(|glob| glob.contains('*')) {
        let slug = glob.split_once('-').map(|(head, _)| head);
        if let Some(slug) = slug.filter(|slug| *slug != "none" && catalogue::entry(slug).is_some())
        {
            warnings.push(format!(
                "{path}.models: names like {glob:?} begin with the approach `{slug}`, which they \
                 run; list the models of `{name}` whole, or let clients ask for `none-NAME`"
            ));
        }
    }
    let mut earlier = config.upstreams.iter().take(index);
    if upstream.models.is_empty() {
        warnings.push(format!(
            "{path}.models: no model leads to `{name}`, except as `{name}/model`"
        ));
    } else if earlier.any(|earlier| earlier.models.iter().any(|glob| glob == "*")) {
        warnings.push(format!(
            "{path}.models: an upstream before it takes every model, so `{name}` \
             serves only `{name}/model`; put `{name}` first, and name its models, as in models = \
             [\"{}\"]",
            dialect::example(upstream.dialect)
        ));
    }
}

/// Every place that names an approach which cannot run for want of a solver.
fn about_solver(config: &Config, warnings: &mut Vec<String>) {
    let mut named = vec![("approach".to_owned(), config.approach.slugs())];
    for (index, tenant) in config.tenants.iter().enumerate() {
        let path = format!("tenant[{index}].approach");
        let permitted = tenant.permissions.approaches.iter().flatten();
        let permitted = permitted.map(String::as_str).collect();
        let own = tenant.approach.as_ref();
        named.extend(own.map(|approach| (path.clone(), approach.slugs())));
        named.push((format!("{path}es"), permitted));
    }
    let models = config.models.iter().enumerate();
    named.extend(
        models.map(|(index, model)| (format!("model[{index}].approach"), model.approach.slugs())),
    );
    let needs_it = |slug: &&str| catalogue::entry(slug).is_some_and(catalogue::Entry::needs_solver);
    for (path, slugs) in named {
        if let Some(slug) = slugs.into_iter().find(needs_it) {
            warnings.push(format!(
                "{path}: `{slug}` needs the solver z3, which is not there, so its requests are \
                 refused; install z3, or let `solver` name its path"
            ));
        }
    }
}
