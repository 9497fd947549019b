//! A stream, written for a client.

use hone_strategies::chat::{Delta, Dialect, Native};
use serde_json::{Map, Value, json};

use super::answer::{ended, is_call, is_shown, reasoning};
use crate::blocks::{Blocks, Kind, Piece, Step, TooMuch};
use crate::marks::{Minter, clean, envelope};
use crate::shape::{Ending, ErrorReply, Frame, StreamEncoder};
use crate::tables::{errors, usage};
use crate::wire::json::{push_text, str_of};
use crate::wire::sse;

pub(super) struct Encoder {
    frame: Frame,
    minter: Minter,
    blocks: Blocks,
    state: State,
    /// Whether there is a text.
    has_spoken: bool,
    /// Whether a call was written as its maker wrote it.
    own_calls: bool,
    reason: String,
    /// What else is known of the end.
    said_of_end: Map<String, Value>,
}

/// Bytes of the names in an event with a piece of a text.
const LONGEST_NAMES: usize = 160;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Begun,
    Ended,
}

impl Encoder {
    pub(super) fn new(frame: Frame) -> Self {
        Self {
            minter: Minter::new(&frame.seed),
            blocks: Blocks::new(frame.max_held_bytes),
            frame,
            state: State::New,
            has_spoken: false,
            own_calls: false,
            reason: "stop".to_owned(),
            said_of_end: Map::new(),
        }
    }

    /// What `delta` adds, in order: what was thought, said, refused, called.
    fn pieces(&mut self, delta: &Delta, steps: &mut Vec<Step>) -> Result<(), TooMuch> {
        let native = delta.native.as_deref();
        let own = native.filter(|native| native.dialect == Dialect::Anthropic);
        if let Some(own) = own {
            // A delta that says something itself says it twice: the blocks are all of it.
            return self.native(own, !delta.fields.is_empty(), steps);
        }
        if self.frame.shows_reasoning() {
            let thought = reasoning(&delta.fields);
            self.blocks
                .push(Piece::Text(Kind::Reasoning, thought), steps)?;
        }
        if self.frame.shows_reasoning() || self.frame.shows_encrypted() {
            self.signature(native, delta, steps)?;
        }
        for (name, kind) in [("content", Kind::Text), ("refusal", Kind::Refusal)] {
            let text = delta.fields.get(name).and_then(Value::as_str);
            let text = text.unwrap_or_default();
            self.has_spoken |= !text.is_empty();
            self.blocks.push(Piece::Text(kind, text), steps)?;
        }
        let calls = delta.fields.get("tool_calls").and_then(Value::as_array);
        for (at, call) in calls.into_iter().flatten().enumerate() {
            self.blocks.push(tool(call, at), steps)?;
        }
        Ok(())
    }

    /// Closes what was thought with what its provider needs back, or puts that into a block of its
    /// own in front of what follows.
    fn signature(
        &mut self,
        native: Option<&Native>,
        delta: &Delta,
        steps: &mut Vec<Step>,
    ) -> Result<(), TooMuch> {
        let sealed = native.and_then(|native| envelope::seal_native(native, &delta.fields));
        let is_late = self.has_spoken && is_text_alone(native, delta);
        let Some(signature) = sealed.filter(|_| !is_late) else {
            return Ok(());
        };
        let block = json!({"type": "thinking", "thinking": "", "signature": signature});
        let block = Piece::Native(Some(Kind::Reasoning), block);
        self.blocks.push(block, steps)
    }

    fn native(
        &mut self,
        native: &Native,
        is_whole: bool,
        steps: &mut Vec<Step>,
    ) -> Result<(), TooMuch> {
        for block in &native.value {
            if !is_shown(block, &self.frame) {
                continue;
            }
            self.own_calls |= is_whole && is_call(block);
            let kind = match str_of(block, "type") {
                _ if is_whole => None,
                "text" => Some(Kind::Text),
                "thinking" => Some(Kind::Reasoning),
                // The newest call is the one that is complete.
                "tool_use" => self
                    .blocks
                    .open_call()
                    .map(Kind::Tool)
                    .or(Some(Kind::Tool(0))),
                _ => None,
            };
            self.blocks
                .push(Piece::Native(kind, block.clone()), steps)?;
        }
        Ok(())
    }

    fn written(&mut self, steps: Vec<Step>) -> String {
        let mut text = String::new();
        for step in steps {
            self.step(step, &mut text);
        }
        text
    }

    fn step(&mut self, step: Step, text: &mut String) {
        match step {
            Step::Open { block, kind, call } => {
                let start = self.started(kind, call);
                text.push_str(&block_start(block, &start));
            }
            Step::Append {
                block,
                kind,
                text: more,
            } => appended(block, kind, &more, text),
            Step::Close {
                block,
                kind,
                native,
            } => {
                closing(block, kind, native.as_ref(), text);
                text.push_str(&block_stop(block));
            }
            Step::Whole { block, native } => whole(block, native, text),
        }
    }

    /// A block as it begins.
    fn started(&mut self, kind: Kind, call: Option<(String, String)>) -> Value {
        match kind {
            Kind::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Kind::Refusal | Kind::Text => json!({"type": "text", "text": ""}),
            Kind::Tool(_) => {
                let (id, name) = call.unwrap_or_default();
                let id = if id.is_empty() {
                    self.minter.mint("toolu_")
                } else {
                    clean(&id).into_owned()
                };
                json!({"type": "tool_use", "id": id, "name": name, "input": {}})
            }
        }
    }
}

/// Whether Google's signature is one of a text that has begun. The block for it would come behind
/// the text, where clients look for the answer; and Google does without it.
fn is_text_alone(native: Option<&Native>, delta: &Delta) -> bool {
    let is_googles = native.is_some_and(|native| native.dialect == Dialect::Gemini);
    let said = |name: &str| delta.fields.contains_key(name);
    is_googles && !said("reasoning_content") && !said("tool_calls")
}

/// How a block goes on. Most events are such, so they are written without a tree.
fn appended(block: usize, kind: Kind, more: &str, text: &mut String) {
    let (kind, field) = match kind {
        Kind::Reasoning => ("thinking_delta", "thinking"),
        Kind::Refusal | Kind::Text => ("text_delta", "text"),
        Kind::Tool(_) => ("input_json_delta", "partial_json"),
    };
    text.reserve(LONGEST_NAMES + more.len());
    text.push_str("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    text.push_str(&block.to_string());
    for part in [",\"delta\":{\"type\":\"", kind, "\",\"", field, "\":"] {
        text.push_str(part);
    }
    push_text(text, more);
    text.push_str("}}\n\n");
}

/// What a block has to say beside its text.
fn closing(block: usize, kind: Kind, native: Option<&Value>, text: &mut String) {
    if kind == Kind::Reasoning {
        let signature = match native {
            Some(native) => str_of(native, "signature").to_owned(),
            None => envelope::seal_own(),
        };
        let delta = json!({"type": "signature_delta", "signature": signature});
        text.push_str(&block_delta(block, &delta));
    }
    let citations = native.and_then(|native| native.get("citations")?.as_array());
    for citation in citations.into_iter().flatten() {
        let delta = json!({"type": "citations_delta", "citation": citation});
        text.push_str(&block_delta(block, &delta));
    }
}

/// A block that is there at once.
fn whole(block: usize, mut native: Value, text: &mut String) {
    let mut deltas = Vec::new();
    let mut take = |name: &str, kind: &str, empty: Value| {
        let Some(fields) = native.as_object_mut() else {
            return;
        };
        let Some(value) = fields.get_mut(name) else {
            return;
        };
        let value = std::mem::replace(value, empty);
        let is_empty = value.as_str().is_some_and(str::is_empty);
        if !is_empty {
            deltas.push((kind.to_owned(), value));
        }
    };
    take("thinking", "thinking", "".into());
    take("signature", "signature", "".into());
    take("text", "text", "".into());
    take("input", "input_json", json!({}));
    text.push_str(&block_start(block, &native));
    for (kind, value) in deltas {
        let (name, value) = match kind.as_str() {
            "input_json" => ("partial_json", Value::from(value.to_string())),
            name => (name, value),
        };
        let delta = json!({"type": format!("{kind}_delta"), name: value});
        text.push_str(&block_delta(block, &delta));
    }
    text.push_str(&block_stop(block));
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

fn block_start(index: usize, block: &Value) -> String {
    named(&json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn block_delta(index: usize, delta: &Value) -> String {
    named(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn block_stop(index: usize) -> String {
    named(&json!({"type": "content_block_stop", "index": index}))
}

/// An event under its own name, without which clients skip it.
fn named(event: &Value) -> String {
    sse::named(str_of(event, "type"), event)
}

impl StreamEncoder for Encoder {
    fn begin(&mut self) -> String {
        if self.state != State::New {
            return String::new();
        }
        self.state = State::Begun;
        let id = self.minter.mint("msg_");
        // The true count is known at the end; some clients never look there.
        let prompt = self.frame.request.estimated_prompt_tokens();
        named(&json!({"type": "message_start", "message": {
            "id": id,
            "type": "message",
            "role": "assistant",
            "model": self.frame.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {"input_tokens": prompt, "output_tokens": 0},
        }}))
    }

    fn delta(&mut self, choice: u32, delta: &Delta) -> String {
        if choice > 0 || self.state == State::Ended {
            return String::new();
        }
        let mut text = self.begin();
        let mut steps = Vec::new();
        let pushed = self.pieces(delta, &mut steps);
        text.push_str(&self.written(steps));
        if let Some(reason) = &delta.finish_reason {
            reason.clone_into(&mut self.reason);
        }
        if let Some(said) = &delta.rest {
            self.said_of_end.clone_from(said);
        }
        if pushed.is_err() {
            let error = ErrorReply::malformed("More of the answer came at once than may be held.");
            text.push_str(&self.fail(&error));
        }
        text
    }

    fn beat(&mut self) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        named(&json!({"type": "ping"}))
    }

    fn end(&mut self, ending: &Ending) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        let mut text = self.begin();
        let mut steps = Vec::new();
        self.blocks.finish(&mut steps);
        text.push_str(&self.written(steps));
        self.state = State::Ended;
        let calls = self.blocks.has_calls() || self.own_calls;
        let (reason, stop) = ended(&self.reason, calls, &self.said_of_end);
        text.push_str(&named(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": stop},
            "usage": usage::to_anthropic(&ending.usage),
        })));
        text.push_str(&named(&json!({"type": "message_stop"})));
        if let Some(trailer) = &ending.trailer {
            text.push_str(&sse::comment(&format!("hone {trailer}")));
        }
        text
    }

    fn fail(&mut self, error: &ErrorReply) -> String {
        if std::mem::replace(&mut self.state, State::Ended) == State::Ended {
            return String::new();
        }
        named(&errors::anthropic(error))
    }
}
