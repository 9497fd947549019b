//! Where a base URL leads, as far as its text says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hone_dialects::Dialect;
use http::Uri;

/// Last labels of names that no public name server knows (RFC 6761, RFC 6762 appendix G, RFC 8375),
/// and those of clusters.
const PRIVATE: [&str; 11] = [
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
    "svc",
];

/// A host.
enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

/// Whether only this machine or its own network can be meant: another proxy of the operator, or
/// this one. A name without a dot is one of a container or of the local network.
pub(crate) fn is_private(base_url: &Uri) -> bool {
    match host(base_url) {
        Some(Host::Address(address)) => is_private_address(address),
        Some(Host::Name(name)) => {
            !name.contains('.') || PRIVATE.iter().any(|ending| is_below(name, ending))
        }
        None => false,
    }
}

/// What is most likely wrong with the path of `base_url`, as a clause, with what to do.
pub(crate) fn odd_path(dialect: Dialect, base_url: &Uri) -> Option<&'static str> {
    const ENDPOINTS: [&str; 6] = [
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/messages",
        "/models",
        "/responses",
    ];
    let path = base_url.path().trim_end_matches('/');
    if path.is_empty() {
        // Google's clients write the version themselves.
        if dialect == Dialect::Gemini {
            return None;
        }
        return Some("has no path, and most providers' API is below /v1; add it");
    }
    if ENDPOINTS.iter().any(|endpoint| path.ends_with(endpoint)) {
        return Some("ends with an endpoint; end it before that, as in https://host/v1");
    }
    path.contains("/v1/v1")
        .then_some("has /v1 twice; once is enough")
}

/// The host of `base_url` and the port that is connected to.
pub(crate) fn address(base_url: &Uri) -> String {
    format!("{}:{}", base_url.host().unwrap_or_default(), port(base_url))
}

fn port(base_url: &Uri) -> u16 {
    let usual = if base_url.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    base_url.port_u16().unwrap_or(usual)
}

/// Whether only this machine can be meant.
pub(super) fn is_loopback(base_url: &Uri) -> bool {
    targets(base_url).iter().any(IpAddr::is_loopback)
}

/// Whether `base_url` leads to what listens on `listener`.
pub(super) fn leads_to(base_url: &Uri, listener: SocketAddr) -> bool {
    if port(base_url) != listener.port() {
        return false;
    }
    let address = listener.ip().to_canonical();
    targets(base_url).into_iter().any(|target| {
        if address.is_unspecified() {
            // `[::]` takes connections over IPv4, too.
            target.is_loopback() && (address.is_ipv6() || target.is_ipv4())
        } else {
            target == address
        }
    })
}

/// The addresses that are connected to, where the text tells them.
fn targets(base_url: &Uri) -> Vec<IpAddr> {
    let loopback = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    match host(base_url) {
        // Who connects to no address in particular reaches this machine.
        Some(Host::Address(address)) if address.is_unspecified() => loopback
            .into_iter()
            .filter(|own| own.is_ipv4() == address.is_ipv4())
            .collect(),
        Some(Host::Address(address)) => vec![address],
        Some(Host::Name(name)) if is_below(name, "localhost") => loopback.to_vec(),
        Some(Host::Name(_)) | None => Vec::new(),
    }
}

fn host(base_url: &Uri) -> Option<Host<'_>> {
    let host = base_url.host().filter(|host| !host.is_empty())?;
    let host = host.trim_matches(['[', ']']);
    let host = host.strip_suffix('.').unwrap_or(host);
    Some(match host.parse::<IpAddr>() {
        Ok(address) => Host::Address(address.to_canonical()),
        Err(_not_an_address) => Host::Name(host),
    })
}

/// Whether `name` is `domain` or a name in it.
fn is_below(name: &str, domain: &str) -> bool {
    let Some(start) = name.len().checked_sub(domain.len()) else {
        return false;
    };
    name.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(domain))
        && name
            .get(..start)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_private_address(address: IpAddr) -> bool {
    if address.is_loopback() || address.is_unspecified() {
        return true;
    }
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // RFC 6598: shared by the customers of one carrier, and by overlay networks.
            let is_shared = first == 100 && (64..128).contains(&second);
            address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_of_the_own_listener_is_found() {
        for (listener, urls) in [
            (
                "127.0.0.1:8000",
                &[
                    "http://127.0.0.1:8000/v1",
                    "https://127.0.0.1:8000/v1",
                    "http://localhost:8000",
                    "http://LocalHost.:8000",
                    "http://a.localhost:8000",
                    "http://0.0.0.0:8000",
                    "http://[::ffff:127.0.0.1]:8000",
                ][..],
            ),
            (
                "[::1]:8000",
                &[
                    "http://[::1]:8000",
                    "http://localhost:8000",
                    "http://[::]:8000",
                ],
            ),
            (
                "0.0.0.0:80",
                &[
                    "http://127.0.0.1",
                    "http://127.1.2.3/v1",
                    "http://localhost",
                ],
            ),
            (
                "[::]:443",
                &["https://127.0.0.1", "https://[::1]/v1", "https://0.0.0.0"],
            ),
            ("192.0.2.1:8000", &["http://192.0.2.1:8000"]),
        ] {
            for url in urls {
                assert!(
                    leads_to(&uri(url), listener.parse().unwrap()),
                    "{listener} {url}"
                );
            }
        }
    }

    #[test]
    fn what_another_program_may_listen_on_is_not_the_own_listener() {
        for (listener, url) in [
            ("127.0.0.1:8000", "http://127.0.0.1:8001"),
            ("127.0.0.1:8000", "http://127.0.0.2:8000"),
            ("127.0.0.1:8000", "http://[::1]:8000"),
            ("0.0.0.0:8000", "http://[::1]:8000"),
            ("0.0.0.0:8000", "http://10.0.0.1:8000"),
            ("127.0.0.1:8000", "http://notlocalhost:8000"),
            ("127.0.0.1:8000", "http://localhost.example:8000"),
            ("127.0.0.1:80", "https://localhost"),
            ("127.0.0.1:0", "http://127.0.0.1:8000"),
            ("192.0.2.1:8000", "http://localhost:8000"),
        ] {
            assert!(
                !leads_to(&uri(url), listener.parse().unwrap()),
                "{listener} {url}"
            );
        }
    }

    #[test]
    fn private_is_what_no_public_provider_has() {
        for url in [
            "http://127.0.0.1:1",
            "http://0.0.0.0:1",
            "http://10.1.2.3",
            "http://172.16.0.1",
            "http://192.168.1.1",
            "http://169.254.1.1",
            "http://100.64.0.1",
            "http://[::1]",
            "http://[fd00::1]",
            "http://[fe80::1]",
            "http://[::ffff:10.0.0.1]",
            "http://localhost",
            "http://hone-b:8000",
            "http://host.docker.internal",
            "http://hone.llm.svc.cluster.local",
            "http://hone.llm.svc",
            "http://BOX.LAN.",
        ] {
            assert!(is_private(&uri(url)), "{url}");
        }
        for url in [
            "https://api.openai.com/v1",
            "https://8.8.8.8",
            "https://172.32.0.1",
            "https://100.128.0.1",
            "https://[2001:db8::1]",
            "https://internal.example.com",
            "https://notlocal.io",
        ] {
            assert!(!is_private(&uri(url)), "{url}");
        }
        assert!(!is_private(&Uri::default()));
    }
}
