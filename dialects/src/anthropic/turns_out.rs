//! The conversation, written for an upstream: turns of one role are joined, all results of a step
//! stand in one turn before anything else, and nothing that is empty goes out.

use hone_strategies::chat::{ChatRequest, Message};
use serde_json::{Map, Value, json};

use super::blocks_out;
use crate::marks::Names;
use crate::shape::{Losses, Refusal, SystemForm, Target};
use crate::wire::json::str_of;

/// The conversation as it comes to be.
pub(super) struct Turns<'a> {
    target: &'a Target,
    names: &'a Names,
    system: Vec<Value>,
    written: Vec<Turn>,
}

struct Turn {
    role: &'static str,
    /// Results of tools come first.
    results: Vec<Value>,
    blocks: Vec<Value>,
}

/// What is known of a conversation that has been written.
pub(super) struct Written {
    /// Whether calls are open whose thinking cannot be given back.
    pub(super) lacks_thinking: bool,
}

impl<'a> Turns<'a> {
    /// Writes the messages of `request`.
    pub(super) fn write(
        request: &ChatRequest,
        target: &'a Target,
        names: &'a Names,
        losses: &mut Losses,
    ) -> Result<Self, Refusal> {
        let mut turns = Self {
            target,
            names,
            system: Vec::new(),
            written: Vec::new(),
        };
        for (index, message) in request.messages().iter().enumerate() {
            turns.add(message, index, losses)?;
        }
        Ok(turns)
    }

    fn add(&mut self, message: &Message, index: usize, losses: &mut Losses) -> Result<(), Refusal> {
        match message.role() {
            "developer" | "system" => self.instructions(message, index)?,
            "assistant" => {
                let blocks =
                    blocks_out::assistant(message, self.target, self.names, index, losses)?;
                self.turn("assistant").blocks.extend(blocks);
            }
            "tool" | "function" => {
                let result = blocks_out::result(message, index)?;
                self.turn("user").results.push(result);
            }
            _ => {
                let blocks = blocks_out::said(message, index)?;
                self.turn("user").blocks.extend(blocks);
            }
        }
        Ok(())
    }

    fn instructions(&mut self, message: &Message, index: usize) -> Result<(), Refusal> {
        let blocks = blocks_out::said(message, index)?;
        if self.written.is_empty() {
            self.system.extend(blocks);
            return Ok(());
        }
        let follows_user = self.written.last().is_some_and(|turn| turn.role == "user");
        match self.target.settings.system {
            SystemForm::Leading => self.system.extend(blocks),
            SystemForm::Inline if follows_user => self.turn("system").blocks.extend(blocks),
            SystemForm::Inline | SystemForm::User => {
                let text = format!("<system>\n{}\n</system>", message.text());
                self.turn("user")
                    .blocks
                    .push(json!({"type": "text", "text": text}));
            }
        }
        Ok(())
    }

    /// The last turn, if it is `role`'s, or a new one.
    fn turn(&mut self, role: &'static str) -> &mut Turn {
        let is_new = self.written.last().is_none_or(|turn| turn.role != role);
        if is_new {
            self.written.push(Turn {
                role,
                results: Vec::new(),
                blocks: Vec::new(),
            });
        }
        let at = self.written.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "the lines above put a turn there")]
        &mut self.written[at]
    }

    /// Puts the conversation into `out`.
    pub(super) fn finished(
        mut self,
        request: &ChatRequest,
        out: &mut Map<String, Value>,
        losses: &mut Losses,
    ) -> Written {
        self.system_into(request, out, losses);
        let lacks_thinking = self.lacks_thinking();
        let is_last_own = self
            .written
            .last()
            .is_some_and(|turn| turn.role == "assistant");
        let last = self.written.len().saturating_sub(1);
        let mut written: Vec<Value> = Vec::with_capacity(self.written.len());
        for (index, turn) in self.written.into_iter().enumerate() {
            let mut blocks = turn.results;
            blocks.extend(turn.blocks);
            if index == last && is_last_own {
                trim(&mut blocks);
            }
            if !blocks.is_empty() {
                written.push(json!({"role": turn.role, "content": content(blocks)}));
            }
        }
        out.insert("messages".to_owned(), written.into());
        Written { lacks_thinking }
    }

    fn system_into(
        &mut self,
        request: &ChatRequest,
        out: &mut Map<String, Value>,
        losses: &mut Losses,
    ) {
        // What the client's agent has put in front stays in front.
        let front = match out.shift_remove("system") {
            Some(Value::Array(front)) => front,
            _ => Vec::new(),
        };
        let mut system: Vec<Value> = front.into_iter().chain(self.system.drain(..)).collect();
        let format = request.get("response_format").unwrap_or(&Value::Null);
        if str_of(format, "type") == "json_object" {
            let text = "Answer with one JSON object only.";
            system.push(json!({"type": "text", "text": text}));
            losses.degrade("response_format");
        }
        if !system.is_empty() {
            out.insert("system".to_owned(), content(system));
        }
    }

    /// Whether the last step has calls, and no thinking that leads them.
    fn lacks_thinking(&self) -> bool {
        let is_of = |role: &'static str| move |turn: &&Turn| turn.role == role;
        let mut last = self.written.iter().rev();
        let Some(results) = last.next().filter(is_of("user")) else {
            return false;
        };
        let Some(calls) = last.next().filter(is_of("assistant")) else {
            return false;
        };
        let is = |kind: &'static str| move |block: &Value| str_of(block, "type").ends_with(kind);
        !results.results.is_empty()
            && calls.blocks.iter().any(is("tool_use"))
            && !calls.blocks.iter().any(is("thinking"))
    }
}

/// One text alone is written as a text.
fn content(mut blocks: Vec<Value>) -> Value {
    let is_text = |block: &Value| {
        block.as_object().is_some_and(|fields| fields.len() == 2) && str_of(block, "type") == "text"
    };
    match blocks.as_mut_slice() {
        [one] if is_text(one) => one.get_mut("text").map(Value::take).unwrap_or_default(),
        _ => blocks.into(),
    }
}

/// Takes the white space from the end of a last turn of the model's: the API refuses it.
fn trim(blocks: &mut Vec<Value>) {
    if let Some(block) = blocks.last_mut()
        && let Some(Value::String(text)) = block.get_mut("text")
    {
        text.truncate(text.trim_end().len());
        if text.is_empty() {
            blocks.pop();
        }
    }
}
