//! An answer as a message, and as the events of one.

use serde_json::{Value, json};

use super::{MAKER, thinking};
use crate::ask::Ask;
use crate::endpoints::reply::{Call, Reply, Stop};
use crate::endpoints::signature;
use crate::endpoints::steps::Steps;
use crate::knobs::Ending;
use crate::script::Script;

/// An answer, and how it was asked for.
struct Answer<'a> {
    ask: &'a Ask,
    model: &'a str,
    reply: &'a Reply,
}

pub(super) fn script(ask: &Ask, model: &str, reply: &Reply) -> Script {
    let answer = Answer { ask, model, reply };
    if ask.stream().is_some() {
        return answer.stream();
    }
    reply.whole(&ask.knobs, &answer.message())
}

impl Answer<'_> {
    /// The reasoning as it is shown.
    fn thoughts(&self) -> String {
        if thinking::is_shown(self.ask) {
            self.reply.thoughts.concat()
        } else {
            String::new()
        }
    }

    fn signature(&self) -> String {
        signature::sign(MAKER, self.model, &self.thoughts(), self.reply.number)
    }

    fn stop(&self) -> (&'static str, Option<&str>) {
        match &self.reply.stop {
            Stop::Calls => ("tool_use", None),
            Stop::Length => ("max_tokens", None),
            Stop::Sequence(sequence) => ("stop_sequence", Some(sequence)),
            Stop::Told(Ending::Refusal | Ending::Filter | Ending::Blocked) => ("refusal", None),
            Stop::Told(Ending::Pause) => ("pause_turn", None),
            Stop::End | Stop::Told(Ending::MalformedCall | Ending::Failed) => ("end_turn", None),
        }
    }

    /// What is told of why it ended.
    fn delta(&self) -> Value {
        let (reason, sequence) = self.stop();
        let mut delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        if reason == "refusal" {
            let details = json!({"type": "refusal", "category": null,
                "explanation": "The simulated model does not answer this."});
            insert(&mut delta, "stop_details", details);
        }
        delta
    }

    /// The counters are disjoint.
    fn usage(&self, output: u32) -> Value {
        let reply = self.reply;
        json!({
            "input_tokens": reply.prompt_tokens - reply.cached - reply.written,
            "cache_creation_input_tokens": reply.written,
            "cache_read_input_tokens": reply.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": reply.written,
                "ephemeral_1h_input_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"thinking_tokens": output.min(reply.thinking())},
            "service_tier": "standard",
        })
    }

    fn told(&self, output: u32) -> Option<Value> {
        let is_told = self.ask.knobs.usage.is_told();
        is_told.then(|| self.usage(output))
    }

    fn call(&self, index: usize, call: &Call, input: &Value) -> Value {
        json!({"type": "tool_use", "id": self.reply.numbered("toolu_", index), "name": call.name,
            "input": input})
    }

    fn envelope(&self) -> Value {
        json!({"id": self.reply.id("msg_"), "type": "message", "role": "assistant",
            "model": self.model, "content": [], "stop_reason": null, "stop_sequence": null})
    }

    fn message(&self) -> Value {
        let mut content = Vec::new();
        if !self.reply.thoughts.is_empty() {
            content.push(json!({"type": "thinking", "thinking": self.thoughts(),
                "signature": self.signature()}));
        }
        if !self.reply.text.is_empty() {
            content.push(json!({"type": "text", "text": self.reply.text.concat()}));
        }
        let calls = self.reply.calls.iter().enumerate();
        content.extend(
            calls
                .filter(|(_, call)| call.is_whole)
                .map(|(index, call)| self.call(index, call, &call.input())),
        );
        let mut message = self.envelope();
        insert(&mut message, "content", json!(content));
        if let Value::Object(delta) = self.delta()
            && let Some(message) = message.as_object_mut()
        {
            message.extend(delta);
        }
        if let Some(usage) = self.told(self.reply.tokens()) {
            insert(&mut message, "usage", usage);
        }
        message
    }

    fn stream(&self) -> Script {
        let mut events = Events {
            steps: Steps::new(&self.ask.knobs),
            index: 0,
        };
        let mut message = self.envelope();
        if let Some(usage) = self.told(self.reply.tokens().min(1)) {
            insert(&mut message, "usage", usage);
        }
        events.push(&json!({"type": "message_start", "message": message}), 0);
        events.push(&json!({"type": "ping"}), 0);
        self.thinking(&mut events);
        if !self.reply.text.is_empty() {
            events.begin(&json!({"type": "text", "text": ""}));
            events.deltas(&self.reply.text, "text_delta", "text");
            events.end();
        }
        for (index, call) in self.reply.calls.iter().enumerate() {
            events.begin(&self.call(index, call, &json!({})));
            events.deltas(&call.pieces, "input_json_delta", "partial_json");
            events.end();
        }
        let mut last = json!({"type": "message_delta", "delta": self.delta()});
        if let Some(usage) = self.told(self.reply.tokens()) {
            insert(&mut last, "usage", usage);
        }
        events.push(&last, 0);
        events.push(&json!({"type": "message_stop"}), 0);
        Script::events(events.steps.done())
    }

    fn thinking(&self, events: &mut Events<'_>) {
        if self.reply.thoughts.is_empty() {
            return;
        }
        events.begin(&json!({"type": "thinking", "thinking": "", "signature": ""}));
        if thinking::is_shown(self.ask) {
            events.deltas(&self.reply.thoughts, "thinking_delta", "thinking");
        }
        let signature = self.signature();
        let tokens = if thinking::is_shown(self.ask) {
            0
        } else {
            self.reply.thinking()
        };
        events.delta(
            &json!({"type": "signature_delta", "signature": signature}),
            tokens,
        );
        events.end();
    }
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Events, and the number of the block that is open or comes next.
struct Events<'a> {
    steps: Steps<'a>,
    index: usize,
}

impl Events<'_> {
    fn push(&mut self, data: &Value, tokens: u32) {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
        self.steps
            .push(format!("event: {name}\ndata: {data}\n\n"), tokens);
    }

    fn begin(&mut self, block: &Value) {
        let start = json!({"type": "content_block_start", "index": self.index,
            "content_block": block});
        self.push(&start, 0);
    }

    fn delta(&mut self, delta: &Value, tokens: u32) {
        let event = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        self.push(&event, tokens);
    }

    fn deltas(&mut self, pieces: &[String], kind: &str, field: &str) {
        let chunks = self.steps.chunks(pieces);
        for (text, tokens) in chunks {
            self.delta(&json!({"type": kind, field: text}), tokens);
        }
    }

    fn end(&mut self) {
        let stop = json!({"type": "content_block_stop", "index": self.index});
        self.push(&stop, 0);
        self.index += 1;
    }
}
