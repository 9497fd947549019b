//! One choice of an answer: its tokens and why it ended.

use serde_json::{Map, Value, json};

use crate::sim::ask::Ask;
use crate::sim::chance::Dice;
use crate::sim::text;

/// One choice.
#[derive(Debug)]
pub(super) struct Choice {
    /// The text of the answer, or the arguments of the tool call.
    pub(super) pieces: Vec<String>,
    /// The function that is called, and the call's id.
    pub(super) tool: Option<Tool>,
    /// One entry for each piece, if asked for.
    pub(super) logprobs: Option<Vec<Value>>,
    pub(super) finish_reason: &'static str,
}

/// A call to a tool.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) id: String,
    pub(super) name: String,
}

impl Choice {
    pub(super) fn draw(ask: &Ask, limit: Option<u32>, dice: &mut Dice) -> Self {
        let called =
            ask.knobs.tool_calls.then(|| ask.get("tools")).flatten().and_then(|tools| tools.get(0)).and_then(|tool| tool.get("function"));
        let (text, tool) = match called {
            Some(function) => {
                let name = function.get("name").and_then(Value::as_str).unwrap_or("function").to_owned();
                let arguments = example(function.get("parameters").unwrap_or(&Value::Null));
                (arguments.to_string(), Some(Tool { id: format!("call_sim{:016x}", dice.number()), name }))
            }
            None => (content(ask, dice), None),
        };
        let mut pieces = text::tokens(&text);
        let cut = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit < pieces.len());
        if let Some(limit) = cut {
            pieces.truncate(limit);
        }
        let finish_reason = match (cut, &tool) {
            (Some(_), _) => "length",
            (None, Some(_)) => "tool_calls",
            (None, None) => "stop",
        };
        let logprobs = ask.flag("logprobs").then(|| logprobs(ask, &pieces, dice));
        Self { pieces, tool, logprobs, finish_reason }
    }

    pub(super) fn tokens(&self) -> u32 {
        u32::try_from(self.pieces.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// The text of an answer: the configured one, or filler; wrapped where JSON was asked for.
fn content(ask: &Ask, dice: &mut Dice) -> String {
    let text = ask.knobs.content.clone().unwrap_or_else(|| text::filler(dice, ask.knobs.answer_tokens));
    let format = ask.get("response_format");
    match format.and_then(|format| format.get("type")).and_then(Value::as_str) {
        Some("json_object") => json!({"answer": text}).to_string(),
        Some("json_schema") => example(format.and_then(|format| format.pointer("/json_schema/schema")).unwrap_or(&Value::Null)).to_string(),
        _ => text,
    }
}

/// A value that fits a JSON schema, as far as types and required properties tell.
fn example(schema: &Value) -> Value {
    if let Some(first) = schema.get("enum").and_then(|options| options.get(0)) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => json!("simulated"),
        Some("number" | "integer") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([example(schema.get("items").unwrap_or(&Value::Null))]),
        Some("null") => Value::Null,
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            Value::Object(properties.into_iter().flatten().map(|(name, schema)| (name.clone(), example(schema))).collect::<Map<_, _>>())
        }
    }
}

fn logprobs(ask: &Ask, pieces: &[String], dice: &mut Dice) -> Vec<Value> {
    let top = ask.get("top_logprobs").and_then(Value::as_u64).unwrap_or(0).min(20);
    pieces.iter().map(|piece| logprob(piece, top, dice)).collect()
}

/// The token with its probability, and what is left spread over `top` - 1 others.
fn logprob(piece: &str, top: u64, dice: &mut Dice) -> Value {
    let entry = |token: &str, probability: f64| json!({"token": token, "logprob": probability.ln(), "bytes": token.as_bytes()});
    let probability = 0.5 + 0.499 * dice.unit();
    let mut rest = 1.0 - probability;
    let mut all = vec![entry(piece, probability)];
    for rank in 1..top {
        rest /= 2.0;
        all.push(entry(&format!("{piece}~{rank}"), rest));
    }
    all.truncate(usize::try_from(top).unwrap_or(usize::MAX));
    let mut chosen = entry(piece, probability);
    if let Some(chosen) = chosen.as_object_mut() {
        chosen.insert("top_logprobs".to_owned(), Value::Array(all));
    }
    chosen
}
