//! The only room that turns an error into a status and a text, a file a stage.
//!
//! [`describe`] is total and no match in this room has a wildcard arm, so a new kind of error does
//! not compile until someone has decided its status. Client texts are written here, from fields
//! known to be safe; no internal error's `Display` reaches a client.
#![deny(clippy::wildcard_enum_match_arm)]

mod auth;
mod limit;
mod plan;
mod request;
mod run;
mod spoken;
mod upstream;

use std::time::Duration;

use bytes::Bytes;
use hone_dialects::Dialect;
use hone_dialects::tables::errors;
use hone_strategies::model::Rejection;
use hone_strategies::{ModelError, StrategyError};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Reply;
use crate::answer::error::ProxyError;
use crate::request::headers::HeaderError;
use crate::telemetry::record::Outcome;
use crate::telemetry::{Blame, RequestRecord};
use crate::usage::Gap;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// One of hone's own errors, as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct ErrorReply {
    /// The status.
    pub(crate) status: StatusCode,
    /// OpenAI's `type`.
    pub(crate) kind: &'static str,
    /// OpenAI's `code`, also in `x-hone-error`.
    pub(crate) code: &'static str,
    /// The field at fault.
    pub(crate) param: Option<String>,
    /// What happened and what to do.
    pub(crate) message: String,
    /// Whose doing it is.
    pub(crate) blame: Blame,
    /// When the same request may be tried again.
    pub(crate) retry: Retry,
    /// Whose limit it was, if it was one.
    pub(crate) limit_source: Option<&'static str>,
    /// The methods that the path has, if this one was wrong.
    pub(crate) allow: Option<String>,
}

/// What a client is told about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// After this time.
    After(Duration),
    /// It would fail again.
    Never,
    /// Nothing is known.
    Unsaid,
}

impl ErrorReply {
    fn new(
        status: StatusCode,
        kind: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let blame = if status.is_client_error() {
            Blame::Client
        } else {
            Blame::Upstream
        };
        Self {
            status,
            kind,
            code,
            param: None,
            message: message.into(),
            blame,
            retry: Retry::Unsaid,
            limit_source: None,
            allow: None,
        }
    }

    /// 400: the request is wrong.
    fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, code, message)
    }

    /// 401: no key, or the wrong one.
    fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, INVALID, code, message)
    }

    /// 403: the caller may not have it.
    fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, INVALID, code, message)
    }

    /// 429: a limit of `source`, which is hone or the upstream.
    fn limited(
        source: &'static str,
        code: &'static str,
        message: impl Into<String>,
        retry: Retry,
    ) -> Self {
        let reply = Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", code, message);
        Self {
            limit_source: Some(source),
            ..reply.blame(Blame::Tenant).retry(retry)
        }
    }

    /// 502: the upstream gave no answer.
    fn unavailable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            SERVER,
            "upstream_unavailable",
            message,
        )
    }

    /// 503: hone itself has no room.
    fn overloaded(message: impl Into<String>, wait: Duration) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            SERVER,
            "overloaded",
            message,
        )
        .blame(Blame::Proxy)
        .retry(Retry::After(wait))
    }

    /// 504: no answer in time.
    fn gateway_timeout(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            SERVER,
            "deadline_exceeded",
            message,
        )
    }

    /// 500: what cannot be has happened. Only the log says what.
    fn internal() -> Self {
        let message = "This proxy has made a mistake. Its operator finds this request in the log.";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            SERVER,
            "internal_error",
            message,
        )
        .blame(Blame::Proxy)
    }

    fn param(self, param: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..self
        }
    }

    fn blame(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }

    fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// The document.
    pub(crate) fn body(&self) -> Value {
        json!({"error": {"message": self.message, "type": self.kind, "param": self.param,
            "code": self.code}})
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(super::ERROR, HeaderValue::from_static(self.code));
        if let Some(source) = self.limit_source {
            headers.insert(super::LIMIT_SOURCE, HeaderValue::from_static(source));
        }
        if let Some(allow) = &self.allow
            && let Ok(allow) = HeaderValue::try_from(allow)
        {
            headers.insert(ALLOW, allow);
        }
        match self.retry {
            Retry::After(wait) => {
                let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
                headers.insert(RETRY_AFTER, millis.div_ceil(1000).into());
                headers.insert(RETRY_AFTER_MS, millis.into());
            }
            Retry::Never => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Retry::Unsaid => {}
        }
        headers
    }
}

/// The reply for an error: an upstream's own rejection unchanged, or one of hone's errors as the
/// client's `dialect` says it.
pub(crate) fn reply(error: &ProxyError, record: &mut RequestRecord, dialect: Dialect) -> Reply {
    if let ProxyError::Strategy(StrategyError::Model(
        ModelError::Rejected(rejection) | ModelError::RateLimited(rejection),
    )) = error
    {
        return rejected(rejection, record, dialect);
    }
    let described = describe(error);
    record.error = Some(described.code);
    record.blame = Some(described.blame);
    record.limit = error.limit();
    if matches!(error, ProxyError::ShuttingDown) {
        record.outcome = Outcome::Shutdown;
    }
    match described.blame {
        Blame::Client | Blame::Tenant => {
            tracing::debug!(request = %record.request, %error, "request refused");
        }
        // Said once, when it began.
        Blame::Upstream if error.is_unreachable() => {
            tracing::debug!(request = %record.request, %error, "upstream unreachable");
        }
        Blame::Upstream => tracing::warn!(request = %record.request, %error, "upstream failed"),
        Blame::Proxy => tracing::error!(request = %record.request, %error, "request failed"),
    }
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => Reply::Document {
            room: None,
            status: described.status,
            headers: described.headers(),
            body: described.body().to_string(),
        },
        Dialect::Anthropic | Dialect::Gemini => spoken::reply(&described, &record.request, dialect),
    }
}

/// An upstream's own rejection: unchanged to clients of its dialect, and in the client's own words
/// to others.
fn rejected(rejection: &Rejection, record: &RequestRecord, dialect: Dialect) -> Reply {
    let is_openai = matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    match &rejection.native {
        Some(native) if native.dialect == dialect => {
            let mut reply = relayed(rejection);
            if let Reply::Verbatim {
                status,
                body,
                headers,
            } = &mut reply
            {
                *status = StatusCode::from_u16(native.status).unwrap_or(StatusCode::BAD_GATEWAY);
                body.clone_from(&native.body);
                let kind = native.content_type.as_deref();
                if let Some(Ok(kind)) = kind.map(HeaderValue::try_from) {
                    headers.insert(CONTENT_TYPE, kind);
                }
            }
            reply
        }
        None if is_openai => relayed(rejection),
        None | Some(_) => spoken::crossed(rejection, record, dialect),
    }
}

fn relayed(rejection: &Rejection) -> Reply {
    let mut headers = HeaderMap::new();
    for (name, value) in &rejection.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers.remove(http::header::CONTENT_LENGTH);
    if let Some(kind) = rejection
        .content_type
        .as_deref()
        .and_then(|kind| HeaderValue::try_from(kind).ok())
    {
        headers.insert(CONTENT_TYPE, kind);
    }
    let status = StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::BAD_GATEWAY);
    Reply::Verbatim {
        status,
        headers,
        body: rejection.body.clone(),
    }
}

/// What ends a relayed stream when hone shuts down. Readers of every dialect but Google's take the
/// event for an error: some go by its name, some by its `type`, some by its `error`. Google's know
/// data only, and streams that are lists.
pub(crate) fn last_word(gap: Gap) -> Bytes {
    let error = shutting_down();
    let googles = || errors::gemini(&error.plain(""));
    Bytes::from(match gap {
        Gap::Events => {
            let mut body = error.body();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("type".to_owned(), "error".into());
            }
            format!("event: error\ndata: {body}\n\n")
        }
        Gap::GooglesEvents => format!("data: {}\n\n", googles()),
        Gap::List(before) => format!("{before}{}]", googles()),
    })
}

/// What a client is told about an error.
pub(crate) fn describe(error: &ProxyError) -> ErrorReply {
    match error {
        ProxyError::Auth(error) => auth::auth(error),
        ProxyError::Chat(error) => ErrorReply {
            param: error.param.clone(),
            ..ErrorReply::invalid("invalid_request", error.message.clone())
        },
        ProxyError::Connection(refused) => limit::connection(*refused),
        ProxyError::Cut(error) => upstream::cut(error),
        ProxyError::Deadline(limit) => ErrorReply::gateway_timeout(format!(
            "The upstream had not begun to answer within the {} ms of `x-hone-deadline-ms`.",
            limit.as_millis()
        )),
        ProxyError::Dialect(refusal) => ErrorReply {
            param: refusal.param.clone(),
            ..ErrorReply::invalid(refusal.code, refusal.message.clone())
        },
        ProxyError::Envelope(error) => request::envelope(error),
        ProxyError::FallbackField(name) => fallback_field(name),
        ProxyError::FallbackLimited { retry_after, .. } => {
            let retry = Retry::After(retry_after.unwrap_or(Duration::from_secs(1)));
            let message = "The provider's rate limit for this proxy's fallback key is used up. Try \
                again later, or send your own provider key.";
            ErrorReply::limited("upstream", "rate_limit_exceeded", message, retry)
        }
        ProxyError::FallbackRejected { .. } => fallback_rejected(),
        ProxyError::Header(HeaderError { name, problem }) => {
            ErrorReply::invalid("invalid_header", format!("Header `{name}`: {problem}."))
                .param(*name)
        }
        ProxyError::Intake(error) => request::intake(error),
        ProxyError::Loop(error) => request::circle(*error),
        ProxyError::Plan(error) => plan::plan(error),
        ProxyError::Preflight { is_set } => request::preflight(*is_set),
        ProxyError::Questions { retry_after } => {
            let message = "Your address has asked `/hone/whoami` too often. Try again later.";
            let retry = Retry::After(*retry_after);
            ErrorReply::limited("hone", "rate_limit_exceeded", message, retry)
        }
        ProxyError::Queue(error) => limit::queue(error),
        ProxyError::Refused(refused) => limit::limit(refused),
        ProxyError::RejectedKeys { retry_after } => {
            let message = "Too many keys from your address were rejected. Check the key, and try \
                again later.";
            let retry = Retry::After(*retry_after);
            ErrorReply::limited("hone", "rejected_keys_limit_exceeded", message, retry)
        }
        ProxyError::Route(error) => request::route(error),
        ProxyError::ShuttingDown => shutting_down(),
        ProxyError::Spec(error) => plan::spec(error),
        ProxyError::SolverMissing(approach) => run::no_solver(approach),
        ProxyError::Strategy(error) => run::strategy(error),
        ProxyError::Unreachable(_) => ErrorReply::internal(),
        ProxyError::Upstream(error) => upstream::upstream(error),
    }
}

fn fallback_field(what: &str) -> ErrorReply {
    let shown: String = what.chars().take(200).collect();
    let message = format!(
        "The fallback key of this proxy is shared and does not serve this: {shown}. Send your own \
            provider key to use it."
    );
    let field = what.split(':').next().unwrap_or_default();
    let param: String = field.chars().take(100).collect();
    ErrorReply::forbidden("fallback_field_not_allowed", message).param(param)
}

fn shutting_down() -> ErrorReply {
    let message = "This proxy is shutting down and could not wait for the answer. Try again; \
        another instance, or the next one, will answer.";
    ErrorReply::new(
        StatusCode::SERVICE_UNAVAILABLE,
        SERVER,
        "shutting_down",
        message,
    )
    .blame(Blame::Proxy)
    .retry(Retry::After(Duration::from_secs(1)))
}

fn fallback_rejected() -> ErrorReply {
    let message = "The provider rejects this proxy's fallback key. The operator has to replace it; \
        your own provider key would work.";
    ErrorReply::new(
        StatusCode::BAD_GATEWAY,
        SERVER,
        "fallback_key_rejected",
        message,
    )
    .blame(Blame::Proxy)
}
