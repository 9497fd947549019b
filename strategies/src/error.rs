//! What can go wrong before a run, and what can end one.

use crate::model::ModelError;

/// Why a plan cannot be made. The message is hone's own text and may be shown to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    /// The request field at fault, if it is one.
    pub param: Option<String>,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What kind of mistake it is.
    pub kind: SpecErrorKind,
}

/// Kinds of mistakes in an approach and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecErrorKind {
    /// A parameter of the wrong type or out of its range.
    BadParam,
    /// More choices, calls or parallel calls than one request may ask for.
    TooMany,
    /// No strategy has this slug.
    UnknownSlug {
        /// What was asked for.
        slug: String,
        /// The known slug that is most like it, if one is.
        nearest: Option<&'static str>,
    },
}

impl SpecError {
    pub(crate) fn bad_param(name: &str, message: String) -> Self {
        Self {
            param: Some(name.to_owned()),
            message,
            kind: SpecErrorKind::BadParam,
        }
    }

    pub(crate) fn too_many(param: Option<&str>, message: String) -> Self {
        Self {
            param: param.map(str::to_owned),
            message,
            kind: SpecErrorKind::TooMany,
        }
    }

    pub(crate) fn unknown_slug(slug: &str, nearest: Option<&'static str>) -> Self {
        let hint = nearest
            .map(|nearest| format!(" Did you mean `{nearest}`?"))
            .unwrap_or_default();
        let kind = SpecErrorKind::UnknownSlug {
            slug: slug.to_owned(),
            nearest,
        };
        Self {
            param: None,
            message: format!("There is no strategy `{slug}`.{hint}"),
            kind,
        }
    }
}

/// Why a run has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StrategyError {
    /// The run's own budget has no room for a single call.
    #[error("the run's budget is exhausted: {0}")]
    Budget(Exhausted),
    /// The deadline passed before there was anything to answer with.
    #[error("the deadline passed")]
    Deadline,
    /// Nobody receives the events any more.
    #[error("the receiver of the answer is gone")]
    Gone,
    /// A streamed answer broke off after a part of it was sent.
    #[error("the answer broke off: {0}")]
    Interrupted(ModelError),
    /// The approach needs a solver, and there is none. Nothing has been asked.
    #[error("the approach needs a solver, and there is none")]
    NoSolver,
    /// Every call of the first wave failed; this is the last error, to be relayed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What cannot be: a step that has promised a result came to its end without one. This is a
    /// fault of this crate's, never of the request, the model or the time that was allowed, so it
    /// must not be told as any of those. The text says which promise was broken; it is for a log.
    #[error("cannot be: {0}")]
    Unreachable(&'static str),
    /// The upstream lacks something without which the approach is not what was asked for.
    #[error("the upstream does not support {0}")]
    Unsupported(Missing),
}

impl StrategyError {
    /// Whether no other answer can take the place of the one that failed: the client is gone, or
    /// has a part of an answer already. After any other error a strategy may fall back to what it
    /// has.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Gone | Self::Interrupted(_) => true,
            Self::Budget(_)
            | Self::Deadline
            | Self::Model(_)
            | Self::NoSolver
            | Self::Unreachable(_)
            | Self::Unsupported(_) => false,
        }
    }

    /// Why a step did less than it should, in a word for the client.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Budget(_) => "budget",
            Self::Deadline => "deadline",
            Self::Model(ModelError::Limited { .. } | ModelError::NoRoom) => "limit",
            Self::NoSolver => "solver",
            Self::Unreachable(_) => "internal",
            Self::Unsupported(_) => "unsupported",
            Self::Gone | Self::Interrupted(_) | Self::Model(_) => "failed_calls",
        }
    }
}

/// What an upstream does not do for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Telling the log probabilities of the alternatives to each token.
    #[error("log probabilities of alternatives (`logprobs` with `top_logprobs`)")]
    Alternatives,
    /// Continuing an answer that the request begins.
    #[error("continuing an answer that was begun (a last message of the assistant's)")]
    Continuation,
    /// Thinking as much as it is asked to.
    #[error("control of how much it thinks (`reasoning_effort`)")]
    Thinking,
}

/// What a run has no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// Calls.
    #[error("calls")]
    Calls,
    /// Tokens.
    #[error("tokens")]
    Tokens,
}
