//! Cross-origin requests of browsers (the Fetch standard, §3.3): which pages may ask, and what they
//! may read. Cookies are never involved, so credentials are never allowed.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

/// What a page may read beside the headers that every page may. The star covers what is not named,
/// for browsers that know it.
const EXPOSED: &str = "x-hone-request-id, x-hone-credential, x-hone-approach, x-hone-upstream, \
    x-hone-upstream-calls, x-hone-degraded, x-hone-auto, x-hone-hint, x-hone-error, \
    x-hone-limit-source, x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, \
    ratelimit, ratelimit-policy, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, \
    x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, \
    x-ratelimit-reset-tokens, *";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Seconds for which a browser may remember the answer to a preflight.
const MAX_AGE: &str = "7200";
/// What a page may send if it does not say what it wants to. A star does not cover `authorization`.
const HEADERS: &str = "authorization, content-type, *";

/// Whether a request asks, before another one, whether a page may make that.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    let marks = [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD];
    *method == Method::OPTIONS && marks.iter().any(|mark| headers.contains_key(mark))
}

/// Whether a page of `origin` may ask, where these origins may; `*` is all.
pub(crate) fn allows(origins: &[String], origin: &HeaderValue) -> bool {
    let is_it = |allowed: &String| {
        allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
    };
    origins.iter().any(is_it)
}

/// Lets the page that made the request with these headers read its answer, if it is one of
/// `origins`.
pub(crate) fn expose(origins: &[String], request: &HeaderMap, answer: &mut HeaderMap) {
    if origins.is_empty() {
        return;
    }
    answer.append(VARY, HeaderValue::from_static("origin"));
    let Some(allowed) = allowed(origins, request) else {
        return;
    };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    answer.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(EXPOSED),
    );
}

/// What a preflight with these headers is told beside that: `None` if its page may not ask.
pub(crate) fn preflight(origins: &[String], request: &HeaderMap) -> Option<HeaderMap> {
    allowed(origins, request)?;
    let wanted = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let wanted = wanted.filter(|names| is_list(names.as_bytes()));
    let mut answer = HeaderMap::new();
    answer.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(METHODS),
    );
    answer.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.cloned().unwrap_or(HeaderValue::from_static(HEADERS)),
    );
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    let depends = HeaderValue::from_static("access-control-request-headers");
    answer.append(VARY, depends);
    Some(answer)
}

/// The value of `access-control-allow-origin` for a request.
fn allowed(origins: &[String], request: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = request.get_all(ORIGIN).iter();
    let origin = lines.next().filter(|_| lines.next().is_none())?;
    if origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    allows(origins, origin).then(|| origin.clone())
}

/// Whether this is a list of header names, which hone may repeat.
fn is_list(names: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(byte);
    !names.is_empty() && names.iter().all(in_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_a_page_of_a_listed_origin_may_read() {
        let origins = [
            "https://a.example".to_owned(),
            "http://localhost:3000".to_owned(),
        ];
        let told = |origins: &[String], lines: &[(&'static str, &'static str)]| {
            let mut answer = request(&[("vary", "accept-encoding")]);
            expose(origins, &request(lines), &mut answer);
            let allowed = answer.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(
                allowed.is_some(),
                answer.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS)
            );
            assert_eq!(
                answer.get_all(VARY).iter().count(),
                1 + usize::from(!origins.is_empty())
            );
            allowed.map(|value| value.to_str().unwrap().to_owned())
        };
        for origin in [
            "https://a.example",
            "HTTPS://A.example",
            "http://localhost:3000",
        ] {
            assert_eq!(
                told(&origins, &[("origin", origin)]).as_deref(),
                Some(origin)
            );
        }
        for origin in [
            "https://b.example",
            "http://a.example",
            "https://a.example:8443",
            "https://a.example.evil.example",
            "https://evil.example/https://a.example",
            "http://localhost",
            "null",
            "",
        ] {
            assert_eq!(told(&origins, &[("origin", origin)]), None, "{origin}");
            assert_eq!(told(&[], &[("origin", origin)]), None, "{origin}");
            let all = told(&["*".to_owned()], &[("origin", origin)]);
            assert_eq!(all.as_deref(), Some("*"), "{origin}");
        }
        let twice = [
            ("origin", "https://a.example"),
            ("origin", "https://a.example"),
        ];
        assert_eq!(told(&origins, &twice), None);
        assert_eq!(told(&origins, &[]), None);
    }

    #[test]
    fn a_page_may_send_the_headers_that_it_asks_for_by_name() {
        let origins = ["*".to_owned()];
        let told = |wanted: &'static str| {
            let lines = [
                ("origin", "https://a"),
                ("access-control-request-headers", wanted),
            ];
            let answer = preflight(&origins, &request(&lines)).unwrap();
            answer[ACCESS_CONTROL_ALLOW_HEADERS]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(told("authorization,x-hone-key"), "authorization,x-hone-key");
        for odd in ["", "a: b", "a\"b", "a;b"] {
            assert_eq!(told(odd), HEADERS, "{odd}");
        }
    }
}
