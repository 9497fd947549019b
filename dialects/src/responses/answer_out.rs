//! A whole answer, written for a client.

use hone_strategies::chat::{Choice, Completion, Logprobs, Message, Native};
use serde_json::Value;

use super::object::{
    Calls, Response, call_id, message, reasoning, refusal_part, sealed, text_part, thought,
};
use super::said::from_chat;
use super::tools::{Call, is_call};
use crate::marks::{Minter, OWN_RESPONSE, envelope};
use crate::shape::Frame;
use crate::tables::finish;
use crate::wire::json::str_of;

/// Writes the first choice.
pub(super) fn encode(answer: &Completion, frame: &Frame) -> Value {
    let mut minter = Minter::new(&frame.seed);
    let id = minter.mint(OWN_RESPONSE);
    let nothing = Choice::new(Message::assistant(""), "stop");
    let choice = answer.choices.first().unwrap_or(&nothing);
    let reason = choice.finish_reason.as_deref().unwrap_or("stop");
    let mut items = Items {
        frame,
        calls: Calls::of(frame),
        minter,
        is_cut: reason == "length",
        output: Vec::new(),
    };
    items.write(choice);
    let calls = items.output.iter().any(is_call);
    let is_refusal = choice.message.refusal().is_some();
    let (status, why) = finish::to_responses(reason, calls, is_refusal);
    let response = Response {
        status,
        why,
        output: items.output,
        usage: Some(answer.usage.unwrap_or_default()),
        error: None,
    };
    response.whole(&id, frame)
}

/// The output as it comes to be.
struct Items<'a> {
    frame: &'a Frame,
    calls: Calls,
    minter: Minter,
    /// Whether the answer was cut off.
    is_cut: bool,
    output: Vec<Value>,
}

impl Items<'_> {
    fn write(&mut self, choice: &Choice) {
        let said = &choice.message;
        let native = said.native().map(|native| &**native);
        if let Some(native) = native.filter(|native| native.dialect == super::said::OWN) {
            let items = native.value.iter();
            let shown = items.map(|item| self.calls.shown(item, self.frame));
            self.output = shown.collect();
            return;
        }
        self.reasoning(said, native);
        self.said(choice);
        let calls = said.tool_calls().and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            self.call(call);
        }
    }

    fn reasoning(&mut self, said: &Message, native: Option<&Native>) {
        let sealed = native.and_then(|native| sealed(native, said.fields(), self.frame));
        let text = if self.frame.shows_reasoning() {
            thought(said.fields())
        } else {
            ""
        };
        if text.is_empty() && sealed.is_none() {
            return;
        }
        let own = || self.frame.shows_encrypted().then(envelope::seal_own);
        let encrypted = sealed.or_else(own);
        let id = self.minter.mint("rs_");
        self.output.push(reasoning(&id, text, encrypted));
    }

    fn said(&mut self, choice: &Choice) {
        let (text, refusal) = (choice.message.text(), choice.message.refusal());
        let mut parts = Vec::new();
        if !text.is_empty() {
            let annotations = from_chat(choice.message.get("annotations"));
            let logprobs = choice.logprobs.as_ref();
            let logprobs = logprobs.map(listed).unwrap_or_default();
            parts.push(text_part(&text, &annotations, &logprobs));
        }
        parts.extend(refusal.map(refusal_part));
        if !parts.is_empty() {
            let id = self.minter.mint("msg_");
            self.output.push(message(&id, self.status(), &parts));
        }
    }

    fn status(&self) -> &'static str {
        if self.is_cut {
            "incomplete"
        } else {
            "completed"
        }
    }

    fn call(&mut self, call: &Value) {
        let function = call.get("function").unwrap_or(&Value::Null);
        let (name, arguments) = (str_of(function, "name"), str_of(function, "arguments"));
        let is_whole = serde_json::from_str::<Value>(arguments).is_ok();
        if self.is_cut && !is_whole {
            // Nobody could run it.
            return;
        }
        let call_id = call_id(str_of(call, "id"), &mut self.minter);
        let id = self.calls.id(name, &mut self.minter);
        let call = Call {
            id: &call_id,
            name,
            arguments,
        };
        self.output.push(self.calls.item(&id, call, "completed"));
    }
}

/// The probabilities of a text's tokens.
pub(super) fn listed(logprobs: &Logprobs) -> Vec<Value> {
    logprobs.entries("content").collect()
}
