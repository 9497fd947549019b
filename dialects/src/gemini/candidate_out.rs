//! A candidate of a stream, written part by part.

use hone_strategies::chat::{Delta, Dialect, Logprobs, Native};
use serde_json::{Map, Value, json};

use super::answer_in::CANDIDATE;
use super::answer_out::{call_part, candidate, is_shown, seal, thought};
use super::fields::get;
use super::{logprobs, signature};
use crate::blocks::{Blocks, Kind, Piece, Step, TooMuch};
use crate::marks::Minter;
use crate::shape::{ErrorReply, Frame};
use crate::tables::finish;
use crate::wire::json::str_of;

/// A candidate as far as it has been written.
pub(super) struct Candidate {
    pub(super) blocks: Blocks,
    /// What will be written next.
    pub(super) held: Vec<Value>,
    /// The call that is open: its id, its name, and its arguments so far.
    call: (String, String, String),
    pub(super) reason: String,
    /// Calls that were written as their maker wrote them.
    own_calls: bool,
    /// Reasoning of another dialect, which the next call carries.
    foreign: Option<Native>,
    /// What stands beside the parts.
    beside: Map<String, Value>,
    pub(super) logprobs: Option<Logprobs>,
}

/// Why an answer cannot go on.
pub(super) enum Broken {
    /// A call's arguments are no object, and the answer does not say that it was cut.
    Arguments,
    TooMuch,
}

impl From<TooMuch> for Broken {
    fn from(_: TooMuch) -> Self {
        Self::TooMuch
    }
}

impl From<Broken> for ErrorReply {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Arguments => Self {
                code: Some("malformed_tool_call".to_owned()),
                ..Self::malformed("The model's call has arguments that are no JSON object.")
            },
            Broken::TooMuch => Self::malformed("More of the answer came at once than may be held."),
        }
    }
}

impl Candidate {
    pub(super) fn new(frame: &Frame) -> Self {
        Self {
            blocks: Blocks::new(frame.max_held_bytes),
            held: Vec::new(),
            call: <(String, String, String)>::default(),
            reason: "stop".to_owned(),
            own_calls: false,
            foreign: None,
            beside: Map::new(),
            logprobs: None,
        }
    }

    /// What `delta` adds, in order: what was thought, said, refused, called.
    pub(super) fn steps(&mut self, delta: &Delta, frame: &Frame) -> Result<Vec<Step>, Broken> {
        let mut steps = Vec::new();
        let native = delta.native.as_deref();
        if let Some(own) = native.filter(|native| native.dialect == Dialect::Gemini) {
            self.native(own, !delta.fields.is_empty(), frame, &mut steps)?;
            return Ok(steps);
        }
        if let Some(more) = native.and_then(signature::reasoning) {
            match &mut self.foreign {
                Some(kept) if kept.dialect == more.dialect && kept.model == more.model => {
                    kept.value.extend(more.value);
                }
                kept => *kept = Some(more),
            }
        }
        if frame.shows_reasoning() {
            let thought = Piece::Text(Kind::Reasoning, thought(&delta.fields));
            self.blocks.push(thought, &mut steps)?;
        }
        for (name, kind) in [("content", Kind::Text), ("refusal", Kind::Refusal)] {
            let text = delta.fields.get(name).and_then(Value::as_str);
            let text = Piece::Text(kind, text.unwrap_or_default());
            self.blocks.push(text, &mut steps)?;
        }
        let calls = delta.fields.get("tool_calls").and_then(Value::as_array);
        for (at, call) in calls.into_iter().flatten().enumerate() {
            self.blocks.push(tool(call, at), &mut steps)?;
        }
        Ok(steps)
    }

    /// Parts as their maker wrote them. Where `is_whole` is not set, texts and calls among them
    /// have been written already.
    fn native(
        &mut self,
        native: &Native,
        is_whole: bool,
        frame: &Frame,
        steps: &mut Vec<Step>,
    ) -> Result<(), Broken> {
        for part in &native.value {
            if let Some(beside) = part.get(CANDIDATE).and_then(Value::as_object) {
                self.beside.extend(beside.clone());
                continue;
            }
            let is_call = get(part, "functionCall").is_some();
            let is_told = is_call || get(part, "text").is_some();
            if is_told && !is_whole || !is_shown(part, frame) {
                continue;
            }
            self.own_calls |= is_call;
            self.blocks.push(Piece::Native(None, part.clone()), steps)?;
        }
        Ok(())
    }

    /// The part that a step completes.
    pub(super) fn part(
        &mut self,
        step: Step,
        minter: &mut Minter,
    ) -> Result<Option<Value>, Broken> {
        match step {
            Step::Open { call, .. } => {
                let (id, name) = call.unwrap_or_default();
                self.call = (id, name, String::new());
                Ok(None)
            }
            Step::Append { kind, text, .. } => Ok(match kind {
                Kind::Reasoning => Some(json!({"text": text, "thought": true})),
                Kind::Refusal | Kind::Text => Some(json!({ "text": text })),
                Kind::Tool(_) => {
                    self.call.2.push_str(&text);
                    None
                }
            }),
            Step::Close { kind, .. } => match kind {
                Kind::Tool(_) => self.called(minter),
                Kind::Reasoning | Kind::Refusal | Kind::Text => Ok(None),
            },
            Step::Whole { native, .. } => Ok(Some(native)),
        }
    }

    /// The call that has ended, unless it was cut off.
    fn called(&mut self, minter: &mut Minter) -> Result<Option<Value>, Broken> {
        let (id, name, text) = std::mem::take(&mut self.call);
        let args = match serde_json::from_str(&text) {
            Ok(Value::Object(args)) => args,
            _ if text.trim().is_empty() => Map::new(),
            _ if self.reason == "length" => return Ok(None),
            _ => return Err(Broken::Arguments),
        };
        let mut part = call_part(&id, &name, &args, minter);
        if let Some(sealed) = self.foreign.take().as_ref().and_then(signature::sealed) {
            signature::sign(&mut part, sealed);
        }
        Ok(Some(part))
    }

    /// The candidate as its last chunk has it.
    pub(super) fn last(&mut self, index: u32) -> Value {
        let mut parts = std::mem::take(&mut self.held);
        if let Some(sealed) = self.foreign.take().as_ref().and_then(signature::sealed) {
            seal_last(&mut parts, sealed);
        }
        let calls = self.blocks.has_calls() || self.own_calls;
        let mut last = candidate(index, parts);
        if let Some(fields) = last.as_object_mut() {
            let reason = finish::to_gemini(&self.reason, calls);
            fields.insert("finishReason".to_owned(), reason.into());
            if let Some(logprobs) = self.logprobs.as_ref().and_then(logprobs::write) {
                fields.insert("logprobsResult".to_owned(), logprobs);
            }
            fields.extend(std::mem::take(&mut self.beside));
        }
        last
    }
}

/// Puts an envelope beside the last part. Where that is none that may be signed, an empty text is.
fn seal_last(parts: &mut Vec<Value>, sealed: String) {
    let is_free = |part: &Value| part.get("thought").is_none() && signature::of(part).is_empty();
    if !parts.last().is_some_and(is_free) {
        parts.push(json!({"text": ""}));
    }
    seal(parts, sealed);
}

fn tool(call: &Value, at: usize) -> Piece<'_> {
    let function = call.get("function").unwrap_or(&Value::Null);
    let index = call.get("index").and_then(Value::as_u64);
    let index = index.or_else(|| u64::try_from(at).ok());
    Piece::Tool {
        index: index
            .and_then(|index| u32::try_from(index).ok())
            .unwrap_or(0),
        id: call.get("id").and_then(Value::as_str),
        name: function.get("name").and_then(Value::as_str),
        arguments: str_of(function, "arguments"),
    }
}
