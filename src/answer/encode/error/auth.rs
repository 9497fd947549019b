//! Keys that are missing, unknown, or in the wrong place.
#![deny(clippy::wildcard_enum_match_arm)]

use http::StatusCode;

use super::{ErrorReply, SERVER};
use crate::api::endpoint::BETA;
use crate::telemetry::Blame;
use crate::tenant::{AuthError, FallbackRefusal, NotLocal, QueryRefused, Sent, SlotError};

pub(super) fn auth(error: &AuthError) -> ErrorReply {
    match error {
        AuthError::EndpointNotAllowed => {
            let message = "You may use some models only, and so only endpoints whose requests name \
                one model. docs/endpoints.md lists them.";
            ErrorReply::forbidden("endpoint_not_allowed", message)
        }
        AuthError::FallbackPathNotAllowed { method, path, .. } => {
            let version = if path.starts_with(BETA) { "/" } else { "/v1/" };
            let message = format!(
                "The fallback key of this proxy is shared and does not serve {method} \
                    {version}{path}. Send your own provider key."
            );
            ErrorReply::forbidden("fallback_path_not_allowed", message)
        }
        AuthError::Foreign { unmet } => {
            let what = if *unmet == NotLocal::Host {
                "names a host that is not this machine's"
            } else {
                "comes from a web page of another site"
            };
            let message = format!(
                "This request {what}, and the upstream asks for no key, so that any page in a \
                    browser here could use it. `hosts` allows hosts, and `cors_origins` pages."
            );
            ErrorReply::forbidden("foreign_page", message)
        }
        AuthError::NoCredential {
            upstream,
            header,
            sent,
            fallback,
        } => ErrorReply::unauthorized(
            "invalid_api_key",
            no_credential(upstream, header, *sent, *fallback),
        ),
        AuthError::NoKey => {
            let message =
                format!("This proxy admits known keys only, and the request carries none. {SLOTS}");
            ErrorReply::unauthorized("invalid_api_key", message)
        }
        AuthError::Slot(error) => slot(error),
        AuthError::TwoTenants { .. } => ErrorReply::invalid(
            "conflicting_keys",
            "The request carries gateway keys of two tenants. Send one of them.",
        ),
        AuthError::UnknownKey => ErrorReply::unauthorized(
            "unknown_key",
            "This proxy admits known keys only, and this key is not one of them. Ask its operator."
                .to_owned(),
        ),
        AuthError::UnknownUpstream { header } => ErrorReply::invalid(
            "unknown_upstream",
            format!(
                "Header `{header}` carries a key for an upstream that this proxy does not have."
            ),
        )
        .param(header),
        AuthError::UnusableKey { .. } => unusable(),
    }
}

fn unusable() -> ErrorReply {
    let message = "This proxy's key for the upstream cannot be sent in a header. The operator has \
        to replace it.";
    ErrorReply::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        SERVER,
        "unusable_key",
        message,
    )
    .blame(Blame::Proxy)
}

/// Where keys are looked for.
const SLOTS: &str = "Keys are read from `Authorization: Bearer …`, `x-api-key`, `api-key`, \
    `x-goog-api-key` and `x-hone-key`.";

/// What was looked at, and what would help.
fn no_credential(upstream: &str, header: &str, sent: Sent, fallback: FallbackRefusal) -> String {
    let found = match sent {
        Sent::KeyForAnother => {
            format!(
                "The provider key of this request is not for the upstream `{upstream}`: send that \
                    provider's key in `{header}`."
            )
        }
        Sent::Nothing => {
            format!(
                "No provider key was sent. {SLOTS} Set your provider's key in the client, as you \
                    would without this proxy."
            )
        }
    };
    let operators = match fallback {
        FallbackRefusal::NeedsGatewayKey => {
            " This proxy has a fallback key for callers that send a gateway key in `x-hone-key`."
        }
        FallbackRefusal::NotConfigured => "",
        FallbackRefusal::NotLocal(_) => {
            " This proxy has a fallback key for callers on its own machine; this request does not \
                count as local."
        }
    };
    format!("{found}{operators}")
}

fn slot(error: &SlotError) -> ErrorReply {
    match error {
        SlotError::Conflict { first, second } => ErrorReply::invalid(
            "conflicting_keys",
            format!("`{first}` and `{second}` hold different keys. Send the key once."),
        ),
        SlotError::LostGatewayKey { slot } => ErrorReply::unauthorized(
            "invalid_gateway_key",
            format!(
                "`{slot}` holds a gateway key that this proxy does not know, or knows no longer. \
                    It was not sent to any provider. Ask the operator for a new one."
            ),
        ),
        SlotError::Misplaced { place } => ErrorReply::invalid(
            "misplaced_gateway_key",
            format!(
                "A gateway key stands among other text in {place}. It was not sent to any \
                    provider. Send the key alone, in `x-hone-key`."
            ),
        ),
        SlotError::NotBearer => ErrorReply::invalid(
            "invalid_authorization",
            "`Authorization` must be `Bearer` followed by the key.",
        )
        .param("authorization"),
        SlotError::Query(refused) => query(*refused),
        SlotError::Repeated { slot } => ErrorReply::invalid(
            "repeated_key",
            format!("`{slot}` is given more than once. Send it once."),
        )
        .param(slot.as_str()),
        SlotError::Revoked { slot } => ErrorReply::unauthorized(
            "revoked_key",
            format!(
                "`{slot}` holds a key that the operator of this proxy has revoked. It was not sent \
                    to any provider. Ask the operator for a new one."
            ),
        ),
        SlotError::UnknownGatewayKey => {
            let message = "`x-hone-key` holds a key that this proxy does not know. It is for the \
                gateway keys of this proxy's operator; a provider key goes into `Authorization: \
                Bearer …`.";
            ErrorReply::unauthorized("invalid_gateway_key", message.to_owned())
        }
    }
}

fn query(refused: QueryRefused) -> ErrorReply {
    match refused {
        QueryRefused::DifferentKeys => ErrorReply::invalid(
            "conflicting_keys",
            "The query holds different keys. Send the key once, best in `x-goog-api-key`.",
        ),
        QueryRefused::Token => ErrorReply::invalid(
            "invalid_authorization",
            "Send an access token as `Authorization: Bearer …`, not in the query.",
        ),
        QueryRefused::Unusable => ErrorReply::invalid(
            "invalid_authorization",
            "The key in the query has characters that no key has.",
        ),
    }
}
