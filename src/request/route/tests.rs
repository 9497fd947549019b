use proptest::prelude::*;

use super::*;

fn at(method: &Method, target: &str) -> Result<String, RouteError> {
    let uri: Uri = target.parse().expect("a request target");
    find(method, &uri, Version::HTTP_11).map(|found| format!("{found:?}"))
}

#[test]
fn everything_below_v1_is_served() {
    assert_eq!(
        at(&Method::POST, "/v1/chat/completions?x=1"),
        Ok(r#"Api("chat/completions", chat/completions)"#.into())
    );
    assert_eq!(
        at(&Method::DELETE, "/v1/files/a%20b"),
        Ok(r#"Api("files/a%20b", files/{id})"#.into())
    );
    assert_eq!(at(&Method::GET, "/v1"), Err(RouteError::NotFound));
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_refused() {
    for target in [
        "/v1/../admin",
        "/v1/./x",
        "/v1/%2e%2E/x",
        "/v1/.%2e",
        "/v1/a%2fb",
        "/v1/a%2Fb",
        "/v1//x",
        "//v1/x",
        "/v1/a%5cb",
        "/v1/a%00",
        "/v1/a%0a",
        "/v1/%zz",
        "/v1/%2",
        "/v1/ch%61t/completions",
        "/v1/..;/admin",
        "/v1/.;a=b/x",
        "/v1/..%3Bx/y",
        "/v1/..%20/x",
        "/v1/%20./x",
        "/v1/;x/chat/completions",
        "/v1/chat/completions/%20",
        "/v1/models/..%2fadmin",
        "/v1/models/a%2f%2e%2e",
        "/v1/models/a%2f%2fb",
        "/v1/models/%2f",
    ] {
        assert!(
            matches!(at(&Method::GET, target), Err(RouteError::BadPath(_))),
            "{target}"
        );
    }
    for target in [
        "/v1/...",
        "/v1/.a",
        "/v1/a.",
        "/v1/%2e%2e%2e",
        "/v1/a;b=..",
        "/v1/models/meta%2Fllama",
    ] {
        assert!(at(&Method::GET, target).is_ok(), "{target}");
    }
}

#[test]
fn requests_meant_for_a_forward_proxy_are_refused() {
    assert!(matches!(
        at(&Method::GET, "http://example.com/v1/models"),
        Err(RouteError::BadPath(_))
    ));
    assert!(matches!(
        at(&Method::OPTIONS, "*"),
        Err(RouteError::BadPath(_))
    ));
    assert!(matches!(
        at(&Method::CONNECT, "example.com:443"),
        Err(RouteError::Method(_))
    ));
}

#[test]
fn a_base_url_without_v1_is_recognised() {
    assert_eq!(
        at(&Method::POST, "/chat/completions"),
        Err(RouteError::MissingVersion)
    );
    assert_eq!(
        at(&Method::GET, "/models/gpt"),
        Err(RouteError::MissingVersion)
    );
    assert_eq!(at(&Method::GET, "/modelsx"), Err(RouteError::NotFound));
}

#[test]
fn probes_are_read_only() {
    assert_eq!(at(&Method::GET, "/health"), Ok("Live".into()));
    assert_eq!(
        at(&Method::POST, "/readyz"),
        Err(RouteError::Method("GET, HEAD".into()))
    );
}

#[test]
fn a_method_that_is_forwarded_nowhere_is_refused_everywhere() {
    let invented = |name: &[u8]| Method::from_bytes(name).expect("a method");
    for method in [
        Method::TRACE,
        Method::OPTIONS,
        Method::CONNECT,
        invented(b"post"),
        invented(b"Post"),
        invented(b"get"),
        invented(b"PROPFIND"),
        invented(b"DEBUG"),
    ] {
        for target in ["/v1/chat/completions", "/v1/rerank", "/livez", "/nothing"] {
            assert!(
                matches!(at(&method, target), Err(RouteError::Method(_))),
                "{method} {target}"
            );
        }
    }
}

proptest! {
    #[test]
    fn a_plain_host_is_a_host(
        host in "[a-zA-Z0-9.:@\\[\\]%_ /-]{0,12}|[a-z0-9.-]{1,9}:?[0-9]{0,6}",
    ) {
        if is_plain_host(host.as_bytes()) {
            prop_assert!(Authority::try_from(host.as_bytes()).is_ok(), "{host}");
            prop_assert!(!host.contains('@'));
        }
    }
}
