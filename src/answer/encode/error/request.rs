//! Requests that are not what hone serves: path, headers and body.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use http::StatusCode;

use super::{ErrorReply, INVALID, Retry, SERVER};
use crate::api::hops::Loop;
use crate::request::envelope::EnvelopeError;
use crate::request::form::FormError;
use crate::request::intake::IntakeError;
use crate::request::intake::form::UnreadForm;
use crate::request::route::RouteError;
use crate::telemetry::Blame;

pub(super) fn route(error: &RouteError) -> ErrorReply {
    match error {
        RouteError::BadPath(reason) => ErrorReply::invalid(
            "invalid_path",
            format!("This request target is not served: {reason}."),
        ),
        RouteError::Host(reason) => ErrorReply::invalid(
            "invalid_host",
            format!("This request is not served: {reason}."),
        ),
        RouteError::Alias(known) => {
            let message = format!(
                "This path is not `/v1/{known}`, but another server could take it for that. \
                    Write it exactly so."
            );
            ErrorReply::invalid("invalid_path", message)
        }
        RouteError::Method(allowed) => {
            let message = format!("This method is not served at this path. Served: {allowed}.");
            ErrorReply {
                allow: Some(allowed.clone()),
                ..ErrorReply::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    INVALID,
                    "method_not_allowed",
                    message,
                )
            }
        }
        RouteError::MissingVersion => {
            let message = "This path lacks `/v1`. Set the client's base URL to this server's \
                address followed by `/v1`, for example http://localhost:8000/v1.";
            ErrorReply::new(StatusCode::NOT_FOUND, INVALID, "missing_v1", message)
        }
        RouteError::NotFound => ErrorReply::new(
            StatusCode::NOT_FOUND,
            INVALID,
            "not_found",
            "Nothing is served at this path. The API is below `/v1`.",
        ),
        RouteError::NotStored => ErrorReply::new(
            StatusCode::NOT_FOUND,
            INVALID,
            "response_not_found",
            "This response was not stored: an approach or another dialect's provider made it.",
        ),
        RouteError::Upgrade => no_upgrade(
            StatusCode::NOT_IMPLEMENTED,
            "upgrade_not_supported",
            "This proxy does not switch protocols; WebSocket endpoints are not served.",
        ),
        RouteError::WebSocket => no_upgrade(
            StatusCode::UPGRADE_REQUIRED,
            "websocket_not_supported",
            "Responses are served over HTTP, not over a WebSocket. Send the request by POST.",
        ),
    }
}

fn no_upgrade(status: StatusCode, code: &'static str, message: &str) -> ErrorReply {
    ErrorReply::new(status, INVALID, code, message).blame(Blame::Client)
}

pub(super) fn preflight(is_set: bool) -> ErrorReply {
    let message = if is_set {
        "Pages of this origin may not use this proxy from a browser. Its operator lists origins in \
            `cors_origins`."
    } else {
        "No web page may use this proxy from a browser, unless its operator lists the page's \
            origin in `cors_origins`."
    };
    ErrorReply::forbidden("origin_not_allowed", message)
}

pub(super) fn circle(error: Loop) -> ErrorReply {
    let (message, blame) = match error {
        Loop::Again => (
            "This request has passed this proxy before: an upstream of it leads back to it. Its \
                operator has to correct `base_url`.",
            Blame::Proxy,
        ),
        // The client may have written the names itself.
        Loop::TooLong => ("This request has passed too many proxies.", Blame::Client),
    };
    ErrorReply::new(StatusCode::LOOP_DETECTED, SERVER, "loop_detected", message)
        .blame(blame)
        .retry(Retry::Never)
}

pub(super) fn envelope(error: &EnvelopeError) -> ErrorReply {
    match error {
        EnvelopeError::ByteOrderMark { charset } => {
            let message = format!(
                "The body begins with a byte order mark (U+FEFF), which JSON may not have: it is \
                    written in {charset}. Send UTF-8 without the mark."
            );
            ErrorReply::invalid("invalid_json", message)
        }
        EnvelopeError::DuplicateField { name } => ErrorReply::invalid(
            "duplicate_field",
            format!(
                "`{name}` is given more than once, so it is unclear which one counts. Send it once."
            ),
        )
        .param(name),
        EnvelopeError::InvalidJson { line, column } => ErrorReply::invalid(
            "invalid_json",
            format!("The body is not valid JSON: line {line}, column {column}."),
        ),
        EnvelopeError::InvalidUtf8 { at } => ErrorReply::invalid(
            "invalid_json",
            format!("The body is not valid UTF-8 at byte {at}."),
        ),
        EnvelopeError::NotAnObject => {
            ErrorReply::invalid("invalid_json", "The body must be a JSON object.")
        }
        EnvelopeError::WrongType { name, expected } => {
            ErrorReply::invalid("invalid_type", format!("`{name}` must be {expected}."))
                .param(*name)
        }
    }
}

fn too_heavy(limit: usize) -> ErrorReply {
    let message = format!(
        "An approach works with the body's lists and objects, and these take more than {limit} \
            bytes of memory. Send fewer of them, or ask without an approach."
    );
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    ErrorReply::new(status, INVALID, "body_too_large", message)
}

/// A form whose model must be known, and is not.
fn form(unread: &UnreadForm) -> ErrorReply {
    let large = |message| {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        ErrorReply::new(status, INVALID, "body_too_large", message).param("model")
    };
    match unread {
        UnreadForm::Behind(bytes) => large(format!(
            "Which upstream gets this form depends on its field `model`, and the first {bytes} \
                bytes have none. Put `model` before the file."
        )),
        UnreadForm::TooLarge(bytes) => large(format!(
            "You may use some models only, or have no key of your own, so hone reads all of this \
                form, and it is larger than {bytes} bytes."
        )),
        UnreadForm::Form(FormError::Field(what)) => super::fallback_field(what),
        UnreadForm::Form(FormError::List(name)) => not_one_model(name),
        UnreadForm::Form(FormError::Twice) => ErrorReply::invalid(
            "duplicate_field",
            "`model` is given more than once, so it is unclear which one counts. Send it once.",
        )
        .param("model"),
        UnreadForm::Form(FormError::TooLong(bytes)) => ErrorReply::invalid(
            "invalid_model",
            format!("The field `model` has more than {bytes} bytes, which no model's name has."),
        )
        .param("model"),
        UnreadForm::Form(FormError::Unclear(why)) => {
            let message = format!(
                "hone must read the fields of this form (`multipart/form-data`), and cannot: {why}."
            );
            ErrorReply::invalid("invalid_form", message)
        }
    }
}

fn wrong_type(message: &str) -> ErrorReply {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    ErrorReply::new(status, INVALID, "unsupported_media_type", message)
}

fn not_one_model(field: &str) -> ErrorReply {
    let message = format!(
        "You may use some models only, and the field `{field}` could name others. Name one in \
            `model`."
    );
    ErrorReply::forbidden("model_not_allowed", message).param(field)
}

pub(super) fn intake(error: &IntakeError) -> ErrorReply {
    let of = |status, code, message: String| ErrorReply::new(status, INVALID, code, message);
    match error {
        IntakeError::Broken(_) => ErrorReply::invalid(
            "body_incomplete",
            "The connection closed before the whole body arrived.",
        ),
        IntakeError::Encoded(coding) => {
            let message = format!(
                "This body is compressed (`content-encoding: {coding}`), and hone must read it: \
                    send it uncompressed, without `content-encoding`."
            );
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            of(status, "unsupported_encoding", message)
        }
        IntakeError::Form(unread) => form(unread),
        IntakeError::Idle(limit) => of(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("No byte of the body arrived for {} s.", limit.as_secs()),
        ),
        IntakeError::NoForm => wrong_type(
            "Which upstream gets this request depends on its model, which hone finds in \
                `application/json` and in `multipart/form-data`: send one of these.",
        ),
        IntakeError::NoLength => {
            let message = "This request counts by its length, so it needs `content-length` or \
                `content-type: application/json`.";
            of(
                StatusCode::LENGTH_REQUIRED,
                "length_required",
                message.to_owned(),
            )
        }
        IntakeError::NotJson => {
            wrong_type("hone must read this request, so it needs `content-type: application/json`.")
        }
        IntakeError::Overloaded => ErrorReply::overloaded(
            "This proxy holds as many request bodies as it may. Try again shortly.",
            Duration::from_secs(1),
        ),
        IntakeError::Slow(limit) => of(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("The body was not complete within {} s.", limit.as_secs()),
        ),
        IntakeError::TenantFull(limit) => {
            let message = format!(
                "Your requests under way hold as much memory as one caller's may, {limit} bytes. \
                    Wait for some to end."
            );
            let retry = Retry::After(Duration::from_secs(1));
            ErrorReply::limited("hone", "concurrency_limit_exceeded", message, retry)
        }
        IntakeError::TooHeavy(limit) => too_heavy(*limit),
        IntakeError::TooLarge(limit) => of(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is larger than {limit} bytes."),
        ),
    }
}
