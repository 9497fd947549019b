//! One choice of an answer: its tokens and why it ended.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::chance::Dice;
use crate::endpoints::content;
use crate::endpoints::example::example;
use crate::fault::Fault;
use crate::text;

/// One choice.
#[derive(Debug)]
pub(super) struct Choice {
    /// The tokens: those of the reasoning, then those of the text or of the tool call's arguments.
    pieces: Vec<String>,
    /// How many of them are reasoning that the answer's text does not contain.
    thinking: usize,
    /// The function that is called, and the call's id.
    pub(super) tool: Option<Tool>,
    /// One entry for each token that is not reasoning, if asked for.
    logprobs: Option<Vec<Value>>,
    pub(super) finish_reason: &'static str,
    /// There is no content, not even an empty one.
    pub(super) null: bool,
}

/// A call to a tool.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) id: String,
    pub(super) name: String,
}

/// Consecutive tokens of a choice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) thinking: &'a [String],
    pub(super) text: &'a [String],
    pub(super) logprobs: Option<&'a [Value]>,
}

impl Choice {
    pub(super) fn draw(ask: &Ask, limit: Option<u32>, dice: &mut Dice) -> Self {
        let ((text, level), tool) = if let Some(function) = called(ask) {
            let (arguments, tool) = call(function, dice);
            ((arguments, None), tool)
        } else {
            (content(ask, dice), None)
        };
        let (mut pieces, text) = ask.knobs.reasoning.prepend(text, dice);
        let mut thinking = pieces.len();
        let empty = matches!(ask.fault, Some(Fault::NullContent | Fault::EmptyContent));
        if !empty {
            pieces.extend(text::tokens(&text));
        }
        let cut = limit
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit < pieces.len());
        if let Some(limit) = cut {
            pieces.truncate(limit);
            thinking = thinking.min(limit);
        }
        let finish_reason = match (cut, &tool) {
            (Some(_), _) => "length",
            (None, Some(_)) => "tool_calls",
            (None, None) => "stop",
        };
        let logprobs = ask
            .flag("logprobs")
            .then(|| logprobs(ask, pieces.get(thinking..).unwrap_or_default(), level, dice));
        Self {
            pieces,
            thinking,
            tool,
            logprobs,
            finish_reason,
            null: ask.fault == Some(Fault::NullContent),
        }
    }

    pub(super) fn tokens(&self) -> u32 {
        u32::try_from(self.pieces.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn thinking_tokens(&self) -> u32 {
        u32::try_from(self.thinking).unwrap_or(u32::MAX)
    }

    /// All tokens.
    pub(super) fn whole(&self) -> Part<'_> {
        self.part(0, usize::MAX).unwrap_or(Part {
            thinking: &[],
            text: &[],
            logprobs: self.logprobs.as_deref(),
        })
    }

    /// The tokens number `start` up to `start + size`, if there are any.
    pub(super) fn part(&self, start: usize, size: usize) -> Option<Part<'_>> {
        let end = start.saturating_add(size).min(self.pieces.len());
        if start >= end {
            return None;
        }
        let middle = self.thinking.clamp(start, end);
        let logprobs = self.logprobs.as_ref().and_then(|all| {
            all.get(middle - self.thinking.min(middle)..end - self.thinking.min(end))
        });
        Some(Part {
            thinking: self.pieces.get(start..middle)?,
            text: self.pieces.get(middle..end)?,
            logprobs,
        })
    }
}

impl Part<'_> {
    pub(super) fn tokens(&self) -> u32 {
        u32::try_from(self.thinking.len() + self.text.len()).unwrap_or(u32::MAX)
    }
}

/// The function that the answer calls, if it calls one. What a function has returned is answered in
/// words, so that an agent comes to an end.
fn called(ask: &Ask) -> Option<&Value> {
    let last = ask
        .get("messages")
        .and_then(|messages| messages.as_array()?.last());
    let role = last.and_then(|message| message.get("role")?.as_str());
    if !ask.knobs.tool_calls || role == Some("tool") {
        return None;
    }
    ask.get("tools")?.get(0)?.get("function")
}

/// Arguments that the function accepts, and the call.
fn call(function: &Value, dice: &mut Dice) -> (String, Option<Tool>) {
    let name = function
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("function")
        .to_owned();
    let arguments = example(function.get("parameters").unwrap_or(&Value::Null));
    (
        arguments.to_string(),
        Some(Tool {
            id: format!("call_sim{:016x}", dice.number()),
            name,
        }),
    )
}

/// The text of an answer, wrapped where JSON was asked for, and the level of its log probabilities
/// if it has one.
fn content(ask: &Ask, dice: &mut Dice) -> (String, Option<f64>) {
    let (text, level) = content::scored(ask, dice);
    let format = ask.get("response_format");
    let text = match format
        .and_then(|format| format.get("type"))
        .and_then(Value::as_str)
    {
        Some("json_object") => json!({"answer": text}).to_string(),
        Some("json_schema") => example(
            format
                .and_then(|format| format.pointer("/json_schema/schema"))
                .unwrap_or(&Value::Null),
        )
        .to_string(),
        _ => text,
    };
    (text, level)
}

fn logprobs(ask: &Ask, pieces: &[String], level: Option<f64>, dice: &mut Dice) -> Vec<Value> {
    let top = ask
        .get("top_logprobs")
        .and_then(Value::as_u64)
        .unwrap_or(0)
        .min(20);
    if let Some((level, confidence)) =
        level.zip(ask.knobs.task.as_ref().and_then(|task| task.confidence))
    {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        return confidence.entries(level, &pieces, usize::try_from(top).unwrap_or(0));
    }
    pieces
        .iter()
        .map(|piece| logprob(piece, top, dice))
        .collect()
}

/// The token with its probability, and what is left spread over `top` - 1 others.
fn logprob(piece: &str, top: u64, dice: &mut Dice) -> Value {
    let entry = |token: &str, probability: f64| {
        json!({"token": token, "logprob": probability.ln(),
        "bytes": token.as_bytes()})
    };
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
