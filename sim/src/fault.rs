//! What can go wrong: edits of an answer's script.

use serde::{Deserialize, Serialize};

use crate::script::{Before, Script, Step};
use crate::voice::Voice;

mod bomb;
mod edit;
mod gzip;

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
        Self {
            fault,
            rate: always(),
            limit: None,
            endpoint: None,
        }
    }
}

/// One way of going wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An error status with the error body of the endpoint's dialect.
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
    /// After half of the body the connection (HTTP/1) or stream (HTTP/2) ends: a stream is cut, a
    /// body is shorter than its `content-length`.
    CutMidBody,
    /// A stream ends properly, but without its last event (`[DONE]`). Other answers are empty.
    EndEarly,
    /// After half of the body it ends properly.
    EndMidBody,
    /// An error event in the middle of a stream, which ends after it, as its dialect tells an
    /// internal error. Other answers become the error's body, with status 200.
    ErrorEvent,
    /// The same for the error of this status.
    StatusEvent {
        /// 400 to 599.
        status: u16,
        /// The error's `code`.
        #[serde(default)]
        code: Option<String>,
    },
    /// JSON that breaks off: the answer, or an event in the middle of a stream.
    MalformedJson,
    /// Bytes that are not UTF-8 inside a text.
    InvalidUtf8,
    /// No content: `null` in the message of every choice.
    NullContent,
    /// Empty content in the message of every choice.
    EmptyContent,
    /// An empty list of choices.
    NoChoices,
    /// An HTML page with status 200.
    HtmlPage,
    /// A body in gzip, though only `identity` may have been accepted.
    Gzip,
    /// A redirection (307).
    Redirect {
        /// The value of `Location`.
        location: String,
    },
    /// A response header beyond all bounds.
    HugeHeader {
        /// The length of its value.
        bytes: usize,
    },
    /// An informational response (103) before the answer, which is then what it would have been.
    /// HTTP/1.1 only.
    EarlyHints,
    /// JSON that takes a reader far more memory than bytes, in fields that nobody asked for: of the
    /// answer and of its first message, or in the middle event of a stream.
    JsonBomb {
        /// What it is made of.
        shape: Bomb,
        /// About how long each of the fields is.
        bytes: usize,
    },
}

/// JSON that becomes large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bomb {
    /// Lists in lists.
    Deep,
    /// One list of many lists of a number.
    Wide,
    /// One object of many names.
    Names,
}

impl Fault {
    /// The name under which it is counted: as it is written in JSON.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Disconnect => "disconnect",
            Self::HangBeforeHead => "hang_before_head",
            Self::HangMidBody => "hang_mid_body",
            Self::CutMidBody => "cut_mid_body",
            Self::EndEarly => "end_early",
            Self::EndMidBody => "end_mid_body",
            Self::ErrorEvent => "error_event",
            Self::StatusEvent { .. } => "status_event",
            Self::MalformedJson => "malformed_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NullContent => "null_content",
            Self::EmptyContent => "empty_content",
            Self::NoChoices => "no_choices",
            Self::HtmlPage => "html_page",
            Self::Gzip => "gzip",
            Self::Redirect { .. } => "redirect",
            Self::HugeHeader { .. } => "huge_header",
            Self::EarlyHints => "early_hints",
            Self::JsonBomb { .. } => "json_bomb",
        }
    }

    /// The script with this fault in it. The faults of the content are not here: the endpoint takes
    /// them into account.
    pub(crate) fn apply(&self, mut script: Script, voice: &Voice) -> Script {
        match self {
            Self::Status {
                status,
                retry_after,
                code,
            } => {
                let mut refusal = edit::refusal(*status, code.as_deref());
                refusal.retry_after.clone_from(retry_after);
                return edit::refused(script, voice.refuse(&refusal));
            }
            Self::Redirect { location } => return edit::redirect(script, location),
            Self::HtmlPage => return edit::page(script),
            Self::Disconnect => script.before.push(Before::Abort),
            Self::HangBeforeHead => script.before.push(Before::Hang),
            Self::HangMidBody => edit::end_half_way(&mut script, [Step::Hang]),
            Self::CutMidBody => {
                edit::end_half_way(&mut script, [Step::Wait(edit::FLUSH), Step::Abort]);
            }
            Self::EndEarly => edit::end_early(&mut script),
            Self::EndMidBody => {
                edit::end_half_way(&mut script, []);
                edit::correct_length(&mut script);
            }
            Self::ErrorEvent => edit::end_in_error(&mut script, &edit::refusal(500, None), voice),
            Self::StatusEvent { status, code } => {
                let refusal = edit::refusal(*status, code.as_deref());
                edit::end_in_error(&mut script, &refusal, voice);
            }
            Self::MalformedJson => edit::edit_middle(&mut script, edit::first_half),
            Self::InvalidUtf8 => edit::edit_middle(&mut script, edit::not_utf8),
            Self::Gzip => edit::compress(&mut script),
            Self::HugeHeader { bytes } => edit::huge_header(&mut script, *bytes),
            Self::EarlyHints => script.before.push(Before::EarlyHints),
            Self::JsonBomb { shape, bytes } => {
                let bomb = bomb::of(*shape, *bytes);
                edit::edit_middle(&mut script, |json| edit::with_field(json, &bomb));
            }
            Self::NullContent | Self::EmptyContent | Self::NoChoices => {}
        }
        script
    }
}
