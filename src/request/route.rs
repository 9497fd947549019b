//! What a request's method and path ask for.
//!
//! Paths that two parsers could read differently are refused rather than repaired: the upstream
//! must see exactly the path that was authenticated, limited and planned here.

use hone_dialects::Dialect;
use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, Uri};
use http::{Method, Version};

use crate::api::dialect;
use crate::api::endpoint::{self, Endpoint, NotServed};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A path below `/v1`, without that prefix, or one of `v1beta/…`, with it; without the query.
    /// And what it is.
    Api(&'a str, Endpoint),
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
    /// The path could be taken for this one, though it is not spelled like it.
    #[error("the path could be taken for /v1/{0}")]
    Alias(&'static str),
    /// The method is not known at this path; these are.
    #[error("method not allowed; allowed are {0}")]
    Method(String),
    /// A path of the OpenAI API without `/v1`.
    #[error("the path lacks /v1")]
    MissingVersion,
    /// Nothing is served here.
    #[error("no such path")]
    NotFound,
    /// It asks for a response that hone has made, which nobody has stored.
    #[error("a response of hone's own, which is not stored")]
    NotStored,
    /// The client asks for another protocol on this connection.
    #[error("upgrade requested")]
    Upgrade,
    /// The same, where the client would go on without it if it is told so.
    #[error("a WebSocket requested for a response")]
    WebSocket,
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
pub fn route(parts: &Parts) -> Result<Resource<'_>, RouteError> {
    refuse_host(parts)?;
    // A client that offers HTTP/2 is content with HTTP/1 (RFC 9110 §7.8).
    let upgrade = parts
        .headers
        .get(http::header::UPGRADE)
        .is_some_and(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c"));
    if upgrade || parts.method == Method::CONNECT && parts.uri.scheme().is_some() {
        return Err(match dialect::of(parts) {
            // Codex asks by POST at once after a 426, and after seconds or never otherwise.
            Dialect::OpenAiResponses => RouteError::WebSocket,
            _ => RouteError::Upgrade,
        });
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
    if host.is_empty()
        || is_plain_host(host)
        || (Authority::try_from(host).is_ok() && !host.contains(&b'@'))
    {
        Ok(())
    } else {
        Err(RouteError::Host("its `host` header names no host"))
    }
}

/// Whether this is a name or an IPv4 address, with or without a port. Nearly all hosts are, and
/// those need no parser that copies them.
fn is_plain_host(host: &[u8]) -> bool {
    let colon = memchr::memchr(b':', host);
    let (name, port) = host.split_at(colon.unwrap_or(host.len()));
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let has_port = || port.len() > 1 && port.iter().skip(1).all(u8::is_ascii_digit);
    !name.is_empty() && name.iter().all(is_name) && (port.is_empty() || has_port())
}

fn find<'a>(method: &Method, uri: &'a Uri, version: Version) -> Result<Resource<'a>, RouteError> {
    let path = uri.path();
    if path == "*" {
        return Err(RouteError::BadPath("`OPTIONS *` is not served"));
    }
    if !endpoint::is_forwarded(method) {
        return Err(RouteError::Method(endpoint::forwarded()));
    }
    if version < Version::HTTP_2 && uri.authority().is_some() {
        return Err(RouteError::BadPath(
            "absolute-form request targets are not served",
        ));
    }
    refuse_ambiguous(path)?;
    match path {
        "/livez" | "/health" => read_only(method, Resource::Live),
        "/readyz" => read_only(method, Resource::Ready),
        "/hone/whoami" => read_only(method, Resource::Whoami),
        _ => match path.strip_prefix("/v1/") {
            Some(rest) if !rest.is_empty() => below_v1(method, rest),
            None if path.starts_with("/v1beta/") => below_beta(method, path),
            _ if is_known(path) => Err(RouteError::MissingVersion),
            _ => Err(RouteError::NotFound),
        },
    }
}

fn below_v1<'a>(method: &Method, path: &'a str) -> Result<Resource<'a>, RouteError> {
    let endpoint = Endpoint::of(method, path)?;
    // Below `/v1` it would be another endpoint than hone takes it for.
    if !endpoint.is_listed() && path.starts_with(endpoint::BETA) {
        return Err(RouteError::NotFound);
    }
    Ok(Resource::Api(path, endpoint))
}

/// What is below Google's `/v1beta`.
fn below_beta<'a>(method: &Method, path: &'a str) -> Result<Resource<'a>, RouteError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let rest = path.strip_prefix(endpoint::BETA).unwrap_or_default();
    if rest.is_empty() {
        return Err(RouteError::NotFound);
    }
    Ok(Resource::Api(path, Endpoint::of_beta(method, rest)?))
}

impl From<NotServed> for RouteError {
    fn from(error: NotServed) -> Self {
        match error {
            NotServed::Alias(known) => Self::Alias(known),
            NotServed::Method(methods) => Self::Method(methods),
        }
    }
}

fn read_only<'a>(method: &Method, route: Resource<'a>) -> Result<Resource<'a>, RouteError> {
    if *method == Method::GET || *method == Method::HEAD {
        Ok(route)
    } else {
        Err(RouteError::Method("GET, HEAD".to_owned()))
    }
}

fn is_known(path: &str) -> bool {
    let rest = path.trim_start_matches('/');
    KNOWN.iter().any(|known| {
        rest.strip_prefix(known)
            .is_some_and(|tail| tail.is_empty() || tail.starts_with('/'))
    })
}

/// Where a segment may have an encoded slash: a model's name may have one.
const MODELS: [&str; 2] = ["/v1/models/", "/v1beta/models/"];

/// Refuses dot segments and blank ones, encoded or doubled separators and control bytes, after one
/// percent-decode.
fn refuse_ambiguous(path: &str) -> Result<(), RouteError> {
    if !path.starts_with('/') {
        return Err(RouteError::BadPath("the path must start with `/`"));
    }
    if path.contains("//") {
        return Err(RouteError::BadPath("the path has an empty segment"));
    }
    // Of these nothing is ambiguous, and nearly all paths have no others.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    if path.bytes().all(is_plain) {
        return Ok(());
    }
    let model = MODELS
        .iter()
        .find_map(|models| Some((*models, path.strip_prefix(models)?)));
    let (plain, model) = model.unwrap_or((path, ""));
    plain
        .split('/')
        .try_for_each(|segment| refuse_segment(segment.as_bytes(), Slash::Refused))?;
    model
        .split('/')
        .try_for_each(|segment| refuse_segment(segment.as_bytes(), Slash::Encoded))
}

/// Whether a slash may stand in a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Encoded,
    Refused,
}

fn refuse_segment(segment: &[u8], slash: Slash) -> Result<(), RouteError> {
    let mut shape = Shape::default();
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
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
                return Err(RouteError::BadPath(
                    "the path escapes a character that needs no escape",
                ));
            }
        }
        match byte {
            b'/' if slash == Slash::Refused => {
                return Err(RouteError::BadPath("the path has an encoded slash"));
            }
            b'/' => {
                shape.refuse()?;
                shape = Shape {
                    is_begun: true,
                    ..Shape::default()
                };
            }
            b'\\' => return Err(RouteError::BadPath("the path has a backslash")),
            byte if byte.is_ascii_control() => {
                return Err(RouteError::BadPath("the path has a control byte"));
            }
            byte => shape.add(byte),
        }
    }
    shape.refuse()
}

/// What is left of a segment for a server that cuts it at a `;` and trims spaces.
#[derive(Default)]
struct Shape {
    /// Whether there is anything at all: a path may end in a slash.
    is_begun: bool,
    is_cut: bool,
    length: usize,
    dots: usize,
}

impl Shape {
    fn add(&mut self, byte: u8) {
        self.is_begun = true;
        self.is_cut |= byte == b';';
        if !self.is_cut && byte != b' ' {
            self.length += 1;
            self.dots += usize::from(byte == b'.');
        }
    }

    fn refuse(&self) -> Result<(), RouteError> {
        if self.dots == self.length && matches!(self.length, 1 | 2) {
            Err(RouteError::BadPath("the path has a dot segment"))
        } else if self.is_begun && self.length == 0 {
            Err(RouteError::BadPath("the path has a blank segment"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
