//! A request as far as it is understood before its body is.

use hone_dialects::Dialect;
use hone_dialects::marks::OWN_RESPONSE;
use hone_dialects::wire::verb::{self, ModelPath};
use http::Method;
use http::request::Parts;

use super::headers::HoneHeaders;
use super::route::RouteError;
use crate::api::dialect;
use crate::api::endpoint::{Endpoint, Kind};
use crate::tenant::Principal;

/// What all stages after the caller's identification know of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    /// The client's head.
    pub(crate) parts: &'a Parts,
    /// Path below `/v1`, or `v1beta/…`.
    pub(crate) path: &'a str,
    /// What that path is.
    pub(crate) endpoint: Endpoint,
    /// In which dialect the client speaks.
    pub(crate) dialect: Dialect,
    /// The model and the verb that the path names, of Google's API.
    pub(crate) call: Option<&'a ModelPath<'a>>,
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

    /// Whether it asks for a response that hone has made, which nobody has stored.
    pub(crate) fn asks_for_hones_response(&self) -> bool {
        let id = self.path.strip_prefix("responses/");
        id.is_some_and(|id| id.starts_with(OWN_RESPONSE))
    }

    /// Whether it asks Google for something that hone does not know.
    pub(crate) fn is_googles_other(&self) -> bool {
        self.dialect == Dialect::Gemini && !self.endpoint.is_listed()
    }

    /// The path that calls `model` instead, where a path names the model.
    pub(crate) fn path_of(&self, model: &str) -> Option<String> {
        let call = self.call?;
        let path = verb::path_of(call.version, model, call.verb);
        let below = path.strip_prefix("/v1/").or(path.strip_prefix('/'));
        below.map(str::to_owned)
    }
}

/// The model and the verb that the path of `parts` names, if `endpoint` is such a call.
///
/// # Errors
///
/// When its model's name cannot be read.
pub(crate) fn call(parts: &Parts, endpoint: Endpoint) -> Result<Option<ModelPath<'_>>, RouteError> {
    if !endpoint.kind().is_google() {
        return Ok(None);
    }
    let call = dialect::call(parts.uri.path());
    let unread = RouteError::BadPath("the name of its model is no text");
    call.map(Some).ok_or(unread)
}
