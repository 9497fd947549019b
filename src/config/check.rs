//! What an operator should know about a configuration although it is not wrong.

use std::net::SocketAddr;

use super::{Access, AuthSlot, Config, FallbackFor, Limits, UpstreamConfig};

/// One sentence per risk, each beginning with the path that it is about.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let open = is_open(config.listen);
    if open && config.limits == Limits::default() {
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
        warnings
            .push("access: only known keys are admitted, and no [[tenant]] names one".to_owned());
    }
    for (index, upstream) in config.upstreams.iter().enumerate() {
        about_upstream(config, index, upstream, open, &mut warnings);
    }
    warnings
}

/// Whether other machines can connect to `listen`.
fn is_open(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

fn about_upstream(
    config: &Config,
    index: usize,
    upstream: &UpstreamConfig,
    open: bool,
    warnings: &mut Vec<String>,
) {
    let name = &upstream.name;
    let path = format!("upstream[{index}]");
    match upstream.fallback.as_ref().map(|fallback| fallback.allowed) {
        Some(FallbackFor::Anyone) if open => warnings.push(format!(
            "{path}.fallback_for: anyone who can reach {} can spend the fallback key of `{name}`, \
                without a key of their own; \
             \"known\" would keep it to callers with a gateway key",
            config.listen
        )),
        Some(FallbackFor::Known) if config.tenants.iter().all(|tenant| tenant.keys.is_empty()) => {
            warnings.push(format!(
                "{path}.fallback_for: nobody can use the fallback key of `{name}`, because no \
                [[tenant]] has a gateway key in `keys`"
            ));
        }
        Some(FallbackFor::Loopback) if open => warnings.push(format!(
            "{path}.fallback_for: \"loopback\" permits nobody while hone listens on {}; callers \
                with a gateway key may use the fallback key of `{name}`",
            config.listen
        )),
        Some(_) | None => {}
    }
    if upstream.auth != AuthSlot::None
        && upstream.base_url.scheme_str() == Some("http")
        && !is_local(upstream)
    {
        warnings.push(format!(
            "{path}.base_url: keys travel to `{name}` unencrypted; use https:// \
            if the network is not yours alone"
        ));
    }
    if upstream.models.is_empty() {
        warnings.push(format!(
            "{path}.models: no model leads to `{name}`, except as `{name}/model`"
        ));
    } else if config
        .upstreams
        .iter()
        .take(index)
        .any(|earlier| earlier.models.iter().any(|glob| glob == "*"))
    {
        warnings.push(format!(
            "{path}.models: an upstream before it takes every model, so `{name}` \
            serves only `{name}/model`"
        ));
    }
}

fn is_local(upstream: &UpstreamConfig) -> bool {
    let host = upstream
        .base_url
        .host()
        .unwrap_or_default()
        .trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
