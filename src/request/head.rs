//! A request as far as it is understood before its body is.

use http::Method;
use http::request::Parts;

use super::headers::HoneHeaders;
use crate::api::endpoint::{Endpoint, Kind};
use crate::tenant::Principal;

/// What all stages after the caller's identification know of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    /// The client's head.
    pub(crate) parts: &'a Parts,
    /// Path below `/v1`.
    pub(crate) path: &'a str,
    /// What that path is.
    pub(crate) endpoint: Endpoint,
    /// Who asks.
    pub(crate) principal: &'a Principal,
    /// What it asks of hone itself.
    pub(crate) hone: &'a HoneHeaders,
}

impl RequestHead<'_> {
    /// Whether it asks for models, or for one of them.
    pub(crate) fn asks_for_models(&self) -> bool {
        self.endpoint.kind() == Kind::Models && self.parts.method != Method::DELETE
    }
}
