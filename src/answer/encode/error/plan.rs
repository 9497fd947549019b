//! Approaches and models that cannot be had.
#![deny(clippy::wildcard_enum_match_arm)]

use hone_strategies::{SpecError, SpecErrorKind};
use http::StatusCode;

use super::{ErrorReply, INVALID};
use crate::request::plan::PlanError;

pub(super) fn plan(error: &PlanError) -> ErrorReply {
    match error {
        PlanError::Ambiguous { model, instead } => ErrorReply::invalid(
            "ambiguous_approach",
            format!(
                "The model name `{model}` names an \
                approach twice. Use {instead}."
            ),
        )
        .param("model"),
        PlanError::ApproachNotAllowed { approach } => ErrorReply::forbidden(
            "approach_not_allowed",
            format!(
                "The approach `{approach}` is not allowed for you. `GET /hone/whoami` lists \
                those that are."
            ),
        )
        .param("optillm_approach"),
        PlanError::ApproachInList { model } => {
            let message = format!(
                "`{model}` names an approach, but the models that an approach \
                asks must be plain ones."
            );
            ErrorReply::invalid("invalid_parameter", message)
        }
        PlanError::ApproachNotSupportedHere { approach } => {
            let message = format!(
                "The approach `{approach}` answers chat completions only. Use a \
                plain model name on this path."
            );
            ErrorReply::invalid("approach_not_supported_here", message).param("model")
        }
        PlanError::Disagree => {
            let message = "The body fields `optillm_approach` and `decoding` and the header \
                `x-hone-approach` ask for different approaches. Send one of them.";
            ErrorReply::invalid("approach_conflict", message).param("optillm_approach")
        }
        PlanError::Malformed { place, reason } => {
            let message = format!(
                "Cannot read the approach in {place}: {reason}. Write slugs \
                joined by `&` and `|`, such as `re2&bon`."
            );
            ErrorReply::invalid("invalid_approach", message).param(*place)
        }
        PlanError::ModelNotAllowed { model } => ErrorReply::forbidden(
            "model_not_allowed",
            format!(
                "The model `{model}` is not allowed for you. \
                `GET /hone/whoami` lists those that are."
            ),
        )
        .param("model"),
        PlanError::ModelNotFound { model } => {
            let message = format!("No upstream of this proxy serves the model `{model}`.");
            ErrorReply::new(StatusCode::NOT_FOUND, INVALID, "model_not_found", message)
                .param("model")
        }
        PlanError::UnknownApproach { slug, nearest } => {
            let hint = nearest
                .as_ref()
                .map(|nearest| format!(" Did you mean `{nearest}`?"))
                .unwrap_or_default();
            ErrorReply::invalid(
                "unknown_approach",
                format!(
                    "There is no approach \
                `{slug}`.{hint}"
                ),
            )
            .param("optillm_approach")
        }
    }
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
