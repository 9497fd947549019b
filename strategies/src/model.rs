//! The port through which a model is reached. The embedding application implements it.

pub mod quality;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

use crate::chat::{ChatRequest, Chunk, Completion, Dialect, Memory, Usage, weight};

/// Tokens that a call is taken to generate if the client sets no limit.
pub(crate) const OUTPUT_ESTIMATE: u64 = 500;

/// The chunks of a streamed answer, in order. It ends after the last chunk, or with one error.
/// Dropping it cancels the call.
pub type ChunkStream = Pin<Box<dyn Stream<Item = Result<Chunk, ModelError>> + Send>>;

/// A chat model behind some upstream, on behalf of one tenant.
///
/// # Cancel safety
///
/// Dropping a returned future or stream must cancel the call, up to closing its connection.
pub trait Model: Send + Sync {
    /// Asks for a whole answer. The request does not ask for a stream.
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>>;

    /// Asks for a streamed answer. The request has `stream: true`. Resolves when the upstream has
    /// accepted the request.
    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>>;

    /// What was learned about `model`, if it was learned recently.
    fn knows(&self, model: &str, fact: Fact) -> Option<bool>;

    /// Remembers what was learned about `model`.
    fn learn(&self, model: &str, fact: Fact, value: bool);

    /// What a call of `request` is expected to use. It is charged so much where it is cut off and
    /// nothing better is known.
    fn expected(&self, request: &ChatRequest) -> Usage {
        let ceiling = request
            .token_limit()
            .map_or(OUTPUT_ESTIMATE, |(_, limit)| limit.min(OUTPUT_ESTIMATE));
        Usage::estimate(
            request.estimated_prompt_tokens(),
            ceiling.saturating_mul(request.n().into()),
        )
    }

    /// What the caller may still spend right now, as far as is known. It may change at any moment
    /// and promises nothing.
    fn allowance(&self) -> Allowance {
        Allowance::UNKNOWN
    }

    /// Where the prompts that strategies make from answers take their memory, if it is counted.
    fn memory(&self) -> Option<Arc<dyn Memory>> {
        None
    }
}

/// What a caller's limits leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls.
    pub calls: u64,
    /// Tokens, read and generated.
    pub tokens: u64,
}

impl Allowance {
    /// No limit is known.
    pub const UNKNOWN: Self = Self {
        calls: u64::MAX,
        tokens: u64::MAX,
    };
}

/// Something that an upstream does or does not do for a model. Learned by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    /// It accepts this parameter when hone adds it to a request.
    Accepts(&'static str),
    /// It accepts an effort of this word.
    AcceptsEffort(&'static str),
    /// It accepts `temperature` and its like from clients of other dialects.
    AcceptsSampling,
    /// It accepts instructions within a conversation.
    AcceptsSystemInline,
    /// It continues a last message of the assistant's.
    ContinuesLast,
    /// It continues a last message of the assistant's that is marked as a prefix.
    ContinuesPrefix,
    /// Its continuations begin with what they continue.
    Echoes,
    /// It returns n choices when asked for n.
    HonoursN,
    /// Its answers show reasoning when an effort is asked for.
    Reasons,
    /// It answers in this dialect.
    Speaks(Dialect),
    /// It takes back what it thought, as `reasoning_content`.
    TakesReasoning,
    /// It takes a limit as `max_tokens`.
    TakesMaxTokens,
    /// It can be told by an effort to think.
    ThinksByEffort,
    /// It can be told by a number of tokens to think.
    ThinksByBudget,
    /// It reasons before it answers, and what it reasons counts against its ceiling.
    Thinks,
    /// It goes on with an answer that nobody waits for any more, unless that is a stream.
    StopsStreamsOnly,
    /// It tells the log probabilities of alternatives to each token when asked for them.
    TellsAlternatives,
}

/// What a call is for, and where its cost is told. It changes nothing about the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its part in the strategy.
    pub purpose: Purpose,
    /// Its number among the calls of this purpose in one step.
    pub index: u32,
    /// Where the port says what the call has been charged, if it charges somebody.
    pub bill: Option<Bill>,
}

/// What one call has been charged. The port writes it when the call is over, however it ended; the
/// run's account then has the same figure as the caller's limits.
#[derive(Debug, Clone, Default)]
pub struct Bill(Arc<Mutex<Option<Usage>>>);

impl Bill {
    /// Says what the call has been charged.
    pub fn charge(&self, usage: Usage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
    }

    /// What has been said.
    pub fn charged(&self) -> Option<Usage> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Bill {
    /// Whether they are one bill.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Bill {}

/// A call's part in a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Makes a wrong answer, to test a judge.
    Adversary,
    /// One of several answers.
    Candidate,
    /// Points out the weaknesses of a candidate.
    Critique,
    /// Makes the answer that the client gets.
    Final,
    /// Rates or chooses.
    Judge,
    /// Works out how to go about it, before there is an answer.
    Plan,
    /// Finds out what an upstream can do; no part of any answer.
    Probe,
    /// Makes one answer from several.
    Synthesis,
}

impl Purpose {
    /// The purpose in lower case, as in traces and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adversary => "adversary",
            Self::Candidate => "candidate",
            Self::Critique => "critique",
            Self::Final => "final",
            Self::Judge => "judge",
            Self::Plan => "plan",
            Self::Probe => "probe",
            Self::Synthesis => "synthesis",
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// A limit of hone's own, the tenant's or an upstream's, refused this call before it was sent.
    #[error("refused by a limit: {reason}")]
    Limited {
        /// Which limit.
        reason: String,
    },
    /// The answer is not what the protocol promises.
    #[error("malformed answer: {detail}")]
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
    /// The answer, or what is asked, does not fit into the memory that there is for the run.
    #[error("no memory for the call")]
    NoRoom,
    /// The upstream's rate limit or quota refused it.
    #[error("rate limited by the upstream: {0}")]
    RateLimited(Box<Rejection>),
    /// The upstream answered with an error.
    #[error("rejected by the upstream: {0}")]
    Rejected(Box<Rejection>),
    /// No answer within the time allowed for one call.
    #[error("timed out")]
    TimedOut,
    /// The request has a part that this upstream's API has no words for. It was not sent.
    #[error("cannot be said to the upstream: {}", .0.message)]
    Unspeakable(Box<Unspeakable>),
    /// The connection failed.
    #[error("upstream unavailable: {message}")]
    Unavailable {
        /// What failed.
        message: String,
        /// Whether the request may have reached the upstream, and so may be billed.
        reached: bool,
    },
}

/// Why a request cannot be said in the API of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unspeakable {
    /// The part at fault, as the client writes it.
    pub param: Option<String>,
    /// What is wrong, as a sentence for the client.
    pub message: String,
    /// What a program may tell it by.
    pub code: &'static str,
}

/// No error is read that takes more memory than this, in bytes.
const LARGEST_ERROR: usize = 1024 * 1024;

/// An upstream's error answer, complete, so that it can be relayed unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status.
    pub status: u16,
    /// The body's bytes.
    pub body: Bytes,
    /// The body's type.
    pub content_type: Option<String>,
    /// How long the upstream asks to wait.
    pub retry_after: Option<Duration>,
    /// The answer's headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// `error.message`.
    pub message: Option<String>,
    /// `error.type`.
    pub kind: Option<String>,
    /// `error.param`.
    pub param: Option<String>,
    /// `error.code`.
    pub code: Option<String>,
    /// Who gave it, in the words of the embedding application. Empty unless a run asks several
    /// upstreams.
    pub origin: String,
    /// The answer as its upstream gave it, where that is not OpenAI's chat form.
    pub native: Option<Box<NativeRejection>>,
    /// Whether the port has learned of it how to say the same request otherwise.
    pub has_taught: bool,
}

/// An upstream's error answer in its own dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeRejection {
    /// The dialect.
    pub dialect: Dialect,
    /// The HTTP status there.
    pub status: u16,
    /// The body's bytes.
    pub body: Bytes,
    /// The body's type.
    pub content_type: Option<String>,
}

impl Rejection {
    /// Reads the fields of an OpenAI-shaped error from `body`, and its type from `headers`, whose
    /// names must be in lower case. How long to wait is for the port to say, which knows the forms
    /// of the header.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Bytes) -> Self {
        // A body that is not JSON, or much more than an error, has no fields to read; it is relayed
        // all the same.
        let value: Value = if weight(&body) <= LARGEST_ERROR {
            serde_json::from_slice(&body).unwrap_or_default()
        } else {
            Value::Null
        };
        let error = error_in(&value);
        let field = |name: &str| match error?.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let (message, kind, param, code) = (
            field("message").or_else(|| field("detail")),
            field("type"),
            field("param").filter(|param| !param.is_empty()),
            field("code"),
        );
        let message = message.or_else(|| error?.as_str().map(str::to_owned));
        let header = |wanted: &str| {
            headers
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.trim())
        };
        let content_type = header("content-type").map(str::to_owned);
        Self {
            status,
            body,
            content_type,
            retry_after: None,
            headers,
            message,
            kind,
            param,
            code,
            origin: String::new(),
            native: None,
            has_taught: false,
        }
    }

    /// The same, where the upstream asks to come back after `retry_after`.
    #[must_use]
    pub fn asking_to_wait(self, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            ..self
        }
    }

    /// Whether asking again soon can help: false for an exhausted quota, and where the upstream
    /// says so.
    pub fn may_pass(&self) -> bool {
        let is_quota = |field: &Option<String>| field.as_deref() == Some("insufficient_quota");
        let refused = self
            .headers
            .iter()
            .any(|(name, value)| name == "x-should-retry" && value.trim() == "false");
        !(is_quota(&self.code) || is_quota(&self.kind) || refused)
    }

    /// Whether the error is about the parameter `name`: it says so in the field for that, or else
    /// names it anywhere in its words.
    pub fn blames(&self, name: &str) -> bool {
        match &self.param {
            Some(param) => {
                let mut path = param.split(['.', '[']).filter(|part| *part != "body");
                path.next() == Some(name)
            }
            None => names(&self.words(), name),
        }
    }

    /// Whether the error is about the number of choices. Servers that give only one say so in words
    /// of their own, and some as a fault of theirs.
    pub(crate) fn refuses_choices(&self) -> bool {
        let is_refusal = matches!(self.status, 400 | 422 | 500 | 501);
        let speaks_of_them = || {
            let words = self.words().to_ascii_lowercase();
            self.param.is_none() && CHOICES.iter().any(|choices| words.contains(choices))
        };
        is_refusal && (self.blames("n") || speaks_of_them())
    }

    /// What the error says for people, in whatever form: its message, or its whole body as far as
    /// that is no longer than an error's.
    pub(crate) fn words(&self) -> Cow<'_, str> {
        let body = || self.body.get(..LONGEST_WORDS).unwrap_or(&self.body);
        self.message
            .as_deref()
            .map_or_else(|| String::from_utf8_lossy(body()), Cow::Borrowed)
    }
}

/// Words for several answers to one request.
const CHOICES: [&str; 5] = [
    "completion choice",
    "candidate count",
    "candidatecount",
    "multiple candidates",
    "multiple choices",
];

/// A body is searched for names up to this, in bytes.
const LONGEST_WORDS: usize = 16 * 1024;

/// The error in a document: its `error`, or itself where it has none. Google puts it into an array.
fn error_in(document: &Value) -> Option<&Value> {
    let document = match document {
        Value::Array(documents) => documents.first()?,
        document => document,
    };
    match document.get("error") {
        Some(error @ (Value::Object(_) | Value::String(_))) => Some(error),
        _ => Some(document).filter(|document| document.is_object()),
    }
}

/// Whether `text` holds `name` as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, found)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    })
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}", self.status)?;
        self.code
            .as_ref()
            .map_or(Ok(()), |code| write!(f, ", code {code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(body: &str) -> Rejection {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Rejection::new(400, headers, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn the_fields_of_an_openai_error_are_read() {
        let rejection =
            rejection(r#"{"error":{"message":"no","type":"t","param":"max_tokens","code":42}}"#);
        assert_eq!(
            (rejection.message.as_deref(), rejection.kind.as_deref()),
            (Some("no"), Some("t"))
        );
        assert_eq!(
            (rejection.param.as_deref(), rejection.code.as_deref()),
            (Some("max_tokens"), Some("42"))
        );
        assert_eq!(rejection.content_type.as_deref(), Some("application/json"));
    }

    #[test]
    fn a_parameter_is_blamed_by_name_only() {
        let by_param =
            rejection(r#"{"error":{"message":"use max_completion_tokens","param":"max_tokens"}}"#);
        assert!(by_param.blames("max_tokens") && !by_param.blames("max_completion_tokens"));
        let by_text = rejection(r#"{"error":"unknown field 'max_completion_tokens'"}"#);
        assert!(
            by_text.blames("max_completion_tokens")
                && !by_text.blames("n")
                && !by_text.blames("max_tokens")
        );
        assert!(!rejection("<html>").blames("n"));
    }

    #[test]
    fn an_exhausted_quota_does_not_pass() {
        assert!(rejection("{}").may_pass());
        assert!(!rejection(r#"{"error":{"code":"insufficient_quota"}}"#).may_pass());
        let mut told = rejection("{}");
        told.headers
            .push(("x-should-retry".to_owned(), "false".to_owned()));
        assert!(!told.may_pass());
    }
}
