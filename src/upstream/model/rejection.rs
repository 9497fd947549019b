//! What an upstream's refusal says, whatever its dialect.

use bytes::Bytes;
use futures_util::StreamExt;
use hone_dialects::Dialect;
use hone_dialects::tables::errors;
use hone_strategies::chat::Failure;
use hone_strategies::model::{ChunkStream, NativeRejection, Rejection};
use hone_strategies::{ChatRequest, ModelError};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;

use super::growth::Growth;
use super::{HttpModel, OpenCall, broken};
use crate::api::{account, headers};
use crate::tenant::{Credential, Taken};
use crate::upstream::body::{AnswerBody, Idle};

impl HttpModel {
    /// The error without the operator's key, which some upstreams tell in theirs.
    pub(super) fn without_key(&self, error: ModelError) -> ModelError {
        if !self.credential.is_operators() {
            return error;
        }
        without_key(&self.credential, error)
    }

    /// Ends a call that its upstream refused.
    pub(super) async fn refused(
        &self,
        request: &ChatRequest,
        flight: OpenCall,
        response: Response<AnswerBody>,
    ) -> ModelError {
        let mut rejection = match self.rejection(response).await {
            Ok(rejection) => rejection,
            Err(error) => return flight.failed(error),
        };
        if flight.foreign.is_some() {
            self.heed(request, &mut rejection);
        }
        flight.guard.refused();
        if rejection.status == 429 {
            ModelError::RateLimited(Box::new(rejection))
        } else {
            ModelError::Rejected(Box::new(rejection))
        }
    }

    /// The same for what may end a stream.
    pub(super) fn without_keys(&self, chunks: ChunkStream) -> ChunkStream {
        if !self.credential.is_operators() {
            return chunks;
        }
        let credential = self.credential.clone();
        let hidden =
            move |chunk: Result<_, _>| chunk.map_err(|error| without_key(&credential, error));
        chunks.map(hidden).boxed()
    }

    /// The error that `response` tells.
    pub(super) async fn rejection(
        &self,
        response: Response<AnswerBody>,
    ) -> Result<Rejection, ModelError> {
        let (mut parts, body) = response.into_parts();
        let retry_after = headers::retry_after(&parts.headers);
        let operators_key = self.credential.is_operators();
        headers::towards_client(&mut parts.headers, operators_key);
        let (body, taken) = self.collect(body).await?;
        // The run may hold it to its end, and give it to the client.
        if let Some(taken) = taken {
            taken.keep();
        }
        let dialect = self.upstream.config.dialect;
        let head = (parts.status, parts.headers);
        Ok(told(dialect, head, body, operators_key).asking_to_wait(retry_after))
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

/// What an upstream of `dialect` tells by an error with these headers, which are those for the
/// client. An operator's account is not told.
pub(crate) fn told(
    dialect: Dialect,
    (status, mut headers): (StatusCode, HeaderMap),
    mut body: Bytes,
    is_operators: bool,
) -> Rejection {
    let (mut status, mut native) = (status.as_u16(), None);
    if !is_chats(dialect) {
        let told = errors::read(dialect, status, &body);
        native = (!is_operators).then(|| NativeRejection {
            dialect,
            status,
            content_type: content_type(&headers),
            body: std::mem::take(&mut body),
        });
        status = told.status;
        body = Bytes::from(errors::openai(&told).to_string());
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json);
    }
    if is_operators {
        body = account::rewrite(&mut headers, &body);
    }
    let mut rejection = Rejection::new(status, headers::lines(&headers), body);
    rejection.native = native.map(Box::new);
    rejection
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

/// The error without the key of `credential`.
pub(super) fn without_key(credential: &Credential, mut error: ModelError) -> ModelError {
    let text = |text: &mut Option<String>| {
        if let Some(told) = text {
            let hidden = credential.hide_in(Bytes::from(std::mem::take(told)));
            *told = String::from_utf8_lossy(&hidden).into_owned();
        }
    };
    match &mut error {
        ModelError::Rejected(rejection) | ModelError::RateLimited(rejection) => {
            rejection.body = credential.hide_in(std::mem::take(&mut rejection.body));
            text(&mut rejection.message);
            text(&mut rejection.param);
            text(&mut rejection.code);
        }
        ModelError::Malformed { detail } => {
            let mut told = Some(std::mem::take(detail));
            text(&mut told);
            *detail = told.unwrap_or_default();
        }
        _ => {}
    }
    error
}
