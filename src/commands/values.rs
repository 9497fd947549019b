//! Values of options that several commands take.

use std::net::SocketAddr;

use serde_json::Value;

use crate::config::{AuthSlot, Choice};

pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_error| "expected an IP address and a port, such as 127.0.0.1:8000 or [::1]:8000")
}

pub(super) fn auth_slot(text: &str) -> Result<AuthSlot, String> {
    AuthSlot::named(text)
        .ok_or_else(|| "expected bearer, x-api-key, api-key, x-goog-api-key or none".to_owned())
}

/// `name=value`, where a value that is a number, `true`, `false`, or a JSON list or object is one,
/// and anything else is a string.
pub(super) fn param(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("expected NAME=VALUE")?;
    let literal = serde_json::from_str(value)
        .ok()
        .filter(|value: &Value| !value.is_null() && !value.is_string());
    Ok((name.to_owned(), literal.unwrap_or_else(|| value.into())))
}
