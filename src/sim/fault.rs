//! What can go wrong: edits of an answer's script.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::script::{Before, Script, Step};

/// Long enough for what was sent before an abort to leave the process: an abort throws away what is still buffered.
const FLUSH: Duration = Duration::from_millis(2);

/// A fault, and when it happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// What goes wrong.
    pub fault: Fault,
    /// How likely it is for one request, in [0, 1].
    #[serde(default = "always")]
    pub rate: f64,
    /// How often it happens at most. `null`: without end.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The only endpoint that it happens to, e.g. `chat/completions`. `null`: all.
    #[serde(default)]
    pub endpoint: Option<String>,
}

const fn always() -> f64 {
    1.0
}

impl From<Fault> for Injection {
    /// Happens to every request.
    fn from(fault: Fault) -> Self {
        Self { fault, rate: always(), limit: None, endpoint: None }
    }
}

/// One way of going wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An error status with OpenAI's error body.
    Status {
        /// 400 to 599.
        status: u16,
        /// The value of `Retry-After`.
        #[serde(default)]
        retry_after: Option<String>,
        /// The error's `code`.
        #[serde(default)]
        code: Option<String>,
    },
    /// The connection (HTTP/1) or stream (HTTP/2) ends before the head.
    Disconnect,
    /// The head never comes.
    HangBeforeHead,
    /// After half of the body nothing more comes.
    HangMidBody,
    /// After half of the body the connection (HTTP/1) or stream (HTTP/2) ends: a stream is cut, a body is shorter than its `content-length`.
    CutMidBody,
}

impl Fault {
    /// The name under which it is counted: as it is written in JSON.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Disconnect => "disconnect",
            Self::HangBeforeHead => "hang_before_head",
            Self::HangMidBody => "hang_mid_body",
            Self::CutMidBody => "cut_mid_body",
        }
    }

    /// The script with this fault in it.
    pub(super) fn apply(&self, mut script: Script) -> Script {
        match self {
            Self::Status { status, retry_after, code } => return refusal(script, *status, retry_after.as_deref(), code.as_deref()),
            Self::Disconnect => script.before.push(Before::Abort),
            Self::HangBeforeHead => script.before.push(Before::Hang),
            Self::HangMidBody => end_half_way(&mut script, [Step::Hang]),
            Self::CutMidBody => end_half_way(&mut script, [Step::Wait(FLUSH), Step::Abort]),
        }
        script
    }
}

/// An error in the script's place, after the same wait.
fn refusal(script: Script, status: u16, retry_after: Option<&str>, code: Option<&str>) -> Script {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut refusal = Refusal::new(status, "This error was injected by the simulated provider.");
    if let Some(code) = code {
        refusal = refusal.code(code);
    }
    if code == Some("insufficient_quota") {
        refusal = refusal.kind("insufficient_quota");
    }
    let mut error = Script::refusal(&refusal);
    error.before = script.before.into_iter().filter(|before| matches!(before, Before::Wait(_))).collect();
    if let Some(value) = retry_after.and_then(|value| value.parse().ok()) {
        error.headers.insert(RETRY_AFTER, value);
    }
    error
}

/// Keeps the first half of what is sent, and lets `end` follow.
fn end_half_way(script: &mut Script, end: impl IntoIterator<Item = Step>) {
    let sends = script.steps.iter().filter(|step| matches!(step, Step::Send { .. })).count();
    let mut kept = VecDeque::new();
    let mut left = sends / 2;
    for step in std::mem::take(&mut script.steps) {
        match step {
            Step::Send { bytes, tokens: _ } if sends == 1 => {
                kept.push_back(Step::send(first_half(&bytes)));
                break;
            }
            Step::Send { .. } if left == 0 => break,
            Step::Send { .. } => left -= 1,
            Step::Wait(_) | Step::Hang | Step::Abort => {}
        }
        kept.push_back(step);
    }
    kept.extend(end);
    script.steps = kept;
}

fn first_half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}
