//! A stream, written for a client: events, or the elements of one JSON array.
//!
//! The newest part is held back, so that the last chunk has parts, a finish reason and the usage
//! together. Clients drop a whole turn otherwise, and ask again.
//!
//! Some clients know no line that is no data, not even an empty one. A silence is therefore filled
//! within the next event: its `data:` is written early, and spaces behind it.

use std::collections::BTreeMap;

use hone_strategies::chat::Delta;
use serde_json::Value;

use super::candidate_out::{Broken, Candidate};
use crate::blocks::Step;
use crate::marks::Minter;
use crate::shape::{Ending, ErrorReply, Frame, StreamEncoder};
use crate::tables::{errors, usage};

pub(super) struct Encoder {
    minter: Minter,
    /// The members that name the model and the answer in each chunk.
    names: String,
    /// Whether the client wants an array.
    is_array: bool,
    /// Boxed, since a tree has room for eleven at once.
    candidates: BTreeMap<u32, Box<Candidate>>,
    state: State,
    /// Whether an element of the array has been written.
    has_elements: bool,
    /// Whether an event has begun in a silence.
    is_open: bool,
    frame: Frame,
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
        let (model, id) = (Value::from(&*frame.model), minter.mint(""));
        let names = format!("\"modelVersion\":{model},\"responseId\":\"{id}\"");
        let origin = frame.request.origin();
        Self {
            names,
            minter,
            is_array: origin.is_some_and(|origin| origin.wishes.array),
            candidates: BTreeMap::new(),
            state: State::New,
            has_elements: false,
            is_open: false,
            frame,
        }
    }

    /// The last chunk.
    fn last(&mut self, candidates: &[Value], usage: &Value) -> String {
        let candidates = Value::from(candidates);
        self.element(&format!(
            "{{\"candidates\":{candidates},\"usageMetadata\":{usage},{}}}",
            self.names
        ))
    }

    /// A chunk that says `parts`. Most are such, so they are written without a tree.
    fn said(&mut self, index: u32, parts: &[Value]) -> String {
        // Parts are always JSON.
        let parts = serde_json::to_string(parts).unwrap_or_default();
        let index = index.to_string();
        let texts = [
            "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":",
            &parts,
            "},\"index\":",
            &index,
            "}],",
            &self.names,
            "}",
        ];
        self.element(&texts.concat())
    }

    fn element(&mut self, json: &str) -> String {
        let (begin, end) = if self.is_array {
            let is_later = std::mem::replace(&mut self.has_elements, true);
            (if is_later { "\n," } else { "" }, "")
        } else {
            let is_open = std::mem::take(&mut self.is_open);
            (if is_open { "" } else { "data: " }, "\n\n")
        };
        [begin, json, end].concat()
    }

    /// Writes the parts that steps complete, but for the newest one.
    fn written(&mut self, index: u32, steps: Vec<Step>, text: &mut String) -> Result<(), Broken> {
        for step in steps {
            let Some(candidate) = self.candidates.get_mut(&index) else {
                continue;
            };
            let Some(part) = candidate.part(step, &mut self.minter)? else {
                continue;
            };
            let before = std::mem::replace(&mut candidate.held, vec![part]);
            if !before.is_empty() {
                text.push_str(&self.said(index, &before));
            }
        }
        Ok(())
    }

    fn added(&mut self, index: u32, delta: &Delta, text: &mut String) -> Result<(), Broken> {
        let frame = &self.frame;
        let candidates = self.candidates.entry(index);
        let candidate = candidates.or_insert_with(|| Box::new(Candidate::new(frame)));
        if let Some(reason) = &delta.finish_reason {
            reason.clone_into(&mut candidate.reason);
        }
        match (&mut candidate.logprobs, &delta.logprobs) {
            (_, None) => {}
            (Some(whole), Some(more)) => whole.append(more.clone()),
            (none, Some(more)) => *none = Some(more.clone()),
        }
        let steps = candidate.steps(delta, frame)?;
        self.written(index, steps, text)
    }

    /// The rest of every candidate.
    fn rest(&mut self, text: &mut String) -> Result<(), Broken> {
        let indexes: Vec<u32> = self.candidates.keys().copied().collect();
        for index in indexes {
            let mut steps = Vec::new();
            if let Some(candidate) = self.candidates.get_mut(&index) {
                candidate.blocks.finish(&mut steps);
            }
            self.written(index, steps, text)?;
        }
        Ok(())
    }
}

impl StreamEncoder for Encoder {
    fn begin(&mut self) -> String {
        if self.state != State::New {
            return String::new();
        }
        self.state = State::Begun;
        let head = if self.is_array { "[" } else { "" };
        head.to_owned()
    }

    fn delta(&mut self, choice: u32, delta: &Delta) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        let mut text = self.begin();
        if let Err(broken) = self.added(choice, delta, &mut text) {
            text.push_str(&self.fail(&broken.into()));
        }
        text
    }

    fn beat(&mut self) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        if self.is_array {
            return "\n".to_owned();
        }
        let beat = if std::mem::replace(&mut self.is_open, true) {
            " "
        } else {
            "data: "
        };
        beat.to_owned()
    }

    fn end(&mut self, ending: &Ending) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        let mut text = self.begin();
        if let Err(broken) = self.rest(&mut text) {
            text.push_str(&self.fail(&broken.into()));
            return text;
        }
        if self.candidates.is_empty() {
            let only = Box::new(Candidate::new(&self.frame));
            self.candidates.insert(0, only);
        }
        let candidates = self.candidates.iter_mut();
        let last = candidates.map(|(index, candidate)| candidate.last(*index));
        let last: Vec<Value> = last.collect();
        text.push_str(&self.last(&last, &usage::to_gemini(&ending.usage)));
        if self.is_array {
            text.push_str("\n]");
        }
        self.state = State::Ended;
        text
    }

    fn fail(&mut self, error: &ErrorReply) -> String {
        if self.state == State::Ended {
            return String::new();
        }
        let mut text = self.begin();
        text.push_str(&self.element(&errors::gemini(error).to_string()));
        if self.is_array {
            text.push_str("\n]");
        }
        self.state = State::Ended;
        text
    }
}
