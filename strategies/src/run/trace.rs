//! What happened in a run, as plain data. It holds answers, never prompts.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::chat::Usage;
use crate::model::{ModelError, Purpose};

/// What happened in a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Trace {
    /// Every call, in the order in which they began.
    pub calls: Vec<CallRecord>,
    /// What the strategies had to choose from.
    pub candidates: Vec<CandidateRecord>,
    /// What the strategies remarked.
    pub notes: Vec<Note>,
}

/// One call to the model.
#[derive(Debug, Clone, Serialize)]
pub struct CallRecord {
    /// The strategy that made it, with the number of its choice: `bon#0`.
    pub branch: String,
    /// Its part in the strategy.
    pub purpose: Purpose,
    /// The model that it asked.
    pub model: String,
    /// Its number among the calls of this purpose in one step.
    pub index: u32,
    /// When it began, since the run's start.
    #[serde(rename = "started_ms", serialize_with = "milliseconds")]
    pub started: Duration,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// What it cost, as reported, else as counted; for a cancelled call, what it is taken to have
    /// cost.
    pub usage: Usage,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// With an answer.
    Answered,
    /// Dropped: its answer was no longer wanted, or the deadline passed.
    Cancelled,
    /// A limit of hone's refused it.
    Limited,
    /// Its answer was malformed.
    Malformed,
    /// It has not ended.
    Pending,
    /// The upstream's rate limit refused it.
    RateLimited,
    /// The upstream answered with this status.
    Rejected(u16),
    /// It took too long.
    TimedOut,
    /// The connection failed.
    Unavailable,
    /// It could not be said to the upstream, and was not made.
    Unspeakable,
}

impl From<&ModelError> for CallOutcome {
    fn from(error: &ModelError) -> Self {
        match error {
            ModelError::Limited { .. } | ModelError::NoRoom => Self::Limited,
            ModelError::Malformed { .. } => Self::Malformed,
            ModelError::RateLimited(_) => Self::RateLimited,
            ModelError::Rejected(rejection) => Self::Rejected(rejection.status),
            ModelError::TimedOut => Self::TimedOut,
            ModelError::Unavailable { .. } => Self::Unavailable,
            ModelError::Unspeakable(_) => Self::Unspeakable,
        }
    }
}

/// One of the answers that a strategy chose from or built upon.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateRecord {
    /// The strategy that had it made, with the number of its choice.
    pub branch: String,
    /// Its number.
    pub index: u32,
    /// What it says.
    pub text: String,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// The final answer that was read from it, where one was looked for.
    pub answer: Option<String>,
    /// Its rating or its votes, where it got any.
    pub score: Option<f64>,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// A remark of a strategy.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// The strategy, with the number of its choice.
    pub branch: String,
    /// What it is about.
    pub name: &'static str,
    /// What there is to say.
    pub value: Value,
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
