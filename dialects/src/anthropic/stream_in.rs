//! An upstream's stream, read.
//!
//! ```text
//! Idle ─ message_start ► Open ─ message_delta with a reason ► Finished ─ message_stop ► Done
//! ```
//!
//! The end of the body is an error but in the last two: then the answer was whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use hone_strategies::chat::{Chunk, Delta, Dialect, Native};
use serde_json::{Map, Value, json};

use super::answer::{explanation, said_of_end};
use crate::marks::clean;
use crate::shape::{ErrorReply, Event, Source, StreamDecoder};
use crate::tables::usage::AnthropicCounters;
use crate::tables::{errors, finish};
use crate::wire::json::{document, str_of};
use crate::wire::sse::{Message, Reader};

mod piece;

use piece::Kind;

/// More blocks than any answer has.
const MOST_BLOCKS: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Open,
    Finished,
    Done,
}

pub(super) struct Decoder {
    reader: Reader,
    source: Source,
    state: State,
    /// Whether a `message_start` has come.
    has_started: bool,
    counters: AnthropicCounters,
    /// Blocks that are open, by the upstream's numbers. Boxed, since a tree has room for eleven at
    /// once.
    open: BTreeMap<u64, Box<Block>>,
    blocks: usize,
    calls: u32,
    says_something: bool,
    rest: Map<String, Value>,
    events: Vec<Event>,
}

/// A block as far as it has come.
struct Block {
    /// As it began, with what was added to it.
    value: Value,
    /// Its number among the calls, if it is one.
    call: Option<u32>,
    input: String,
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            reader: Reader::new(source.max_event_bytes),
            source,
            state: State::Idle,
            has_started: false,
            counters: AnthropicCounters::default(),
            open: BTreeMap::new(),
            blocks: 0,
            calls: 0,
            says_something: false,
            rest: Map::new(),
            events: Vec::new(),
        }
    }

    fn message(&mut self, message: &Message) {
        if self.state == State::Done {
            return;
        }
        if let Some((number, kind, more)) = piece::read(&message.data) {
            return self.piece(number, kind, &more);
        }
        let Some(event) = document(&message.data) else {
            let is_lost = message.data.trim_ascii_start().first() == Some(&b'{');
            if is_lost {
                self.fail(ErrorReply::malformed(
                    "An event of the upstream's is no JSON.",
                ));
            }
            return;
        };
        match str_of(&event, "type") {
            "message_start" => self.start(event.get("message").unwrap_or(&Value::Null)),
            "content_block_start" => self.block_start(&event),
            "content_block_delta" => self.block_delta(&event),
            "content_block_stop" => self.block_stop(number(&event)),
            "message_delta" => self.message_delta(&event),
            "message_stop" => self.stop(),
            "error" => {
                let status = errors::status_within(Dialect::Anthropic, &event);
                self.fail(errors::from_document(Dialect::Anthropic, status, &event));
            }
            _ => {}
        }
    }

    fn start(&mut self, message: &Value) {
        if self.has_started {
            let why = "The upstream's stream begins a second answer.";
            return self.fail(ErrorReply::malformed(why));
        }
        self.has_started = true;
        if self.state == State::Idle {
            self.state = State::Open;
        }
        self.counters
            .update(message.get("usage").unwrap_or(&Value::Null));
        for name in ["id", "model"] {
            if let Some(value) = message.get(name) {
                self.rest.insert(name.to_owned(), value.clone());
            }
        }
        self.add(Delta::field("role", "assistant"));
    }

    fn block_start(&mut self, event: &Value) {
        let block = event.get("content_block").cloned().unwrap_or_default();
        self.open_block(number(event), block);
    }

    fn open_block(&mut self, number: u64, mut value: Value) {
        self.block_stop(number);
        self.blocks += 1;
        if self.blocks > MOST_BLOCKS {
            return self.fail(ErrorReply::malformed("The answer has too many blocks."));
        }
        let call = (str_of(&value, "type") == "tool_use").then(|| {
            let index = self.calls;
            self.calls = self.calls.saturating_add(1);
            index
        });
        if let Some(index) = call {
            self.call(index, &value);
        } else {
            let text = match str_of(&value, "type") {
                "text" => str_of(&value, "text").to_owned(),
                "thinking" => str_of(&value, "thinking").to_owned(),
                _ => String::new(),
            };
            self.said(&value, &text);
        }
        if let (Some(Value::String(id)), true) = (value.get_mut("id"), call.is_some()) {
            *id = clean(id).into_owned();
        }
        let input = String::new();
        let block = Block { value, call, input };
        self.open.insert(number, Box::new(block));
    }

    fn call(&mut self, index: u32, block: &Value) {
        self.says_something = true;
        let name = self.source.names.here(str_of(block, "name"));
        let call = json!({"index": index, "id": clean(str_of(block, "id")), "type": "function",
            "function": {"name": name, "arguments": ""}});
        self.add(Delta::field("tool_calls", vec![call]));
    }

    /// Tells more of a block that is a text or a thought.
    fn said(&mut self, block: &Value, text: &str) {
        if text.is_empty() {
            return;
        }
        self.says_something = true;
        match str_of(block, "type") {
            "text" => self.add(Delta::content(text)),
            "thinking" => self.add(Delta::field("reasoning_content", text)),
            _ => {}
        }
    }

    fn block_delta(&mut self, event: &Value) {
        let delta = event.get("delta").unwrap_or(&Value::Null);
        if let Some((kind, more)) = piece::of(delta) {
            return self.piece(number(event), kind, more);
        }
        if str_of(delta, "type") == "citations_delta"
            && let Some(block) = self.open.get_mut(&number(event))
        {
            cite(&mut block.value, delta.get("citation"));
        }
    }

    /// A piece of a block's text. Some servers do not tell that the block begins.
    fn piece(&mut self, number: u64, kind: Kind, more: &str) {
        if !self.open.contains_key(&number) {
            let block = match kind {
                Kind::Text => json!({"type": "text", "text": ""}),
                Kind::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
                Kind::Input | Kind::Signature => return,
            };
            self.open_block(number, block);
        }
        let Some(mut block) = self.open.remove(&number) else {
            return;
        };
        match kind {
            Kind::Text | Kind::Thinking => self.more(&mut block, kind.field(), more),
            Kind::Signature => append(&mut block.value, kind.field(), more),
            Kind::Input => {
                block.input.push_str(more);
                if let (Some(index), false) = (block.call, more.is_empty()) {
                    self.arguments(index, more);
                }
            }
        }
        self.open.insert(number, block);
    }

    fn more(&mut self, block: &mut Block, name: &str, text: &str) {
        append(&mut block.value, name, text);
        self.said(&block.value, text);
    }

    fn arguments(&mut self, index: u32, more: &str) {
        let call = json!({"index": index, "function": {"arguments": more}});
        self.add(Delta::field("tool_calls", vec![call]));
    }

    fn block_stop(&mut self, number: u64) {
        let Some(block) = self.open.remove(&number) else {
            return;
        };
        let Block {
            mut value,
            call,
            input,
        } = *block;
        let given = value.get("input").filter(|given| is_given(given));
        if let (Some(index), Some(given), true) = (call, given, input.is_empty()) {
            // Some servers give the whole input at the beginning, and no more.
            self.arguments(index, &given.to_string());
        }
        if let (Some(fields), Ok(input @ Value::Object(_))) =
            (value.as_object_mut(), serde_json::from_str(&input))
        {
            fields.insert("input".to_owned(), input);
        }
        let native = Native {
            dialect: Dialect::Anthropic,
            model: self.source.maker.clone(),
            value: vec![value],
        };
        self.add(Delta {
            native: Some(Arc::new(native)),
            ..Delta::default()
        });
    }

    fn message_delta(&mut self, event: &Value) {
        self.counters
            .update(event.get("usage").unwrap_or(&Value::Null));
        let delta = event.get("delta").unwrap_or(&Value::Null);
        let word = str_of(delta, "stop_reason");
        if word.is_empty() || self.state != State::Open {
            return;
        }
        for number in self.open.keys().copied().collect::<Vec<_>>() {
            self.block_stop(number);
        }
        let meaning = finish::from_anthropic(word);
        let Some(reason) = meaning.reason(self.says_something, self.calls > 0) else {
            return self.fail(ErrorReply::malformed("The upstream's answer says nothing."));
        };
        self.state = State::Finished;
        let mut last = Delta::finish(reason);
        if let Some(why) = explanation(delta).filter(|_| reason == "content_filter") {
            last.fields.insert("refusal".to_owned(), why.into());
        }
        let said = said_of_end(delta, meaning);
        last.rest = (!said.is_empty()).then(|| Box::new(said));
        self.add(last);
    }

    /// The answer is whole: its usage is known now.
    fn stop(&mut self) {
        if self.state != State::Finished {
            return self.fail(ErrorReply::truncated());
        }
        self.state = State::Done;
        self.events.push(Event::Chunk(Chunk {
            usage: self.counters.usage(),
            rest: std::mem::take(&mut self.rest),
            ..Chunk::default()
        }));
        self.events.push(Event::Done);
    }

    fn add(&mut self, delta: Delta) {
        self.events.push(Event::Chunk(Chunk::of(0, delta)));
    }

    fn fail(&mut self, error: ErrorReply) {
        if self.state != State::Done {
            self.state = State::Done;
            self.events.push(Event::Failed(error));
        }
    }
}

/// The upstream's number of a block.
fn number(event: &Value) -> u64 {
    event.get("index").and_then(Value::as_u64).unwrap_or(0)
}

fn is_given(input: &Value) -> bool {
    input.as_object().is_some_and(|input| !input.is_empty())
}

/// Adds to a text of the block's.
fn append(block: &mut Value, name: &str, more: &str) {
    let Some(fields) = block.as_object_mut() else {
        return;
    };
    match fields.get_mut(name) {
        Some(Value::String(text)) => text.push_str(more),
        _ => drop(fields.insert(name.to_owned(), more.into())),
    }
}

fn cite(block: &mut Value, citation: Option<&Value>) {
    let (Some(fields), Some(citation)) = (block.as_object_mut(), citation) else {
        return;
    };
    match fields.get_mut("citations") {
        Some(Value::Array(citations)) => citations.push(citation.clone()),
        _ => drop(fields.insert("citations".to_owned(), json!([citation]))),
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        if self.state != State::Done {
            match self.reader.push(bytes) {
                Ok(messages) => messages.iter().for_each(|message| self.message(message)),
                Err(_) => self.fail(ErrorReply::malformed("An event is too large.")),
            }
        }
        std::mem::take(&mut self.events)
    }

    fn finish(&mut self) -> Vec<Event> {
        if self.state != State::Done
            && let Some(message) = self.reader.finish()
            && document(&message.data).is_some()
        {
            self.message(&message);
        }
        match self.state {
            State::Done => {}
            State::Finished => self.stop(),
            State::Idle | State::Open => self.fail(ErrorReply::truncated()),
        }
        std::mem::take(&mut self.events)
    }
}
