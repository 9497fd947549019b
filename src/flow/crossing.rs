//! Where a client and its upstream speak different dialects.

use hone_dialects::Dialect;

use crate::answer::error::ProxyError;
use crate::api::endpoint::Kind;
use crate::request::head::RequestHead;
use crate::request::plan::{PlanError, Route};
use crate::upstream::Upstream;

/// Refuses to forward a request as it is to an upstream that does not speak its dialect.
///
/// # Errors
///
/// [`PlanError::DialectNotSupported`].
pub(super) fn check(head: RequestHead<'_>, route: &Route) -> Result<(), ProxyError> {
    if is_spoken(head, &route.upstream) {
        return Ok(());
    }
    let upstream = &route.upstream;
    Err(PlanError::DialectNotSupported {
        upstream: upstream.name().to_owned(),
        dialect: upstream.config.dialect,
    }
    .into())
}

fn is_spoken(head: RequestHead<'_>, upstream: &Upstream) -> bool {
    let (client, upstream) = (head.dialect, upstream.config.dialect);
    client == upstream
        || head.asks_for_models()
        || match client {
            // What is stored and what nobody knows names no model, and has no dialect.
            Dialect::OpenAiChat => match upstream {
                Dialect::OpenAiChat => true,
                Dialect::OpenAiResponses => head.endpoint.kind() != Kind::Chat,
                Dialect::Anthropic | Dialect::Gemini => {
                    !(head.endpoint.is_listed() && head.endpoint.has_model())
                }
            },
            // Many servers of chat completions speak these, too.
            Dialect::OpenAiResponses | Dialect::Anthropic => upstream == Dialect::OpenAiChat,
            Dialect::Gemini => false,
        }
}
