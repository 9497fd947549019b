//! Single values: addresses, durations, names, approaches, choices.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use crate::config::KeyDigest;
use crate::config::choices::Choice;
use crate::config::error::{Wrong, wrong};
use crate::config::file::nearest;

/// Names appear in headers, logs and metric labels.
const LONGEST_NAME: usize = 64;

/// An address and a port.
pub(super) fn socket(text: &str) -> Result<SocketAddr, Wrong> {
    let right = "write an IP address and a port, such as \"127.0.0.1:8000\" or \"[::1]:8000\"";
    text.parse()
        .map_err(|_error| wrong("is not an address with a port", right))
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    let right = "write a network such as \"10.0.0.0/8\", or one address";
    text.parse()
        .or_else(|_not_a_network| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_error| wrong("is not a network", right))
}

/// A value that stands for "no key" in the provider slot.
pub(super) fn placeholder(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Err(wrong(
            "is blank, which means \"no key\" anyway",
            "leave it out",
        ));
    }
    Ok(text.to_owned())
}

/// The name of a host, without a port, or `*`.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    let is_host = text == "*"
        || text
            .parse::<http::uri::Authority>()
            .is_ok_and(|authority| authority.host() == text);
    if is_host {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(wrong(
            "is not the name of a host",
            "write it without scheme and port, such as \"ai.example.com\", or \"*\" for all",
        ))
    }
}

/// The origin of a web page, or `*`.
pub(super) fn origin(text: &str) -> Result<String, Wrong> {
    let authority = text.split_once("://").filter(|(scheme, _)| {
        let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        !scheme.is_empty() && scheme.bytes().all(in_scheme)
    });
    let is_origin = text == "*"
        || authority.is_some_and(|(_, authority)| {
            let parsed = authority.parse::<http::uri::Authority>();
            !authority.contains('@') && parsed.is_ok_and(|parsed| !parsed.host().is_empty())
        });
    if is_origin {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(wrong(
            "is not the origin of a web page",
            "write scheme, host and port as a browser does, without a path, such as \
             \"https://app.example.com\" or \"http://localhost:3000\", or \"*\" for all",
        ))
    }
}

/// The name of a field.
pub(super) fn field(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Err(wrong("is empty", "name a field, such as \"top_n\""));
    }
    Ok(text.to_owned())
}

/// The name of an upstream or a tenant.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(fits) {
        let right = format!("write 1 to {LONGEST_NAME} letters, digits, `-`, `_` and `.`");
        return Err(wrong("is not a name", right));
    }
    Ok(text.to_owned())
}

/// The name of a model, or a glob over such names.
pub(super) fn model(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(wrong(
            "is not the name of a model",
            "write a name such as \"gpt-4o\"",
        ));
    }
    Ok(text.to_owned())
}

/// The digest of a key.
pub(super) fn digest(text: &str) -> Result<KeyDigest, Wrong> {
    text.parse().map_err(|_error| {
        wrong(
            "is not a digest of a key",
            "write \"sha256:…\", the output of `hone key digest`",
        )
    })
}

/// One of the words that `T` may be.
pub(super) fn choice<T: Choice>(text: &str) -> Result<T, Wrong> {
    if let Some((_, value)) = T::NAMES.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<_> = T::NAMES
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let near = nearest(text, T::NAMES.iter().map(|(name, _)| *name))
        .map(|near| format!("did you mean \"{near}\"? "));
    Err(wrong(
        "is not one of the choices",
        format!("{}write {}", near.unwrap_or_default(), names.join(" or ")),
    ))
}

/// A filter of log lines.
pub(super) fn log_filter(text: &str) -> Result<String, Wrong> {
    let right = "write a level such as \"info\", or targets with levels such as \
                 \"info,hone::answer::relay=debug\"";
    EnvFilter::builder()
        .parse(text)
        .map_err(|_error| wrong("is not a log filter", right))?;
    Ok(text.to_owned())
}

/// Scheme, authority and path of a provider.
pub(super) fn base_url(text: &str) -> Result<Uri, Wrong> {
    let right = "write it like \"https://api.openai.com/v1\"";
    // `Uri` drops a fragment silently.
    if text.contains('#') {
        return Err(wrong("has a fragment (#…)", "leave it out"));
    }
    let uri: Uri = text
        .parse()
        .map_err(|_error| wrong("is not a URL", right))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("does not start with http:// or https://", right));
    }
    let Some(authority) = uri.authority() else {
        return Err(wrong("names no host", right));
    };
    if authority.as_str().contains('@') {
        return Err(wrong(
            "contains a user name or password",
            "put the key into fallback_key = { env = \"NAME\" }",
        ));
    }
    if uri.query().is_some() {
        return Err(wrong(
            "has a query (?…)",
            "leave it out: the client's query is passed on",
        ));
    }
    if authority.host().is_empty()
        || (authority.port_u16().is_none() && authority.as_str() != authority.host())
    {
        return Err(wrong(
            "names no host and port that can be connected to",
            right,
        ));
    }
    if is_odd_number(authority.host()) {
        return Err(wrong(
            "has a number for a host that is no address in its plain form",
            "write it like 127.0.0.1",
        ));
    }
    let path = uri.path();
    if path.contains("//")
        || path.contains('%')
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
    {
        return Err(wrong(
            "has a path that is not in its plain form",
            "leave out `//`, `.`, `..` and percent signs",
        ));
    }
    // Without the last slash, a client's path can simply be appended.
    text.trim_end_matches('/')
        .parse()
        .map_err(|_error| wrong("is not a URL", right))
}

/// Whether a resolver could take a host for an address that is not written as one: `127.1`,
/// `0x7f000001`. No name ends in a number (RFC 1123 §2.1).
fn is_odd_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = is_hex.map_or_else(
        || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
        |digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
    );
    is_number && host.parse::<std::net::Ipv4Addr>().is_err()
}
