//! What an upstream's refusal says, whatever its dialect.

use bytes::Bytes;
use hone_dialects::Dialect;
use hone_dialects::tables::errors;
use hone_strategies::ModelError;
use hone_strategies::chat::Failure;
use hone_strategies::model::{NativeRejection, Rejection};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;

use super::growth::Growth;
use super::{HttpModel, broken};
use crate::api::{account, headers};
use crate::tenant::Taken;
use crate::upstream::body::{AnswerBody, Idle};

impl HttpModel {
    /// The error that `response` tells.
    pub(super) async fn rejection(
        &self,
        response: Response<AnswerBody>,
    ) -> Result<Rejection, ModelError> {
        let (mut parts, body) = response.into_parts();
        let retry_after = headers::retry_after(&parts.headers);
        let operators_key = self.credential.is_operators();
        headers::towards_client(&mut parts.headers, operators_key);
        let (mut body, taken) = self.collect(body).await?;
        // The run may hold it to its end, and give it to the client.
        if let Some(taken) = taken {
            taken.keep();
        }
        let (mut status, mut native) = (parts.status.as_u16(), None);
        let dialect = self.upstream.config.dialect;
        if !is_chats(dialect) {
            let told = errors::read(dialect, status, &body);
            native = (!operators_key).then(|| NativeRejection {
                dialect,
                status,
                content_type: content_type(&parts.headers),
                body: std::mem::take(&mut body),
            });
            status = told.status;
            body = Bytes::from(errors::openai(&told).to_string());
            let json = HeaderValue::from_static("application/json");
            parts.headers.insert(CONTENT_TYPE, json);
        }
        if operators_key {
            body = account::rewrite(&mut parts.headers, &body);
        }
        let lines = headers::lines(&parts.headers);
        let mut rejection = Rejection::new(status, lines, body).asking_to_wait(retry_after);
        rejection.native = native.map(Box::new);
        Ok(rejection)
    }

    /// An error's bytes, with their memory.
    async fn collect(&self, body: AnswerBody) -> Result<(Bytes, Option<Taken>), ModelError> {
        let mut body = Idle::new(body, self.bounds.stream_idle);
        let mut document = Growth::new(Some(&self.room), self.bounds.answer_bytes).document()?;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() {
                document.push(&data)?;
            }
        }
        Ok(document.finish())
    }
}

/// What a failure is that an upstream tells in place of an answer.
pub(super) fn failed(failure: Failure, is_operators: bool) -> ModelError {
    let Failure { status, mut body } = failure;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_operators {
        body = account::rewrite(&mut headers, &body);
    }
    let rejection = Box::new(Rejection::new(status, headers::lines(&headers), body));
    if status == 429 {
        ModelError::RateLimited(rejection)
    } else {
        ModelError::Rejected(rejection)
    }
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str();
    kind.ok().map(str::to_owned)
}

/// Whether an upstream of `dialect` speaks chat's errors.
fn is_chats(dialect: Dialect) -> bool {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => true,
        Dialect::Anthropic | Dialect::Gemini => false,
    }
}
