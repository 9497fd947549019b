//! A request as far as it is understood before its body is.

use http::Method;
use http::request::Parts;

use super::headers::HoneHeaders;
use crate::api::endpoint::{Endpoint, Kind};
use crate::tenant::Principal;

/// What all stages after the caller's identification know of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The client's head.
    pub parts: &'a Parts,
    /// Path below `/v1`.
    pub path: &'a str,
    /// What that path is.
    pub endpoint: Endpoint,
    /// Who asks.
    pub principal: &'a Principal,
    /// What it asks of hone itself.
    pub hone: &'a HoneHeaders,
}

impl RequestHead<'_> {
    /// Whether it asks for models, or for one of them.
    pub fn asks_for_models(&self) -> bool {
        self.endpoint.kind() == Kind::Models && self.parts.method != Method::DELETE
    }
}
