//! What is different when the operator's key pays: the operator's account is not the caller's
//! business, and an account error is not the caller's fault.

use std::time::Duration;

use bytes::Bytes;
use hone_strategies::ModelError;
use hone_strategies::model::Rejection;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, StatusCode, response};

use super::opened::Opened;
use super::rejection;
use crate::answer::error::ProxyError;
use crate::api::account::{self, Shape, ShapeReader};
use crate::api::endpoint::fields::{Form, Served};
use crate::api::endpoint::{self, Endpoint};
use crate::api::headers;
use crate::config::UpstreamConfig;
use crate::request::form::Fields;
use crate::request::intake::{self, IntakeError};
use crate::tenant::Credential;
use crate::upstream::body::BodyError;
use crate::workers;

mod fields;

/// Refuses what the operator's key does not serve in a JSON body: whatever is not listed could
/// reach into what other callers of the same key have stored, or outlive the request.
///
/// # Errors
///
/// [`ProxyError::FallbackField`] naming what it is; [`ProxyError::Envelope`] if the body cannot be
/// read.
pub(crate) async fn check(
    endpoint: Endpoint,
    upstream: &UpstreamConfig,
    body: &Bytes,
) -> Result<(), ProxyError> {
    let listed = match endpoint.fallback() {
        endpoint::Fallback::Fields(listed) => listed,
        endpoint::Fallback::Form(_) => {
            return Err(ProxyError::FallbackField(
                "JSON in place of a form".to_owned(),
            ));
        }
        // The operator has named the path.
        endpoint::Fallback::Refused | endpoint::Fallback::Served => return Ok(()),
    };
    let named = named(upstream).to_owned();
    let kind = endpoint.counted();
    let checked = workers::offload(body, move |body| {
        let named = named.as_slice();
        fields::check(kind, Served { listed, named }, body)
    });
    checked.await.map_err(|refused| match refused {
        fields::Refused::Envelope(error) => error.into(),
        fields::Refused::Field(what) => ProxyError::FallbackField(what),
    })
}

/// What the operator's key serves of a body that is no JSON: an upload to be transcribed or edited,
/// with the listed fields.
///
/// # Errors
///
/// [`ProxyError::Intake`] with 415 for anything else: it could name what JSON may not.
pub(crate) fn form<'a>(
    parts: &Parts,
    endpoint: Endpoint,
    upstream: &'a UpstreamConfig,
) -> Result<Fields<'a>, ProxyError> {
    if let Some(coding) = headers::coding(&parts.headers) {
        return Err(IntakeError::Encoded(coding).into());
    }
    match endpoint.fallback() {
        endpoint::Fallback::Form(Form { files, texts })
            if intake::form::is_form(&parts.headers) =>
        {
            let named = named(upstream);
            let listed = texts;
            Ok(Fields::Only(files, Served { listed, named }))
        }
        _ => Err(IntakeError::NotJson.into()),
    }
}

/// The fields that the operator of `upstream` has named.
fn named(upstream: &UpstreamConfig) -> &[String] {
    let fallback = upstream.fallback.as_ref();
    fallback.map_or(&[], |fallback| &fallback.fields)
}

/// What becomes of an upstream's error: hone's own, if it is about the key, else what of it tells
/// nothing of the account.
pub(super) async fn refusal(
    upstream: &str,
    credential: &Credential,
    mut head: response::Parts,
    mut body: Opened,
) -> ProxyError {
    let retry_after = headers::retry_after(&head.headers);
    if let Some(error) = error_of_status(upstream, head.status, retry_after) {
        return error;
    }
    headers::towards_client(&mut head.headers, true);
    // Of an error that breaks off there is nothing to read.
    let body = body.beginning(account::LONGEST_ERROR).await;
    let body = body.unwrap_or_default();
    if head.status == StatusCode::BAD_REQUEST && rejection::blames_the_key(&body) {
        return ProxyError::FallbackRejected {
            upstream: upstream.to_owned(),
            status: head.status,
        };
    }
    let told = credential.hide_in(account::rewrite(&mut head.headers, &body));
    let lines = headers::lines(&head.headers);
    let rejection = Rejection::new(head.status.as_u16(), lines, told);
    ProxyError::Strategy(ModelError::Rejected(Box::new(rejection)).into())
}

/// Takes what it tells of the account out of an answer that is no error by its status, whatever it
/// is called. What is longer than any error is passed on. Tells whether the answer is a stream of
/// events, of which nothing has been taken out.
pub(super) async fn hide(
    credential: &Credential,
    headers: &mut HeaderMap,
    body: &mut Opened,
) -> Result<bool, BodyError> {
    if headers::is_event_stream(headers) {
        return Ok(true);
    }
    match shape(body).await? {
        Shape::Events => return Ok(true),
        Shape::Other => return Ok(false),
        Shape::Json => {}
    }
    let read = body.beginning(account::LONGEST_ERROR).await?;
    if read.len() < account::LONGEST_ERROR
        && let Some(told) = account::hide(&read, false)
    {
        headers.remove(CONTENT_LENGTH);
        body.replace(credential.hide_in(told));
    }
    Ok(false)
}

/// What `body` is, of which as much is read as tells that.
async fn shape(body: &mut Opened) -> Result<Shape, BodyError> {
    let (mut reader, mut length) = (ShapeReader::default(), 0);
    loop {
        let read = body.beginning(length + 1).await?;
        if let Some(shape) = reader.read(&read) {
            return Ok(shape);
        }
        if read.len() == length || length >= account::LONGEST_ERROR {
            // All of it has told nothing.
            return Ok(Shape::Other);
        }
        length = read.len();
    }
}

/// hone's own error for an upstream's answer about the operator's key, if that is what it is: 401,
/// 402 and 403 become [`ProxyError::FallbackRejected`], 429 becomes
/// [`ProxyError::FallbackLimited`].
pub(crate) fn error_of_status(
    upstream: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
) -> Option<ProxyError> {
    let upstream = || upstream.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            Some(ProxyError::FallbackRejected {
                upstream: upstream(),
                status,
            })
        }
        StatusCode::TOO_MANY_REQUESTS => Some(ProxyError::FallbackLimited {
            upstream: upstream(),
            retry_after,
        }),
        _ => None,
    }
}
