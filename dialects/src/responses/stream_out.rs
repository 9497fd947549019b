//! A stream, written for a client.
//!
//! Every event has its number, every item's events its id and its place, and the last event has the
//! whole response again, made of the very items that were sent.

use hone_strategies::chat::{Delta, Native};
use serde_json::{Value, json};

use super::answer_out::listed;
use super::events::{Part, Writer, begun};
use super::object::{self, Calls, Response};
use super::said::{APART, from_chat, parts};
use super::stream_open::{Beside, Open, part_of};
use super::tools::is_call;
use crate::blocks::{Blocks, Kind, Piece, Step, TooMuch};
use crate::marks::{Minter, OWN_RESPONSE};
use crate::shape::{Ending, ErrorReply, Frame, StreamEncoder};
use crate::tables::finish;
use crate::wire::json::str_of;
use crate::wire::sse;

pub(super) struct Encoder {
    frame: Frame,
    calls: Calls,
    minter: Minter,
    blocks: Blocks,
    writer: Writer,
    /// The response's id.
    id: String,
    open: Option<Open>,
    /// The items that have ended.
    items: Vec<Value>,
    /// Bytes of all items: they come again at the end.
    bytes: usize,
    state: State,
    has_refused: bool,
    reason: String,
    /// What goes with the next text.
    logprobs: Vec<Value>,
    annotations: Vec<Value>,
    /// Whether an item of the upstream's own has ended a text: what sets the next one apart in chat
    /// is none of its own.
    is_set_apart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Begun,
    Ended,
}

impl Encoder {
    pub(super) fn new(frame: Frame) -> Self {
        let mut minter = Minter::new(&frame.seed);
        Self {
            id: minter.mint(OWN_RESPONSE),
            minter,
            calls: Calls::of(&frame),
            blocks: Blocks::new(frame.max_held_bytes),
            frame,
            writer: Writer::default(),
            open: None,
            items: Vec::new(),
            bytes: 0,
            state: State::New,
            has_refused: false,
            reason: "stop".to_owned(),
            logprobs: Vec::new(),
            annotations: Vec::new(),
            is_set_apart: false,
        }
    }

    /// What `delta` adds, in order: what was thought, said, refused, called.
    fn pieces(&mut self, delta: &Delta, steps: &mut Vec<Step>) -> Result<(), TooMuch> {
        let native = delta.native.as_deref();
        if let Some(own) = native.filter(|native| native.dialect == super::said::OWN) {
            // A delta that says something itself says it twice: the items are all of it.
            return self.native(own, !delta.fields.is_empty(), steps);
        }
        if self.frame.shows_reasoning() {
            let thought = object::thought(&delta.fields);
            self.blocks
                .push(Piece::Text(Kind::Reasoning, thought), steps)?;
        }
        let said = &delta.fields;
        let sealed = native.and_then(|native| object::sealed(native, said, &self.frame));
        // Behind a text that it belongs to: the text stays one.
        let is_texts = !said.contains_key("reasoning_content") && !said.contains_key("tool_calls");
        let (first, last) = if is_texts && said.contains_key("content") {
            (None, sealed)
        } else {
            (sealed, None)
        };
        self.reasoning(first, steps)?;
        self.beside(delta);
        for (name, kind) in [("content", Kind::Text), ("refusal", Kind::Refusal)] {
            let text = said.get(name).and_then(Value::as_str);
            let piece = Piece::Text(kind, text.unwrap_or_default());
            self.blocks.push(piece, steps)?;
        }
        self.reasoning(last, steps)?;
        let calls = delta.fields.get("tool_calls").and_then(Value::as_array);
        for (at, call) in calls.into_iter().flatten().enumerate() {
            self.blocks.push(tool(call, at), steps)?;
        }
        Ok(())
    }

    /// What its provider needs back: the end of the reasoning that is open, or an item of its own.
    fn reasoning(&mut self, sealed: Option<String>, steps: &mut Vec<Step>) -> Result<(), TooMuch> {
        if sealed.is_none() {
            return Ok(());
        }
        let id = self.minter.mint("rs_");
        let item = object::reasoning(&id, "", sealed);
        let piece = Piece::Native(Some(Kind::Reasoning), item);
        self.blocks.push(piece, steps)
    }

    /// Keeps what belongs to a text beside it.
    fn beside(&mut self, delta: &Delta) {
        if self.frame.request.get("logprobs") == Some(&json!(true)) {
            let logprobs = delta.logprobs.as_ref();
            self.logprobs
                .extend(logprobs.map(listed).unwrap_or_default());
        }
        self.annotations
            .extend(from_chat(delta.fields.get("annotations")));
    }

    fn native(
        &mut self,
        native: &Native,
        is_whole: bool,
        steps: &mut Vec<Step>,
    ) -> Result<(), TooMuch> {
        for item in &native.value {
            let open = self.open.as_ref().map(|open| open.kind);
            let kind = match str_of(item, "type") {
                _ if is_whole => None,
                "reasoning" => Some(Kind::Reasoning),
                "message" => match open {
                    Some(kind @ (Kind::Refusal | Kind::Text)) => Some(kind),
                    // It is said already.
                    _ => continue,
                },
                "function_call" | "custom_tool_call" => {
                    // The newest call is the one that is complete.
                    let call = self.blocks.open_call().unwrap_or(0);
                    Some(Kind::Tool(call))
                }
                _ => None,
            };
            let shown = self.calls.shown(item, &self.frame);
            self.blocks.push(Piece::Native(kind, shown), steps)?;
        }
        Ok(())
    }

    fn written(&mut self, steps: Vec<Step>, is_last: bool) {
        let last = steps.len().saturating_sub(1);
        for (at, step) in steps.into_iter().enumerate() {
            self.step(step, is_last && at == last);
        }
    }

    fn step(&mut self, step: Step, is_last: bool) {
        match step {
            Step::Open { block, kind, call } => self.started(block, kind, call.unwrap_or_default()),
            Step::Append { block, text, .. } => self.append(block, &text),
            Step::Close { block, native, .. } => self.close(block, native.as_ref(), is_last),
            Step::Whole { block, native } => {
                self.bytes = self.bytes.saturating_add(native.to_string().len());
                self.has_refused |= parts(&native).any(|part| str_of(part, "type") == "refusal");
                self.writer.whole(block, &native);
                self.items.push(native);
            }
        }
    }

    fn started(&mut self, block: usize, kind: Kind, (call_id, name): (String, String)) {
        let id = match kind {
            Kind::Reasoning => self.minter.mint("rs_"),
            Kind::Refusal | Kind::Text => self.minter.mint("msg_"),
            Kind::Tool(_) => self.calls.id(&name, &mut self.minter),
        };
        let call_id = match kind {
            Kind::Tool(_) => object::call_id(&call_id, &mut self.minter),
            Kind::Reasoning | Kind::Refusal | Kind::Text => String::new(),
        };
        self.has_refused |= kind == Kind::Refusal;
        let open = Open {
            id,
            kind,
            text: String::new(),
            logprobs: Vec::new(),
            call_id,
            name,
        };
        let whole = open.item(self.beside_of(None, "in_progress"));
        self.writer.added(block, begun(&whole));
        if let Some(part) = part_of(&whole) {
            self.writer.part_added(open.place(block), 0, part);
        }
        self.open = Some(open);
    }

    fn beside_of<'a>(&'a self, native: Option<&'a Value>, status: &'a str) -> Beside<'a> {
        Beside {
            calls: &self.calls,
            native,
            annotations: &self.annotations,
            shows_encrypted: self.frame.shows_encrypted(),
            status,
        }
    }

    fn append(&mut self, block: usize, more: &str) {
        self.bytes = self.bytes.saturating_add(more.len());
        let Some(open) = &mut self.open else {
            return;
        };
        let is_set_apart = open.kind == Kind::Text && std::mem::take(&mut self.is_set_apart);
        let more = if is_set_apart {
            more.strip_prefix(APART).unwrap_or(more)
        } else {
            more
        };
        open.text.push_str(more);
        let place = open.place(block);
        let part = match open.kind {
            Kind::Reasoning => Part::Summary,
            Kind::Refusal => Part::Refusal,
            Kind::Text => {
                let logprobs = std::mem::take(&mut self.logprobs);
                self.writer.delta(place, (Part::Text, 0), more, &logprobs);
                open.logprobs.extend(logprobs);
                return;
            }
            Kind::Tool(_) => {
                // A text is known when the arguments that hold it are whole.
                if !self.calls.is_custom(&open.name) {
                    self.writer.arguments(place, more);
                }
                return;
            }
        };
        self.writer.delta(place, (part, 0), more, &[]);
    }

    fn close(&mut self, block: usize, native: Option<&Value>, is_last: bool) {
        let Some(open) = self.open.take() else {
            return;
        };
        let is_cut = is_last && self.reason == "length";
        let status = if is_cut { "incomplete" } else { "completed" };
        let item = open.item(self.beside_of(native, status));
        let place = open.place(block);
        if let Some(part) = part_of(&item) {
            self.writer.part_done(place, 0, part);
        } else {
            self.writer.called(place, &item);
        }
        if open.kind == Kind::Text {
            self.is_set_apart = native.is_some();
            self.annotations.clear();
        }
        self.writer.done(block, item.clone());
        self.items.push(item);
    }

    fn overflow(&mut self) {
        let error = ErrorReply::malformed("More of the answer came than may be held.");
        self.failed(&error);
    }

    fn failed(&mut self, error: &ErrorReply) {
        if std::mem::replace(&mut self.state, State::Ended) == State::Ended {
            return;
        }
        let response = Response {
            output: std::mem::take(&mut self.items),
            error: Some(object::failure(error)),
            ..Response::new("failed")
        };
        let response = response.whole(&self.id, &self.frame);
        self.writer.response("response.failed", response);
    }

    fn started_response(&mut self) {
        if self.state != State::New {
            return;
        }
        self.state = State::Begun;
        for kind in ["response.created", "response.in_progress"] {
            let response = Response::new("in_progress").whole(&self.id, &self.frame);
            self.writer.response(kind, response);
        }
    }

    fn finished(&mut self, ending: &Ending) {
        self.state = State::Ended;
        let calls = self.items.iter().any(is_call);
        let (status, why) = finish::to_responses(&self.reason, calls, self.has_refused);
        let response = Response {
            status,
            why,
            output: std::mem::take(&mut self.items),
            usage: Some(ending.usage),
            error: None,
        };
        let response = response.whole(&self.id, &self.frame);
        self.writer
            .response(&format!("response.{status}"), response);
        if let Some(trailer) = &ending.trailer {
            self.writer.comment(&format!("hone {trailer}"));
        }
    }
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

impl StreamEncoder for Encoder {
    fn begin(&mut self) -> String {
        self.started_response();
        self.writer.take()
    }

    fn delta(&mut self, choice: u32, delta: &Delta) -> String {
        if choice > 0 || self.state == State::Ended {
            return String::new();
        }
        self.started_response();
        let mut steps = Vec::new();
        let pushed = self.pieces(delta, &mut steps);
        self.written(steps, false);
        if let Some(reason) = &delta.finish_reason {
            reason.clone_into(&mut self.reason);
        }
        if pushed.is_err() || self.bytes > self.frame.max_held_bytes {
            self.overflow();
        }
        self.writer.take()
    }

    fn beat(&mut self) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        if self.state == State::New {
            return sse::comment("working");
        }
        // A comment does not tell every client that the stream is alive.
        let response = Response::new("in_progress").short(&self.id, &self.frame);
        self.writer.response("response.in_progress", response);
        self.writer.take()
    }

    fn end(&mut self, ending: &Ending) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        self.started_response();
        let mut steps = Vec::new();
        self.blocks.finish(&mut steps);
        self.written(steps, true);
        self.finished(ending);
        self.writer.take()
    }

    fn fail(&mut self, error: &ErrorReply) -> String {
        self.started_response();
        self.failed(error);
        self.writer.take()
    }
}
