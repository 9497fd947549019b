//! What an operator should know about a configuration although it is not wrong.

use std::net::SocketAddr;

use hone_strategies::catalogue;

use super::{Access, AuthSlot, Config, FallbackFor, Limits, UpstreamConfig, reach};

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
    if config.access == Access::Known && config.tenants.is_empty() {
        let nobody = "access: only known keys are admitted, and no [[tenant]] names one";
        warnings.push(nobody.to_owned());
    }
    for (index, upstream) in config.upstreams.iter().enumerate() {
        let path = format!("upstream[{index}]");
        about_fallback(config, &path, upstream, &mut warnings);
        about_upstream(config, index, &path, upstream, &mut warnings);
    }
    if config.solver.path().is_none() {
        about_solver(config, &mut warnings);
    }
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
    if let Some(admin) = config.admin.filter(|admin| is_open(*admin)) {
        warnings.push(format!(
            "admin.listen: anyone who can reach {admin} can read the metrics, which name tenants; \
             the admin listener asks for no key"
        ));
    }
}

/// Whether other machines can connect to `listen`.
fn is_open(listen: SocketAddr) -> bool {
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
    if upstream.auth != AuthSlot::None && is_plain && !reach::is_loopback(&upstream.base_url) {
        warnings.push(format!(
            "{path}.base_url: keys travel to `{name}` unencrypted; use https:// \
             if the network is not yours alone"
        ));
    }
    let mut earlier = config.upstreams.iter().take(index);
    if upstream.models.is_empty() {
        warnings.push(format!(
            "{path}.models: no model leads to `{name}`, except as `{name}/model`"
        ));
    } else if earlier.any(|earlier| earlier.models.iter().any(|glob| glob == "*")) {
        warnings.push(format!(
            "{path}.models: an upstream before it takes every model, so `{name}` \
             serves only `{name}/model`"
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
