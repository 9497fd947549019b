//! A finished answer: `chat.completion`.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::error::ChatError;
use super::logprobs::Logprobs;
use super::message::Message;
use super::reported::Reported;
use super::usage::Usage;

/// A chat completion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The answers, in the order in which they came.
    pub choices: Vec<Choice>,
    /// What the provider says it spent, all choices together.
    pub usage: Option<Usage>,
    /// What it says of that beside the tokens.
    pub reported: Reported,
    /// Everything else the provider said: `id`, `model`, `system_fingerprint` and so on.
    pub rest: Arc<Map<String, Value>>,
}

/// Why a choice ended. Some servers give an empty text where it has not.
pub(super) fn reason(value: Value) -> Option<String> {
    match value {
        Value::String(reason) if !reason.is_empty() => Some(reason),
        _ => None,
    }
}

/// The finish reason of a whole answer that has none.
pub(super) fn usual_reason(is_calling: bool) -> &'static str {
    if is_calling { "tool_calls" } else { "stop" }
}

/// One answer of a completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its number among the choices.
    pub index: u32,
    /// What the model said, tool calls and unknown fields included.
    pub message: Message,
    /// Why the model stopped, verbatim.
    pub finish_reason: Option<String>,
    /// Token log probabilities, verbatim.
    pub logprobs: Option<Logprobs>,
    /// Everything else the provider said of this choice.
    pub rest: Map<String, Value>,
    /// What stood beside the choices of its completion: the same as [`Completion::rest`].
    pub beside: Arc<Map<String, Value>>,
}

/// What a completion has that its own reader writes anew, and so is not passed on from another one.
const OWN: [&str; 7] = [
    "choices", "created", "error", "id", "model", "object", "usage",
];

/// What a provider may say of a choice's end beside the reason: its own word for a reason that chat
/// has none for, and the stop sequence that was met.
const OF_THE_END: [&str; 2] = ["stop_reason", "stop_sequence"];

/// Of what stands beside the choices of a completion or a chunk, all that belongs to its content:
/// `citations`, `service_tier`, `system_fingerprint` and so on.
pub fn content_beside(rest: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    rest.iter().filter(|(name, value)| is_content(name, value))
}

/// Leaves of what stands beside the choices what belongs to the content.
pub(crate) fn keep_content(rest: &mut Map<String, Value>) {
    if !rest.is_empty() {
        rest.retain(|name, value| is_content(name, value));
    }
}

fn is_content(name: &str, value: &Value) -> bool {
    !OWN.contains(&name) && !value.is_null()
}

impl Completion {
    /// The completion with these members. What is no choice among its choices is left out; a choice
    /// without a finish reason has the usual one, since a document is whole.
    pub(super) fn from_fields(mut rest: Map<String, Value>) -> Result<Self, ChatError> {
        let report = rest.shift_remove("usage").unwrap_or_default();
        let Some(Value::Array(choices)) = rest.shift_remove("choices") else {
            return Err(ChatError::field(
                "choices",
                "The completion has no array of choices.",
            ));
        };
        let count = choices.len();
        let rest = Arc::new(rest);
        let choices: Vec<Choice> = choices
            .into_iter()
            .enumerate()
            .filter_map(|(position, choice)| Choice::from_value(position, choice, &rest))
            .collect();
        if choices.is_empty() && count > 0 {
            return Err(ChatError::field(
                "choices",
                "No choice of the completion has a message.",
            ));
        }
        Ok(Self {
            choices,
            usage: Usage::parse(&report),
            reported: Reported::parse(&report),
            rest,
        })
    }

    /// A completion of one choice that is just text, as a script or a simulation makes it.
    pub fn of_text(text: impl Into<String>, usage: Usage) -> Self {
        Self {
            choices: vec![Choice::new(Message::assistant(text), "stop")],
            usage: Some(usage),
            reported: Reported::default(),
            rest: Arc::default(),
        }
    }

    /// OpenAI's `chat.completion` object. `id`, `created` and `model` are there if they were in the
    /// answer.
    pub fn to_value(&self) -> Value {
        let mut fields = Map::clone(&self.rest);
        fields.insert("object".to_owned(), "chat.completion".into());
        fields.insert(
            "choices".to_owned(),
            self.choices.iter().map(Choice::to_value).collect(),
        );
        if let Some(usage) = &self.usage {
            fields.insert("usage".to_owned(), self.reported.with(usage));
        }
        Value::Object(fields)
    }
}

impl Choice {
    /// A choice with index 0.
    pub fn new(message: Message, finish_reason: &str) -> Self {
        Self {
            index: 0,
            message,
            finish_reason: Some(finish_reason.to_owned()),
            logprobs: None,
            rest: Map::new(),
            beside: Arc::default(),
        }
    }

    /// What the provider says of its end beside the reason, as a stream's last delta has it.
    pub(crate) fn said_of_end(&self) -> Option<Box<Map<String, Value>>> {
        let said = |(name, value): &(&String, &Value)| {
            OF_THE_END.contains(&name.as_str()) && !value.is_null()
        };
        let said = self.rest.iter().filter(said);
        let said: Map<_, _> = said
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        (!said.is_empty()).then(|| Box::new(said))
    }

    fn from_value(position: usize, value: Value, beside: &Arc<Map<String, Value>>) -> Option<Self> {
        let Value::Object(mut rest) = value else {
            return None;
        };
        // A chunk in place of a completion has its message in the place of an addition.
        let both = (rest.shift_remove("message"), rest.shift_remove("delta"));
        let ((Some(Value::Object(message)), _) | (_, Some(Value::Object(message)))) = both else {
            return None;
        };
        let message = Message::from_fields(message);
        let index = rest
            .shift_remove("index")
            .and_then(|index| index.as_u64())
            .or_else(|| u64::try_from(position).ok())
            .and_then(|index| u32::try_from(index).ok());
        let finish_reason = rest.shift_remove("finish_reason");
        let usual = || usual_reason(message.tool_calls().is_some()).to_owned();
        Some(Self {
            index: index?,
            finish_reason: Some(finish_reason.and_then(reason).unwrap_or_else(usual)),
            message,
            logprobs: Logprobs::told(rest.shift_remove("logprobs")).map(Logprobs::packed),
            rest,
            beside: Arc::clone(beside),
        })
    }

    /// The choice as it stands in a completion.
    pub fn to_value(&self) -> Value {
        let mut fields = self.rest.clone();
        fields.insert("index".to_owned(), self.index.into());
        fields.insert("message".to_owned(), self.message.as_value().clone());
        fields.insert(
            "logprobs".to_owned(),
            self.logprobs
                .as_ref()
                .map_or(Value::Null, Logprobs::to_value),
        );
        fields.insert("finish_reason".to_owned(), json!(self.finish_reason));
        Value::Object(fields)
    }

    /// Whether the model was cut off by a limit on tokens.
    pub(crate) fn is_truncated(&self) -> bool {
        self.finish_reason.as_deref() == Some("length")
    }

    /// The mean log probability of the content's tokens, if the provider gave them.
    pub fn mean_logprob(&self) -> Option<f64> {
        let tokens = self.logprobs.as_ref()?.entries("content");
        let (count, sum) = tokens
            .filter_map(|token| token.get("logprob").and_then(Value::as_f64))
            .fold((0.0_f64, 0.0_f64), |(count, sum), logprob| {
                (count + 1.0, sum + logprob)
            });
        (count > 0.0).then(|| sum / count)
    }
}

/// As it stands in a completion, like [`Choice::to_value`], without a copy of what it holds.
impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        let own = ["index", "message", "logprobs", "finish_reason"];
        for (name, value) in self
            .rest
            .iter()
            .filter(|(name, _)| !own.contains(&&***name))
        {
            fields.serialize_entry(name, value)?;
        }
        fields.serialize_entry("index", &self.index)?;
        fields.serialize_entry("message", self.message.as_value())?;
        fields.serialize_entry("logprobs", &self.logprobs)?;
        fields.serialize_entry("finish_reason", &self.finish_reason)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_survive_at_every_level() {
        let body = json!({
            "id": "c1", "object": "chat.completion", "x_top": [1],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": null,
                "reasoning_content": "hm",
                "tool_calls": [{"id": "t", "type": "function",
                    "function": {"name": "f", "arguments": "{}"}}]},
                "finish_reason": "tool_calls", "logprobs": null, "content_filter_results": {}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 1}},
        });
        assert_eq!(
            Completion::parse(body.to_string().as_bytes())
                .unwrap()
                .to_value(),
            body
        );
    }

    #[test]
    fn an_error_object_is_no_completion() {
        assert!(Completion::parse(br#"{"error":{"message":"no"}}"#).is_err());
        assert!(Completion::parse(br#"{"choices":[{"index":0}]}"#).is_err());
        assert!(Completion::parse(b"").is_err());
    }

    #[test]
    fn the_mean_logprob_is_known_only_with_logprobs() {
        let mut choice = Choice::new(Message::assistant("a"), "stop");
        assert_eq!(choice.mean_logprob(), None);
        let logprobs = json!({"content": [{"logprob": -1.0}, {"logprob": -3.0}]});
        choice.logprobs = Some(logprobs.into());
        assert_eq!(choice.mean_logprob(), Some(-2.0));
    }
}
