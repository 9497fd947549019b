use super::super::fixture::{head, loopback};
use super::*;

fn client(peer: &str, forwarded: &[&str]) -> String {
    let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let lines: Vec<_> = forwarded
        .iter()
        .map(|line| ("x-forwarded-for", *line))
        .collect();
    client_address(&head(&lines).headers, peer.parse().unwrap(), &trusted).to_string()
}

#[test]
fn a_stranger_cannot_choose_its_address() {
    assert_eq!(client("203.0.113.7", &["192.0.2.1"]), "203.0.113.7");
    assert_eq!(client("203.0.113.7", &["10.0.0.1"]), "203.0.113.7");
}

#[test]
fn behind_trusted_proxies_the_rightmost_untrusted_entry_is_the_client() {
    for (forwarded, expected) in [
        (&["192.0.2.1"][..], "192.0.2.1"),
        (&["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
        (&["198.51.100.9, 192.0.2.1, 10.1.1.1"], "192.0.2.1"),
        (
            &["198.51.100.9", "192.0.2.1,10.1.1.1", "10.2.2.2"],
            "192.0.2.1",
        ),
        (&["198.51.100.9", "192.0.2.1"], "192.0.2.1"),
        (&["10.3.3.3, 10.1.1.1"], "10.3.3.3"),
        (&["192.0.2.1:5555"], "192.0.2.1"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["[2001:db8::1]:5555, fd00::2"], "2001:db8::1"),
        (&["::ffff:192.0.2.1"], "192.0.2.1"),
        (&["rubbish, 192.0.2.1"], "192.0.2.1"),
        (&[], "10.0.0.1"),
    ] {
        assert_eq!(client("10.0.0.1", forwarded), expected, "{forwarded:?}");
    }
    assert_eq!(client("::ffff:10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
}

#[test]
fn a_malformed_entry_makes_the_peer_the_client() {
    for forwarded in [
        "",
        "unknown",
        "192.0.2.1,",
        "192.0.2.1, _hidden",
        "192.0.2.1, rubbish, 10.1.1.1",
        "300.1.1.1",
        "192.0.2.1 10.0.0.1",
    ] {
        assert_eq!(client("10.0.0.1", &[forwarded]), "10.0.0.1", "{forwarded}");
    }
}

const HOST: (&str, &str) = ("host", "localhost:8000");

fn unmet(lines: &[(&str, &str)], peer: &Peer) -> Option<NotLocal> {
    local(&head(lines), peer).err()
}

#[test]
fn a_program_on_this_machine_is_local() {
    for host in [
        "localhost",
        "LocalHost:8000",
        "127.0.0.1:8000",
        "127.8.8.8",
        "[::1]:8000",
        "[::1]",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert_eq!(unmet(&[("host", host)], &loopback()), None, "{host}");
    }
    let six = Peer {
        address: "[::1]:4000".parse().unwrap(),
        listener: "[::ffff:127.0.0.1]:80".parse().unwrap(),
    };
    assert_eq!(unmet(&[HOST], &six), None);
}

#[test]
fn a_listener_beyond_loopback_makes_nobody_local() {
    for listener in ["0.0.0.0:8000", "[::]:8000", "192.168.1.5:8000"] {
        let peer = Peer {
            listener: listener.parse().unwrap(),
            ..loopback()
        };
        assert_eq!(
            unmet(&[HOST], &peer),
            Some(NotLocal::Listener),
            "{listener}"
        );
    }
}

#[test]
fn another_machine_is_not_local() {
    let peer = Peer {
        address: "192.168.1.5:4000".parse().unwrap(),
        ..loopback()
    };
    assert_eq!(unmet(&[HOST], &peer), Some(NotLocal::Peer));
}

#[test]
fn a_forwarded_request_is_not_local() {
    for name in [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-anything",
        "x-real-ip",
        "x-forwarded",
        "via",
        "cf-connecting-ip",
        "cf-ray",
        "cdn-loop",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "fastly-client-ip",
        "fly-client-ip",
        "x-amzn-trace-id",
    ] {
        assert_eq!(
            unmet(&[HOST, (name, "127.0.0.1")], &loopback()),
            Some(NotLocal::Forwarded),
            "{name}"
        );
    }
}

#[test]
fn a_web_page_is_not_local() {
    for origin in ["https://evil.example", "http://localhost:8000", "null"] {
        assert_eq!(
            unmet(&[HOST, ("origin", origin)], &loopback()),
            Some(NotLocal::Origin),
            "{origin}"
        );
    }
}

#[test]
fn what_a_browser_sends_for_a_page_of_another_site_is_not_local() {
    for (site, expected) in [
        ("cross-site", Some(NotLocal::Site)),
        ("same-site", Some(NotLocal::Site)),
        ("something-new", Some(NotLocal::Site)),
        ("same-origin", None),
        ("none", None),
    ] {
        let lines = [HOST, ("sec-fetch-site", site)];
        assert_eq!(unmet(&lines, &loopback()), expected, "{site}");
    }
    let both = [
        HOST,
        ("sec-fetch-site", "none"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert_eq!(unmet(&both, &loopback()), Some(NotLocal::Site));
}

#[test]
fn what_a_plain_reverse_proxy_sends_is_not_local() {
    for version in [Version::HTTP_10, Version::HTTP_09] {
        let mut parts = head(&[("host", "127.0.0.1:8000")]);
        parts.version = version;
        assert_eq!(local(&parts, &loopback()), Err(NotLocal::Version));
    }
}

/// What keeps a request from keyless upstreams.
fn foreign(lines: &[(&str, &str)], allowed: &[&str]) -> Option<NotLocal> {
    let allowed: Vec<String> = allowed.iter().map(|&host| host.to_owned()).collect();
    at_home(&head(lines), &loopback(), (&allowed, &[])).err()
}

#[test]
fn a_web_page_that_was_rebound_or_is_of_another_site_is_not_at_home() {
    let evil = ("host", "evil.example:8000");
    assert_eq!(foreign(&[evil], &[]), Some(NotLocal::Host));
    assert_eq!(foreign(&[HOST, evil], &[]), Some(NotLocal::Host));
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "x",
    ] {
        let lines = [HOST, ("origin", origin)];
        assert_eq!(foreign(&lines, &[]), Some(NotLocal::Origin), "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        let lines = [HOST, ("sec-fetch-site", site)];
        assert_eq!(foreign(&lines, &[]), Some(NotLocal::Site), "{site}");
        let page = [
            HOST,
            ("sec-fetch-site", site),
            ("origin", "https://evil.example"),
        ];
        assert_eq!(foreign(&page, &[]), Some(NotLocal::Origin), "{site}");
    }
}

#[test]
fn programs_proxies_and_pages_of_this_machine_are_at_home() {
    for lines in [
        &[][..],
        &[HOST],
        &[
            HOST,
            ("x-forwarded-for", "203.0.113.7"),
            ("via", "1.1 nginx"),
        ],
        &[
            HOST,
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "same-site"),
        ],
        &[
            HOST,
            ("origin", "http://127.0.0.1:3000"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[HOST, ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(foreign(lines, &[]), None, "{lines:?}");
    }
    let mut old = head(&[HOST]);
    old.version = Version::HTTP_10;
    assert_eq!(at_home(&old, &loopback(), (&[], &[])), Ok(()));
}

#[test]
fn named_hosts_and_a_listener_beyond_loopback_let_others_in() {
    let site = ("host", "AI.example:443");
    let page = [
        site,
        ("origin", "https://ai.example"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_eq!(foreign(&page, &["ai.example"]), None);
    assert_eq!(foreign(&page, &["other.example"]), Some(NotLocal::Host));
    let other = [site, ("origin", "https://evil.example")];
    assert_eq!(foreign(&other, &["ai.example"]), Some(NotLocal::Origin));
    assert_eq!(foreign(&other, &["*"]), None);
    let open = Peer {
        listener: "0.0.0.0:8000".parse().unwrap(),
        ..loopback()
    };
    assert_eq!(at_home(&head(&other), &open, (&[], &[])), Ok(()));
}

#[test]
fn pages_of_listed_origins_are_welcome_but_not_under_a_name_that_was_rebound() {
    let origins = ["https://app.example".to_owned()];
    let of = |host, origin| {
        let lines = [
            ("host", host),
            ("origin", origin),
            ("sec-fetch-site", "cross-site"),
        ];
        at_home(&head(&lines), &loopback(), (&[], &origins)).err()
    };
    assert_eq!(of("localhost:8000", "https://app.example"), None);
    assert_eq!(
        of("localhost:8000", "https://b.example"),
        Some(NotLocal::Origin)
    );
    assert_eq!(
        of("app.example", "https://app.example"),
        Some(NotLocal::Host)
    );
}

#[test]
fn a_name_that_was_rebound_to_loopback_is_not_local() {
    for host in [
        "evil.example",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.1.evil.example",
        "127.1",
        "0.0.0.0",
        "[::]",
        "user@localhost",
        "::1",
        "localhost:",
        "localhost:80:80",
        "",
    ] {
        assert_eq!(
            unmet(&[("host", host)], &loopback()),
            Some(NotLocal::Host),
            "{host}"
        );
    }
    assert_eq!(
        unmet(&[], &loopback()),
        Some(NotLocal::Host),
        "no host at all"
    );
    assert_eq!(
        unmet(&[HOST, ("host", "evil.example")], &loopback()),
        Some(NotLocal::Host),
        "two hosts"
    );
}

#[test]
fn over_http2_the_authority_is_the_host() {
    let mut parts = head(&[]);
    parts.uri = "http://localhost:8000/v1/models".parse().unwrap();
    assert_eq!(local(&parts, &loopback()), Ok(()));
    parts.uri = "http://evil.example/v1/models".parse().unwrap();
    assert_eq!(local(&parts, &loopback()), Err(NotLocal::Host));
    parts.headers = head(&[HOST]).headers;
    assert_eq!(
        local(&parts, &loopback()),
        Err(NotLocal::Host),
        "the two must agree that it is loopback"
    );
}
