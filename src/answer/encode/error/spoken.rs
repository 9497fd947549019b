//! hone's errors in a dialect that is not OpenAI's.

use hone_dialects::Dialect;
use hone_dialects::tables::errors;
use http::{HeaderValue, StatusCode};

use super::{ErrorReply, Retry};
use crate::answer::encode::Reply;

/// The reply for `error` of this request.
pub(super) fn reply(error: &ErrorReply, request: &str, dialect: Dialect) -> Reply {
    let retry_after = match error.retry {
        Retry::After(wait) => Some(wait),
        Retry::Never | Retry::Unsaid => None,
    };
    let spoken = errors::speak(
        dialect,
        &hone_dialects::ErrorReply {
            status: error.status.as_u16(),
            message: error.message.clone(),
            code: Some(error.code.to_owned()),
            param: error.param.clone(),
            retry_after,
            request_id: Some(request.to_owned()),
            ..hone_dialects::ErrorReply::default()
        },
    );
    let mut headers = error.headers();
    for (name, value) in spoken.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Reply::Document {
        room: None,
        status: StatusCode::from_u16(spoken.status).unwrap_or(error.status),
        headers,
        body: spoken.body,
    }
}
