//! Approaches and models that cannot be had.
#![deny(clippy::wildcard_enum_match_arm)]

use hone_dialects::Dialect;
use hone_strategies::{SpecError, SpecErrorKind};
use http::StatusCode;

use super::{ErrorReply, INVALID};
use crate::request::plan::{LONGEST_MODEL, PlanError};

pub(super) fn plan(error: &PlanError) -> ErrorReply {
    match error {
        PlanError::Ambiguous { model, instead } => {
            let message =
                format!("The model name `{model}` names an approach twice. Use {instead}.");
            ErrorReply::invalid("ambiguous_approach", message).param("model")
        }
        PlanError::ApproachNotAllowed { approach } => {
            not_allowed("approach_not_allowed", "approach", approach).param("optillm_approach")
        }
        PlanError::ApproachInList { model } => {
            let message = format!(
                "`{model}` names an approach, but the models that an approach asks must be plain \
                 ones."
            );
            ErrorReply::invalid("invalid_parameter", message)
        }
        PlanError::ApproachNotSupportedHere { approach } => not_supported_here(approach),
        PlanError::DialectNotSupported { upstream, dialect } => crossing(upstream, *dialect),
        PlanError::Disagree => {
            let message = "The body fields `optillm_approach` and `decoding` and the header \
                           `x-hone-approach` ask for different approaches. Send one of them.";
            ErrorReply::invalid("approach_conflict", message).param("optillm_approach")
        }
        PlanError::Malformed { place, reason } => {
            let message = format!(
                "Cannot read the approach in {place}: {reason}. Write slugs joined by `&` and \
                 `|`, such as `re2&bon`."
            );
            ErrorReply::invalid("invalid_approach", message).param(*place)
        }
        PlanError::ModelNotAllowed { model } => {
            not_allowed("model_not_allowed", "model", model).param("model")
        }
        PlanError::NoUpstream => ErrorReply::internal(),
        PlanError::ModelNotFound { model } => {
            let message = format!("No upstream of this proxy serves the model `{model}`.");
            ErrorReply::new(StatusCode::NOT_FOUND, INVALID, "model_not_found", message)
                .param("model")
        }
        PlanError::ModelTooLong { length } => {
            let message = format!(
                "The name of a model has at most {LONGEST_MODEL} bytes; this one has {length}."
            );
            ErrorReply::invalid("invalid_model", message).param("model")
        }
        PlanError::UnknownApproach { slug, nearest } => unknown(slug, nearest.as_deref()),
    }
}

fn crossing(upstream: &str, dialect: Dialect) -> ErrorReply {
    let instead = match dialect {
        Dialect::OpenAiChat => "OpenAI's chat completions: send this to `/v1/chat/completions`",
        Dialect::OpenAiResponses => "OpenAI's Responses: send this to `/v1/responses`",
        Dialect::Anthropic => "Anthropic's Messages: send this to `/v1/messages`",
        Dialect::Gemini => {
            "Google's Gemini API: send this to `/v1beta/models/MODEL:generateContent`"
        }
    };
    let message = format!(
        "The upstream `{upstream}` does not serve this endpoint. It speaks {instead}, or ask for a \
         model of another upstream."
    );
    ErrorReply::invalid("dialect_not_supported", message).param("model")
}

fn not_supported_here(approach: &str) -> ErrorReply {
    let message = format!(
        "The approach `{approach}` does not answer here. Approaches answer at \
         `/v1/chat/completions`, `/v1/responses`, `/v1/messages` and Google's `generateContent`. \
         On this path, use a plain model name."
    );
    ErrorReply::invalid("approach_not_supported_here", message).param("model")
}

fn not_allowed(code: &'static str, kind: &str, name: &str) -> ErrorReply {
    let message = format!(
        "The {kind} `{name}` is not allowed for you. `GET /hone/whoami` lists those that are."
    );
    ErrorReply::forbidden(code, message)
}

fn unknown(slug: &str, nearest: Option<&str>) -> ErrorReply {
    let hint = nearest.map(|nearest| format!(" Did you mean `{nearest}`?"));
    let message = format!("There is no approach `{slug}`.{}", hint.unwrap_or_default());
    ErrorReply::invalid("unknown_approach", message).param("optillm_approach")
}

pub(super) fn spec(error: &SpecError) -> ErrorReply {
    let code = match error.kind {
        SpecErrorKind::BadParam => "invalid_parameter",
        SpecErrorKind::TooMany => "approach_too_large",
        SpecErrorKind::UnknownSlug { .. } => "unknown_approach",
    };
    ErrorReply {
        param: error.param.clone(),
        ..ErrorReply::invalid(code, error.message.clone())
    }
}
