//! The only file that turns an error into a status and a text.
//!
//! [`describe`] is total and has no wildcard arm, so a new kind of error does not compile until
//! someone has decided its status. Texts are written from fields known to be safe; nothing that an
//! error's `Display` says reaches a client.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use hone_strategies::model::Rejection;
use hone_strategies::{Exhausted, Missing, ModelError, SpecErrorKind, StrategyError};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Reply;
use crate::admission::{Dimension, QueueError, Refused, Scope};
use crate::answer::error::ProxyError;
use crate::request::envelope::EnvelopeError;
use crate::request::headers::HeaderError;
use crate::request::intake::IntakeError;
use crate::request::plan::PlanError;
use crate::request::route::RouteError;
use crate::telemetry::{Blame, RequestRecord};
use crate::tenant::{AuthError, FallbackRefusal, Sent, SlotError};
use crate::upstream::UpstreamError;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// One of hone's own errors, as a client sees it.
#[derive(Debug, Clone)]
pub struct ErrorReply {
    /// The status.
    pub status: StatusCode,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// OpenAI's `code`, also in `x-hone-error`.
    pub code: &'static str,
    /// The field at fault.
    pub param: Option<String>,
    /// What happened and what to do.
    pub message: String,
    /// Whose doing it is.
    pub blame: Blame,
    /// When the same request may be tried again.
    pub retry: Retry,
    /// Whose limit it was, if it was one.
    pub limit_source: Option<&'static str>,
}

/// What a client is told about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
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
        }
    }

    fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, code, message)
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
    pub fn body(&self) -> Value {
        json!({"error": {"message": self.message, "type": self.kind, "param": self.param,
            "code": self.code}})
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(super::ERROR, HeaderValue::from_static(self.code));
        if let Some(source) = self.limit_source {
            headers.insert(super::LIMIT_SOURCE, HeaderValue::from_static(source));
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

/// The reply for an error: an upstream's own rejection unchanged, or one of hone's errors.
pub fn reply(error: &ProxyError, record: &mut RequestRecord) -> Reply {
    if let ProxyError::Strategy(StrategyError::Model(
        ModelError::Rejected(rejection) | ModelError::RateLimited(rejection),
    )) = error
    {
        return relayed(rejection);
    }
    let described = describe(error);
    record.error = Some(described.code);
    record.blame = Some(described.blame);
    record.limit = error.limit();
    match described.blame {
        Blame::Client | Blame::Tenant => {
            tracing::debug!(request = %record.request, %error, "request refused")
        }
        Blame::Upstream => tracing::warn!(request = %record.request, %error, "upstream failed"),
        Blame::Proxy => tracing::error!(request = %record.request, %error, "request failed"),
    }
    Reply::Document {
        status: described.status,
        headers: described.headers(),
        body: described.body(),
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

/// What a client is told about an error.
pub fn describe(error: &ProxyError) -> ErrorReply {
    match error {
        ProxyError::Auth(error) => auth(error),
        ProxyError::Chat(error) => {
            let reply = ErrorReply::invalid("invalid_request", error.message.clone());
            ErrorReply {
                param: error.param.clone(),
                ..reply
            }
        }
        ProxyError::Cut(_) => unavailable("The upstream's answer broke off."),
        ProxyError::Deadline(limit) => deadline(&format!(
            "The upstream had not begun to answer \
            within the {} ms of `x-hone-deadline-ms`.",
            limit.as_millis()
        )),
        ProxyError::Envelope(error) => envelope(error),
        ProxyError::FallbackField(name) => ErrorReply::invalid(
            "fallback_field_not_allowed",
            format!(
                "`{name}` reaches what is stored under the key, and the fallback key of this \
                proxy is shared. Send your own provider key to use it."
            ),
        )
        .param(*name),
        ProxyError::FallbackLimited { retry_after, .. } => {
            let retry = Retry::After(retry_after.unwrap_or(Duration::from_secs(1)));
            let message = "The provider's rate limit for this proxy's fallback key is used up. Try \
                again later, or send your own provider key.";
            let reply = ErrorReply::new(
                StatusCode::TOO_MANY_REQUESTS,
                "requests",
                "rate_limit_exceeded",
                message,
            );
            ErrorReply {
                limit_source: Some("upstream"),
                ..reply.blame(Blame::Tenant).retry(retry)
            }
        }
        ProxyError::FallbackRejected { .. } => {
            let message = "The provider rejects this proxy's fallback key. The operator has to \
                replace it; your own provider key would work.";
            ErrorReply::new(
                StatusCode::BAD_GATEWAY,
                SERVER,
                "fallback_key_rejected",
                message,
            )
            .blame(Blame::Proxy)
        }
        ProxyError::Header(HeaderError { name, problem }) => {
            ErrorReply::invalid("invalid_header", format!("Header `{name}`: {problem}."))
                .param(*name)
        }
        ProxyError::Intake(error) => intake(error),
        ProxyError::Plan(error) => plan(error),
        ProxyError::Queue(error) => queue(error),
        ProxyError::Refused(refused) => limit(refused),
        ProxyError::RejectedKeys { retry_after } => {
            let message = "Too many keys from your address were rejected. Check the key, and try \
                again later.";
            let reply = ErrorReply::new(
                StatusCode::TOO_MANY_REQUESTS,
                "requests",
                "rejected_keys_limit_exceeded",
                message,
            );
            ErrorReply {
                limit_source: Some("hone"),
                ..reply.blame(Blame::Tenant).retry(Retry::After(*retry_after))
            }
        }
        ProxyError::Route(error) => route(error),
        ProxyError::Spec(error) => {
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
        ProxyError::SolverMissing(approach) => no_solver(approach),
        ProxyError::Strategy(error) => strategy(error),
        ProxyError::Upstream(error) => upstream(error),
    }
}

fn envelope(error: &EnvelopeError) -> ErrorReply {
    match error {
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

fn intake(error: &IntakeError) -> ErrorReply {
    let of = |status, code, message: String| ErrorReply::new(status, INVALID, code, message);
    match error {
        IntakeError::Broken(_) => {
            ErrorReply::invalid("body_incomplete", "The body ended before its end.")
        }
        IntakeError::Encoded => {
            let message = "hone must read this request, so it must not be compressed: remove \
                `content-encoding`.";
            of(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                message.to_owned(),
            )
        }
        IntakeError::Idle(limit) => of(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("No byte of the body arrived for {} s.", limit.as_secs()),
        ),
        IntakeError::NotJson => {
            let message =
                "hone must read this request, so it needs `content-type: application/json`.";
            of(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                message.to_owned(),
            )
        }
        IntakeError::Overloaded => overloaded(
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
            let reply = ErrorReply::new(
                StatusCode::TOO_MANY_REQUESTS,
                "requests",
                "concurrency_limit_exceeded",
                message,
            );
            let reply = reply
                .blame(Blame::Tenant)
                .retry(Retry::After(Duration::from_secs(1)));
            ErrorReply {
                limit_source: Some("hone"),
                ..reply
            }
        }
        IntakeError::TooLarge(limit) => of(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is larger than {limit} bytes."),
        ),
    }
}

fn plan(error: &PlanError) -> ErrorReply {
    let forbidden =
        |code, message: String| ErrorReply::new(StatusCode::FORBIDDEN, INVALID, code, message);
    match error {
        PlanError::Ambiguous { model, instead } => ErrorReply::invalid(
            "ambiguous_approach",
            format!(
                "The model name `{model}` names an \
                approach twice. Use {instead}."
            ),
        )
        .param("model"),
        PlanError::ApproachNotAllowed { approach } => forbidden(
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
        PlanError::ModelNotAllowed { model } => forbidden(
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

fn route(error: &RouteError) -> ErrorReply {
    match error {
        RouteError::BadPath(reason) => ErrorReply::invalid(
            "invalid_path",
            format!("This request target is not served: {reason}."),
        ),
        RouteError::Method => ErrorReply::new(
            StatusCode::METHOD_NOT_ALLOWED,
            INVALID,
            "method_not_allowed",
            "Only GET is served at this path.",
        ),
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
        RouteError::Upgrade => {
            let message =
                "This proxy does not switch protocols; WebSocket endpoints are not served.";
            ErrorReply::new(
                StatusCode::NOT_IMPLEMENTED,
                INVALID,
                "upgrade_not_supported",
                message,
            )
            .blame(Blame::Client)
        }
    }
}

fn strategy(error: &StrategyError) -> ErrorReply {
    match error {
        StrategyError::Budget(exhausted) => {
            let what = match exhausted {
                Exhausted::Calls => "calls",
                Exhausted::Tokens => "tokens",
            };
            ErrorReply::invalid(
                "budget_exhausted",
                format!("The approach needs more {what} than one request may use."),
            )
            .retry(Retry::Never)
        }
        StrategyError::Deadline => deadline(
            "The approach had no answer when the deadline passed. Allow more time, or choose a \
                lighter approach.",
        ),
        StrategyError::Gone => ErrorReply::new(
            StatusCode::SERVICE_UNAVAILABLE,
            SERVER,
            "client_gone",
            "The client stopped reading.",
        )
        .blame(Blame::Client),
        StrategyError::NoSolver => no_solver("z3"),
        StrategyError::Interrupted(error) | StrategyError::Model(error) => model(error),
        StrategyError::Unsupported(missing) => {
            let message = format!(
                "The approach needs {}, which the upstream does not do for this model. Choose \
                    another model or approach, or set `decoding_fallback` to true for the nearest \
                    thing.",
                needed(*missing)
            );
            ErrorReply::invalid("capability_missing", message)
                .param("model")
                .retry(Retry::Never)
        }
    }
}

fn needed(missing: Missing) -> &'static str {
    match missing {
        Missing::Continuation => {
            "answers that begin as the request says (a last message of the assistant's that is \
                continued)"
        }
        Missing::Thinking => {
            "control of how much the model thinks (`reasoning_effort`, or a last message of the \
                assistant's that is continued)"
        }
        Missing::Alternatives => {
            "log probabilities of alternative tokens (`logprobs` with `top_logprobs`)"
        }
    }
}

fn no_solver(approach: &str) -> ErrorReply {
    let message = format!(
        "The approach `{approach}` needs the solver z3, which this proxy does not have. Choose \
            another approach, or have its operator install it \
         (`apt-get install z3`) and restart the proxy."
    );
    ErrorReply::invalid("solver_not_installed", message).param("optillm_approach")
}

fn model(error: &ModelError) -> ErrorReply {
    match error {
        ModelError::Limited { .. } => {
            let message = "A limit refused the approach's calls. Try again later.";
            let reply = ErrorReply::new(
                StatusCode::TOO_MANY_REQUESTS,
                "requests",
                "rate_limit_exceeded",
                message,
            );
            ErrorReply {
                limit_source: Some("hone"),
                ..reply
                    .blame(Blame::Tenant)
                    .retry(Retry::After(Duration::from_secs(1)))
            }
        }
        ModelError::Malformed { .. } => ErrorReply::new(
            StatusCode::BAD_GATEWAY,
            SERVER,
            "upstream_malformed",
            "The upstream's answer is not what its API promises.",
        ),
        ModelError::RateLimited(_) => {
            let message = "The upstream limited the approach's calls.";
            let reply = ErrorReply::new(
                StatusCode::TOO_MANY_REQUESTS,
                "requests",
                "rate_limit_exceeded",
                message,
            );
            ErrorReply {
                limit_source: Some("upstream"),
                ..reply.blame(Blame::Tenant)
            }
        }
        ModelError::Rejected(rejection) => unavailable(&format!(
            "The upstream rejected the approach's calls with status {}.",
            rejection.status
        )),
        ModelError::TimedOut => deadline("The upstream did not answer in time."),
        ModelError::Unavailable { .. } => {
            unavailable("The upstream could not be reached, or broke off.")
        }
    }
}

fn upstream(error: &UpstreamError) -> ErrorReply {
    match error {
        UpstreamError::Broken { upstream, .. } => unavailable(&format!(
            "The connection to the upstream `{upstream}` broke before it answered."
        )),
        UpstreamError::HeadTimeout { upstream, limit } => deadline(&format!(
            "The upstream `{upstream}` did not begin to answer within {} s.",
            limit.as_secs()
        )),
        UpstreamError::Open {
            upstream,
            retry_after,
        } => unavailable(&format!(
            "The upstream `{upstream}` could not be reached repeatedly and is being given a rest."
        ))
        .retry(Retry::After(*retry_after)),
        UpstreamError::Request { .. } => {
            unavailable("The request could not be forwarded.").blame(Blame::Proxy)
        }
        UpstreamError::Stalled { limit, .. } => intake(&IntakeError::Idle(*limit)),
        UpstreamError::Unreachable { upstream, .. } => {
            unavailable(&format!("The upstream `{upstream}` cannot be reached."))
        }
    }
}

fn unavailable(message: &str) -> ErrorReply {
    ErrorReply::new(
        StatusCode::BAD_GATEWAY,
        SERVER,
        "upstream_unavailable",
        message,
    )
}

fn deadline(message: &str) -> ErrorReply {
    ErrorReply::new(
        StatusCode::GATEWAY_TIMEOUT,
        SERVER,
        "deadline_exceeded",
        message,
    )
}

fn overloaded(message: &str, wait: Duration) -> ErrorReply {
    ErrorReply::new(
        StatusCode::SERVICE_UNAVAILABLE,
        SERVER,
        "overloaded",
        message,
    )
    .blame(Blame::Proxy)
    .retry(Retry::After(wait))
}

fn queue(error: &QueueError) -> ErrorReply {
    match error {
        QueueError::Full { retry_after } => overloaded(
            "Too many requests wait for this upstream. Try again shortly.",
            *retry_after,
        ),
        QueueError::TimedOut { retry_after } => overloaded(
            "This request's turn at the upstream did not come in time. Try again shortly.",
            *retry_after,
        ),
    }
}

/// A limit of hone's own. Whose it is, what it is, and when the same request alone would be
/// admitted.
fn limit(refused: &Refused) -> ErrorReply {
    let whose = match refused.scope {
        Scope::Address => "your address",
        Scope::Fallback => "this proxy's fallback key",
        Scope::Tenant => "you",
        Scope::Upstream => "this upstream, over all callers",
    };
    let (kind, code, unit) = match refused.dimension {
        Dimension::ConcurrentRequests => {
            ("requests", "concurrency_limit_exceeded", "requests at once")
        }
        Dimension::ConcurrentUpstreamCalls => (
            "requests",
            "concurrency_limit_exceeded",
            "upstream calls at once",
        ),
        Dimension::Requests => ("requests", "rate_limit_exceeded", "requests per minute"),
        Dimension::Tokens => ("tokens", "rate_limit_exceeded", "tokens per minute"),
        Dimension::UpstreamCalls => (
            "requests",
            "rate_limit_exceeded",
            "upstream calls per minute",
        ),
    };
    let Refused {
        limit,
        requested,
        remaining,
        ..
    } = refused;
    let (message, retry) = match refused.retry_after {
        None => (
            format!(
                "This request needs {requested}, but the limit for {whose} is {limit} {unit}: it \
                    can never fit. Make it smaller."
            ),
            Retry::Never,
        ),
        Some(wait) => {
            let wait_text = crate::admission::headers::duration_text(wait);
            let message = format!(
                "The limit for {whose} is {limit} {unit}; {remaining} left, {requested} requested. \
                    Try again in {wait_text}."
            );
            (message, Retry::After(wait))
        }
    };
    let reply = ErrorReply::new(StatusCode::TOO_MANY_REQUESTS, kind, code, message)
        .blame(Blame::Tenant)
        .retry(retry);
    ErrorReply {
        limit_source: Some("hone"),
        ..reply
    }
}

fn auth(error: &AuthError) -> ErrorReply {
    let unauthorized =
        |code, message: String| ErrorReply::new(StatusCode::UNAUTHORIZED, INVALID, code, message);
    match error {
        AuthError::FallbackPathNotAllowed { method, path, .. } => {
            let message = format!(
                "The fallback key of this proxy is shared and does not serve {method} /v1/{path}. \
                    Send your own provider key."
            );
            ErrorReply::new(
                StatusCode::FORBIDDEN,
                INVALID,
                "fallback_path_not_allowed",
                message,
            )
        }
        AuthError::NoCredential {
            upstream,
            header,
            sent,
            fallback,
        } => unauthorized(
            "invalid_api_key",
            no_credential(upstream, header, *sent, *fallback),
        ),
        AuthError::NoKey => {
            let message =
                format!("This proxy admits known keys only, and the request carries none. {SLOTS}");
            unauthorized("invalid_api_key", message)
        }
        AuthError::Slot(error) => slot(error),
        AuthError::TwoTenants { .. } => ErrorReply::invalid(
            "conflicting_keys",
            "The request carries gateway keys of two tenants. Send one of them.",
        ),
        AuthError::UnknownKey => unauthorized(
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
        AuthError::UnusableKey { .. } => {
            let message = "This proxy's key for the upstream cannot be sent in a header. The \
                operator has to replace it.";
            ErrorReply::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                SERVER,
                "unusable_key",
                message,
            )
            .blame(Blame::Proxy)
        }
    }
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
    let unauthorized =
        |code, message: String| ErrorReply::new(StatusCode::UNAUTHORIZED, INVALID, code, message);
    match error {
        SlotError::Conflict { first, second } => ErrorReply::invalid(
            "conflicting_keys",
            format!("`{first}` and `{second}` hold different keys. Send the key once."),
        ),
        SlotError::LostGatewayKey { slot } => unauthorized(
            "invalid_gateway_key",
            format!(
                "`{slot}` holds a gateway key that this proxy does not know, or knows no longer. \
                    It was not sent to any provider. Ask the operator for a new one."
            ),
        ),
        SlotError::NotBearer => ErrorReply::invalid(
            "invalid_authorization",
            "`Authorization` must be `Bearer` followed by the key.",
        )
        .param("authorization"),
        SlotError::Repeated { slot } => ErrorReply::invalid(
            "repeated_key",
            format!("`{slot}` stands there more than once. Send it once."),
        )
        .param(slot.as_str()),
        SlotError::Revoked { slot } => unauthorized(
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
            unauthorized("invalid_gateway_key", message.to_owned())
        }
    }
}
