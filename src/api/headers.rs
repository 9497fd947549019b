//! Which headers cross the proxy, in either direction.
//!
//! Towards the upstream an allow-list, because a deny-list forwards tomorrow's secret header; no
//! rule can admit a credential slot. Towards the client everything but hop-by-hop fields (RFC 9110
//! §7.6.1), cookies and transport policy, which belong to the upstream's own origin.

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

mod between;

pub(crate) use between::Between;

/// The slots in which credentials travel; they are set from a resolved credential and never copied.
pub(crate) const CREDENTIAL_SLOTS: [HeaderName; 4] =
    [header::AUTHORIZATION, X_API_KEY, API_KEY, X_GOOG_API_KEY];
/// Anthropic's slot.
pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Azure's slot.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// Google's slot.
pub(crate) const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

const FORWARDED: [&str; 8] = [
    "accept",
    "content-type",
    "user-agent",
    "traceparent",
    "tracestate",
    "idempotency-key",
    "http-referer",
    "x-title",
];

/// What nearly every request has and no rule forwards: told apart without a look at the rules.
const OF_EVERY_REQUEST: [HeaderName; 3] =
    [header::AUTHORIZATION, header::CONTENT_LENGTH, header::HOST];

/// What the OpenAI SDKs say of themselves.
const STAINLESS: &str = "x-stainless-";

/// What the name of a header with a secret tends to have in it. No prefix admits such a one.
const SECRETS: [&str; 6] = ["auth", "credential", "key", "password", "secret", "token"];

/// What belongs to one dialect among the headers that clients send, and goes to servers of chat
/// completions all the same, which may speak several.
const OF_DIALECTS: [&str; 4] = ["anthropic-", "openai-", "x-goog-", STAINLESS];

/// What happens to compressed bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// hone reads the answer, so the upstream is asked not to compress it.
    Identity,
    /// hone reads neither body; the client's wishes and codings pass.
    PassThrough,
}

/// Takes out of a client's headers what an upstream has no use for that is asked in another
/// dialect.
pub(crate) fn drop_dialects(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        let mut begins = OF_DIALECTS.iter();
        if begins.any(|begins| name.as_str().starts_with(begins)) {
            headers.remove(name);
        }
    }
}

/// The client's headers that go upstream, `between` these dialects. `extra` names more of them,
/// lower case; an entry that ends in `-` is a prefix, of all such names but those of secrets.
pub(crate) fn towards_upstream(
    client: &HeaderMap,
    between: Between,
    extra: &[String],
    coding: Coding,
) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(client.len() + 2);
    for (name, value) in client {
        if OF_EVERY_REQUEST.contains(name) {
            continue;
        }
        let name_text = name.as_str();
        if is_forwarded(name_text, extra, coding) || between.passes(name_text) {
            out.append(name.clone(), value.clone());
        }
    }
    if coding == Coding::Identity {
        out.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
    out
}

/// Whether a field of this name may go to an upstream with these `extra` fields.
pub(crate) fn may_go_upstream(name: &HeaderName, extra: &[String]) -> bool {
    let name = name.as_str();
    is_forwarded(name, extra, Coding::PassThrough) || Between::may_pass(name)
}

fn is_forwarded(name: &str, extra: &[String], coding: Coding) -> bool {
    if FORWARDED.contains(&name) || matches(STAINLESS, name) {
        return true;
    }
    match name {
        "content-encoding" => true,
        // A part of an answer does not tell what the whole has cost.
        "accept-encoding" | "range" => coding == Coding::PassThrough,
        _ => {
            !extra.is_empty()
                && !is_never_forwarded(name)
                && extra.iter().any(|entry| matches(entry, name))
        }
    }
}

fn matches(entry: &str, name: &str) -> bool {
    // Nearly all entries are ruled out by their first letter.
    if name.as_bytes().first() != entry.as_bytes().first() || !name.starts_with(entry) {
        return false;
    }
    if entry.ends_with('-') {
        !SECRETS.iter().any(|secret| name.contains(secret))
    } else {
        name.len() == entry.len()
    }
}

/// Whether no configuration can forward a field of this name, or those with this prefix:
/// credentials, hone's own headers, framing, and what tells where the client is.
pub(crate) fn is_never_forwarded(name: &str) -> bool {
    name.starts_with("x-hone-")
        || name.starts_with("x-forwarded-")
        || is_hop_by_hop(name)
        || CREDENTIAL_SLOTS.iter().any(|slot| slot.as_str() == name)
        || matches!(
            name,
            "cookie"
                | "forwarded"
                | "x-real-ip"
                | "host"
                | "content-length"
                | "expect"
                | "proxy-authorization"
                | "via"
        )
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What of an answer's headers says nothing of the account that paid for it.
const OF_ANSWERS: [&str; 21] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "vary",
    "x-request-id",
    "x-should-retry",
];

/// Drops what a client says about the account that is charged; with a shared key only the operator
/// may say it.
pub(crate) fn drop_client_account(headers: &mut HeaderMap) {
    headers.remove("openai-organization");
    headers.remove("openai-project");
    headers.remove("x-goog-user-project");
}

/// Puts the caller's name before its `idempotency-key`: with a shared key, two callers with the
/// same one would share an answer. No name has a slash in it, so no two callers have a key in
/// common.
pub(crate) fn keep_apart(headers: &mut HeaderMap, tag: &str) {
    const NAME: &str = "idempotency-key";
    let keys: Vec<Option<HeaderValue>> = headers
        .get_all(NAME)
        .iter()
        .map(|key| HeaderValue::from_bytes(&[tag.as_bytes(), b"/", key.as_bytes()].concat()).ok())
        .collect();
    headers.remove(NAME);
    for key in keys.into_iter().flatten() {
        headers.append(NAME, key);
    }
}

/// Takes out of an upstream's response headers what must not reach the client. Where the operator's
/// key paid, they tell of an account that is not the caller's business.
pub(crate) fn towards_client(headers: &mut HeaderMap, operators_key: bool) {
    let named = headers.get_all(header::CONNECTION);
    let doomed = |name: &&HeaderName| {
        is_dropped(name.as_str(), operators_key)
            || named.iter().any(|line| names(line, name.as_str()))
    };
    let doomed: Vec<HeaderName> = headers.keys().filter(doomed).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// Whether this line of a `Connection` header declares the field to be hop-by-hop.
fn names(line: &HeaderValue, field: &str) -> bool {
    line.as_bytes()
        .split(|byte| *byte == b',')
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(field.as_bytes()))
}

fn is_dropped(name: &str, operators_key: bool) -> bool {
    operators_key && !OF_ANSWERS.contains(&name)
        || is_hop_by_hop(name)
        || name.starts_with("x-hone-")
        // Which pages may read an answer is for whoever they asked to say.
        || name.starts_with("access-control-")
        || matches!(
            name,
            "set-cookie" | "set-cookie2" | "alt-svc" | "strict-transport-security"
        )
}

/// Bytes of the names of codings that are told.
const LONGEST_CODING: usize = 64;

/// What is done to a body beside nothing (RFC 9110 §8.4), as its head says; `None` if it can be
/// read as it is.
pub(crate) fn coding(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let codings = codings.map(<[u8]>::trim_ascii);
    let mut codings =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
    let first = codings.next()?;
    let all: Vec<_> = std::iter::once(first).chain(codings).collect();
    let told = String::from_utf8_lossy(&all.join(&b", "[..])).into_owned();
    Some(told.chars().take(LONGEST_CODING).collect())
}

/// An answer's headers as texts; what is no text is left out.
pub(crate) fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| Some(value.to_str().ok()?.to_owned());
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
        .collect()
}

/// What an upstream says about when to come back: `retry-after-ms`, else `retry-after` in seconds
/// or as a date (RFC 9110 §10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let value = text("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Whether an answer with these headers says that it is a stream of events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let essence = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    essence.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use hone_dialects::Dialect;

    use super::*;

    const CHAT: Between = Between {
        client: Dialect::OpenAiChat,
        upstream: Dialect::OpenAiChat,
        is_spoken: true,
    };

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_listed_headers_go_upstream() {
        let client = headers(&[
            ("accept", "*/*"),
            ("openai-beta", "assistants=v2"),
            ("authorization", "Bearer secret"),
            ("x-api-key", "secret"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-tomorrow", "secret"),
            ("content-length", "12"),
        ]);
        let out = towards_upstream(&client, CHAT, &[], Coding::Identity);
        let names: Vec<&str> = out.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept", "openai-beta", "accept-encoding"]);
        assert_eq!(out["accept-encoding"], "identity");
    }

    #[test]
    fn a_prefix_rule_never_admits_a_credential_slot() {
        let client = headers(&[
            ("x-api-key", "secret"),
            ("x-hone-key", "secret"),
            ("api-key", "secret"),
            ("x-trace", "1"),
            ("x-forwarded-for", "::1"),
        ]);
        let out = towards_upstream(
            &client,
            CHAT,
            &["x-".into(), "api-".into(), "authorization".into()],
            Coding::PassThrough,
        );
        let names: Vec<&str> = out.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-trace"]);
    }

    #[test]
    fn no_prefix_admits_what_is_named_like_a_secret() {
        let client = headers(&[
            ("openai-api-key", "secret"),
            ("openai-beta", "1"),
            ("openai-tomorrow", "1"),
            ("anthropic-auth-token", "secret"),
            ("anthropic-version", "2023-06-01"),
            ("x-stainless-lang", "js"),
            ("x-stainless-key", "secret"),
            ("x-amz-security-token", "secret"),
            ("x-my-secret", "secret"),
            ("x-authenticated-user", "me"),
            ("x-functions-key", "named by the operator"),
            ("x-trace", "1"),
        ]);
        let extra = ["x-".to_owned(), "x-functions-key".to_owned()];
        let out = towards_upstream(&client, CHAT, &extra, Coding::PassThrough);
        let names: Vec<&str> = out.keys().map(HeaderName::as_str).collect();
        assert_eq!(
            names,
            [
                "openai-beta",
                "openai-tomorrow",
                "anthropic-version",
                "x-stainless-lang",
                "x-functions-key",
                "x-trace"
            ]
        );
    }

    #[test]
    fn what_the_connection_header_names_stays_with_the_connection() {
        let mut answer = headers(&[
            ("connection", "X-Secret-Hop, close"),
            ("x-secret-hop", "1"),
            ("x-request-id", "r1"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("x-hone-credential", "client"),
        ]);
        towards_client(&mut answer, false);
        let names: Vec<&str> = answer.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-request-id"]);
    }

    #[test]
    fn the_operators_account_is_not_the_callers_business() {
        let lines = [
            ("x-ratelimit-limit-requests", "9"),
            ("openai-organization", "org-1"),
            ("x-ms-region", "Sweden"),
            ("x-trial-remaining", "3"),
            ("x-openrouter-credits", "4"),
            ("x-account", "acme"),
            ("retry-after", "3"),
        ];
        let mut shared = headers(&lines);
        towards_client(&mut shared, true);
        assert_eq!(
            shared.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["retry-after"]
        );
        let mut own = headers(&lines);
        towards_client(&mut own, false);
        assert_eq!(own.len(), 7);
    }

    #[test]
    fn an_idempotency_key_is_its_tenants_own() {
        let keys = |tag: &str, key: &'static str| {
            let mut lines = headers(&[("idempotency-key", key), ("accept", "*/*")]);
            keep_apart(&mut lines, tag);
            assert_eq!(lines.len(), 2);
            lines["idempotency-key"].clone()
        };
        assert_eq!(keys("alice", "k"), "alice/k");
        assert_ne!(keys("a", "b/c"), keys("b", "b/c"));
        assert_ne!(keys("a", "b-c"), keys("a-b", "c"));
    }

    #[test]
    fn a_body_is_compressed_by_whatever_is_not_identity() {
        let of = |lines: &[&'static str]| {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| ("content-encoding", *line))
                .collect();
            coding(&headers(&lines)).unwrap_or_default()
        };
        for (lines, told) in [
            (&[][..], ""),
            (&["identity"], ""),
            (&["Identity , identity", "", ","], ""),
            (&["gzip"], "gzip"),
            (&["GZip"], "GZip"),
            (&["br, identity"], "br"),
            (&["gzip,gzip"], "gzip, gzip"),
            (&["identity", "zstd", "deflate"], "zstd, deflate"),
            (&["identity;q=0"], "identity;q=0"),
        ] {
            assert_eq!(of(lines), told, "{lines:?}");
        }
    }

    fn after(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        assert_eq!(after("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(
            after("retry-after", "0.5"),
            Some(Duration::from_millis(500))
        );
        assert_eq!(
            after("retry-after-ms", "20"),
            Some(Duration::from_millis(20))
        );
        assert_eq!(
            after("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(after("retry-after", "soon"), None);
        assert_eq!(after("retry-after", "-1"), None);
    }
}
