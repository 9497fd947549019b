//! What a request's method and path ask for.
//!
//! Paths that two parsers could read differently are refused rather than repaired: the upstream
//! must see exactly the path that was authenticated, limited and planned here.

use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, Uri};
use http::{Method, Version};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// A path below `/v1`, without that prefix and without the query.
    Api(&'a str),
    /// Whether the process runs. Needs no key and calls no provider.
    Live,
    /// Whether new requests should be sent here: not while draining.
    Ready,
    /// How the caller is resolved.
    Whoami,
}

/// Why a request has no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path has a spelling that is refused.
    #[error("refused path: {0}")]
    BadPath(&'static str),
    /// It is unclear which host is asked.
    #[error("refused host: {0}")]
    Host(&'static str),
    /// The method is not known at this path.
    #[error("method not allowed")]
    Method,
    /// A path of the OpenAI API without `/v1`.
    #[error("the path lacks /v1")]
    MissingVersion,
    /// Nothing is served here.
    #[error("no such path")]
    NotFound,
    /// The client asks for another protocol on this connection.
    #[error("upgrade requested")]
    Upgrade,
}

/// Paths of the OpenAI API that users ask for without `/v1`, when their base URL lacks it.
const KNOWN: [&str; 12] = [
    "chat/completions",
    "completions",
    "embeddings",
    "models",
    "responses",
    "messages",
    "files",
    "batches",
    "audio",
    "images",
    "moderations",
    "fine_tuning",
];

/// Finds the route of a request.
pub fn route(parts: &Parts) -> Result<Route<'_>, RouteError> {
    refuse_host(parts)?;
    // A client that offers HTTP/2 is content with HTTP/1 (RFC 9110 §7.8).
    let upgrade = parts
        .headers
        .get(http::header::UPGRADE)
        .is_some_and(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c"));
    if upgrade || parts.method == Method::CONNECT && parts.uri.scheme().is_some() {
        return Err(RouteError::Upgrade);
    }
    find(&parts.method, &parts.uri, parts.version)
}

/// Refuses what RFC 9112 §3.2 has a server refuse: two hosts, none in HTTP/1.1, or one that is not.
fn refuse_host(parts: &Parts) -> Result<(), RouteError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return if parts.version == Version::HTTP_11 {
            Err(RouteError::Host("it has no `host` header"))
        } else {
            Ok(())
        };
    };
    if hosts.next().is_some() {
        return Err(RouteError::Host("it has more than one `host` header"));
    }
    let host = host.as_bytes();
    if host.is_empty() || (Authority::try_from(host).is_ok() && !host.contains(&b'@')) {
        Ok(())
    } else {
        Err(RouteError::Host("its `host` header names no host"))
    }
}

fn find<'a>(method: &Method, uri: &'a Uri, version: Version) -> Result<Route<'a>, RouteError> {
    if *method == Method::CONNECT {
        return Err(RouteError::BadPath("CONNECT is not served"));
    }
    if version < Version::HTTP_2 && uri.authority().is_some() {
        return Err(RouteError::BadPath(
            "absolute-form request targets are not served",
        ));
    }
    let path = uri.path();
    if path == "*" {
        return Err(RouteError::BadPath("`OPTIONS *` is not served"));
    }
    refuse_ambiguous(path)?;
    match path {
        "/livez" | "/health" => read_only(method, Route::Live),
        "/readyz" => read_only(method, Route::Ready),
        "/hone/whoami" => read_only(method, Route::Whoami),
        _ => match path.strip_prefix("/v1/") {
            Some(rest) if !rest.is_empty() => Ok(Route::Api(rest)),
            _ if is_known(path) => Err(RouteError::MissingVersion),
            _ => Err(RouteError::NotFound),
        },
    }
}

fn read_only<'a>(method: &Method, route: Route<'a>) -> Result<Route<'a>, RouteError> {
    if *method == Method::GET || *method == Method::HEAD {
        Ok(route)
    } else {
        Err(RouteError::Method)
    }
}

fn is_known(path: &str) -> bool {
    let rest = path.trim_start_matches('/');
    KNOWN.iter().any(|known| {
        rest.strip_prefix(known)
            .is_some_and(|tail| tail.is_empty() || tail.starts_with('/'))
    })
}

/// Refuses dot segments, encoded or doubled separators and control bytes, after one percent-decode.
fn refuse_ambiguous(path: &str) -> Result<(), RouteError> {
    if !path.starts_with('/') {
        return Err(RouteError::BadPath("the path must start with `/`"));
    }
    if path.contains("//") {
        return Err(RouteError::BadPath("the path has an empty segment"));
    }
    path.split('/')
        .try_for_each(|segment| refuse_segment(segment.as_bytes()))
}

fn refuse_segment(segment: &[u8]) -> Result<(), RouteError> {
    let (mut length, mut dots) = (0_usize, 0_usize);
    let mut rest = segment;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let mut byte = first;
        if first == b'%' {
            let digits = tail
                .get(..2)
                .ok_or(RouteError::BadPath("the path has a broken percent escape"))?;
            let mut value = [0];
            hex::decode_to_slice(digits, &mut value)
                .map_err(|_not_hex| RouteError::BadPath("the path has a broken percent escape"))?;
            byte = value.first().copied().unwrap_or_default();
            rest = tail.get(2..).unwrap_or_default();
            if byte == b'/' {
                return Err(RouteError::BadPath("the path has an encoded slash"));
            }
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
                return Err(RouteError::BadPath(
                    "the path escapes a character that needs no escape",
                ));
            }
        }
        if byte == b'\\' {
            return Err(RouteError::BadPath("the path has a backslash"));
        }
        if byte.is_ascii_control() {
            return Err(RouteError::BadPath("the path has a control byte"));
        }
        length += 1;
        dots += usize::from(byte == b'.');
    }
    if dots == length && matches!(length, 1 | 2) {
        Err(RouteError::BadPath("the path has a dot segment"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(method: &Method, target: &str) -> Result<String, RouteError> {
        let uri: Uri = target.parse().expect("a request target");
        find(method, &uri, Version::HTTP_11).map(|found| format!("{found:?}"))
    }

    #[test]
    fn everything_below_v1_is_served() {
        assert_eq!(
            at(&Method::POST, "/v1/chat/completions?x=1"),
            Ok(r#"Api("chat/completions")"#.into())
        );
        assert_eq!(
            at(&Method::DELETE, "/v1/files/a%20b"),
            Ok(r#"Api("files/a%20b")"#.into())
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
        ] {
            assert!(
                matches!(at(&Method::GET, target), Err(RouteError::BadPath(_))),
                "{target}"
            );
        }
        for target in ["/v1/...", "/v1/.a", "/v1/a.", "/v1/%2e%2e%2e"] {
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
            Err(RouteError::BadPath(_))
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
        assert_eq!(at(&Method::POST, "/readyz"), Err(RouteError::Method));
    }
}
