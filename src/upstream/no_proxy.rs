//! `NO_PROXY`: which upstreams are reached without the proxy of the environment.
//!
//! There is no standard. This reads what curl, Go and Python read: entries between commas or
//! blanks, of any case; `*`; a name, with the names below it; a port behind it; addresses and
//! networks, of which no name is one.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// Whether `list` takes `base_url` out.
pub(super) fn names(list: &str, base_url: &Uri) -> bool {
    let Some(host) = base_url.host() else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    let host = host.strip_suffix('.').unwrap_or(host);
    let usual = if base_url.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = base_url.port_u16().unwrap_or(usual);
    let entries = list.split(|letter: char| letter == ',' || letter.is_ascii_whitespace());
    let mut entries = entries.filter(|entry| !entry.is_empty());
    entries.any(|entry| is_named(entry, host, port))
}

fn is_named(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let (name, wanted) = with_port(entry);
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        let is_it = |named: IpAddr| named.to_canonical() == address;
        return name.parse().is_ok_and(is_it)
            || name
                .parse()
                .is_ok_and(|network: IpNet| network.contains(&address));
    }
    let domain = name.strip_prefix('*').unwrap_or(name);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    is_below(host, domain)
}

/// An entry's host and port. A bare address of IPv6 has colons, and no port.
fn with_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_no_port) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Whether `name` is `domain` or a name in it.
fn is_below(name: &str, domain: &str) -> bool {
    let start = name.len().checked_sub(domain.len());
    let Some((rest, end)) = start.and_then(|start| name.split_at_checked(start)) else {
        return false;
    };
    !domain.is_empty()
        && end.eq_ignore_ascii_case(domain)
        && (rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 8] = [
        "https://api.example.com/v1",
        "http://example.com:8080/v1",
        "https://notexample.com",
        "http://localhost:11434/v1",
        "http://10.1.2.3:8000",
        "https://192.0.2.1",
        "http://[fd00::1]:8000",
        "https://[2001:db8::1]",
    ];

    /// Which of [`HOSTS`] a list names.
    fn named(list: &str) -> Vec<usize> {
        let is_named = |at: &usize| names(list, &HOSTS[*at].parse().unwrap());
        (0..HOSTS.len()).filter(is_named).collect()
    }

    #[test]
    fn a_list_names_what_curl_and_go_read_in_it() {
        for (list, hosts) in [
            ("", &[][..]),
            (" , ,", &[]),
            ("*", &[0, 1, 2, 3, 4, 5, 6, 7]),
            ("nothing.example, *", &[0, 1, 2, 3, 4, 5, 6, 7]),
            ("example.com", &[0, 1]),
            (".example.com", &[0, 1]),
            ("*.example.com", &[0, 1]),
            ("EXAMPLE.com.", &[0, 1]),
            ("api.example.com", &[0]),
            ("com", &[0, 1, 2]),
            ("ample.com", &[]),
            ("example.com.evil", &[]),
            ("example.com:8080", &[1]),
            ("api.example.com:443", &[0]),
            ("example.com:443", &[0]),
            ("api.example.com:80", &[]),
            ("example.com:", &[]),
            ("localhost,127.0.0.1", &[3]),
            ("localhost:11434", &[3]),
            ("localhost:1", &[]),
            ("10.1.2.3", &[4]),
            ("10.1.2.3:8000", &[4]),
            ("10.1.2.3:80", &[]),
            ("10.0.0.0/8", &[4]),
            ("10.1.2.0/24\t192.0.2.0/31", &[4, 5]),
            ("0.0.0.0/0", &[4, 5]),
            ("10.1.2.3/32", &[4]),
            ("10.1.2.0/33", &[]),
            ("::ffff:10.1.2.3", &[4]),
            ("10.1.2", &[]),
            ("2.3", &[]),
            ("fd00::1", &[6]),
            ("[fd00::1]", &[6]),
            ("[FD00::1]:8000", &[6]),
            ("[fd00::1]:80", &[]),
            ("fd00::/8", &[6]),
            ("::/0", &[6, 7]),
            ("2001:db8::/32 example.com", &[0, 1, 7]),
            ("http://example.com", &[]),
        ] {
            assert_eq!(named(list), hosts, "{list:?}");
        }
        assert!(names(
            "example.com",
            &"https://example.com./v1".parse().unwrap()
        ));
        assert!(!names("*", &Uri::default()));
    }
}
