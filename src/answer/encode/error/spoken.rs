//! hone's errors in a dialect that is not OpenAI's.

use hone_dialects::tables::errors;
use hone_dialects::{Dialect, Spoken};
use hone_strategies::model::Rejection;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{ErrorReply, Retry};
use crate::answer::encode::Reply;
use crate::telemetry::RequestRecord;

impl ErrorReply {
    /// The error in no dialect.
    pub(crate) fn plain(&self, request: &str) -> hone_dialects::ErrorReply {
        hone_dialects::ErrorReply {
            status: self.status.as_u16(),
            message: self.message.clone(),
            code: Some(self.code.to_owned()),
            param: self.param.clone(),
            retry_after: match self.retry {
                Retry::After(wait) => Some(wait),
                Retry::Never | Retry::Unsaid => None,
            },
            request_id: Some(request.to_owned()),
            ..hone_dialects::ErrorReply::default()
        }
    }
}

/// The reply for `error` of this request.
pub(super) fn reply(error: &ErrorReply, request: &str, dialect: Dialect) -> Reply {
    let spoken = errors::speak(dialect, &error.plain(request));
    spoken_reply(spoken, error.headers(), error.status)
}

/// The reply for an upstream's error that came in another dialect than the client's, or that is
/// hone's own reading of it.
pub(super) fn crossed(rejection: &Rejection, record: &RequestRecord, dialect: Dialect) -> Reply {
    let mut error = errors::read(Dialect::OpenAiChat, rejection.status, &rejection.body);
    error.message = format!("{}: {}", record.upstream, error.message);
    error.retry_after = error.retry_after.or(rejection.retry_after);
    error.request_id = Some(record.request.clone());
    let mut headers = HeaderMap::new();
    for (name, value) in &rejection.headers {
        if OF_RETRIES.contains(&&**name)
            && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.try_into())
        {
            headers.insert(name, value);
        }
    }
    let status = StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::BAD_GATEWAY);
    spoken_reply(errors::speak(dialect, &error), headers, status)
}

/// What of a foreign error's head is worth telling.
const OF_RETRIES: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];

fn spoken_reply(spoken: Spoken, mut headers: HeaderMap, status: StatusCode) -> Reply {
    for (name, value) in spoken.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Reply::Document {
        room: None,
        status: StatusCode::from_u16(spoken.status).unwrap_or(status),
        headers,
        body: spoken.body,
    }
}
