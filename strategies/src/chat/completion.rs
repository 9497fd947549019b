//! A finished answer: `chat.completion`.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::error::ChatError;
use super::message::Message;
use super::usage::Usage;

/// A chat completion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The answers, in the order in which they came.
    pub choices: Vec<Choice>,
    /// What the provider says it spent, all choices together.
    pub usage: Option<Usage>,
    /// Everything else the provider said: `id`, `model`, `system_fingerprint` and so on.
    pub rest: Map<String, Value>,
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
    pub logprobs: Option<Value>,
    /// Everything else the provider said of this choice.
    pub rest: Map<String, Value>,
}

impl Completion {
    /// Reads a completion. An error object, or anything else without `choices`, is none.
    pub fn parse(body: &[u8]) -> Result<Self, ChatError> {
        let mut rest: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| ChatError::json(&error))?;
        let usage = rest
            .shift_remove("usage")
            .and_then(|usage| Usage::parse(&usage));
        let Some(Value::Array(choices)) = rest.shift_remove("choices") else {
            return Err(ChatError::field(
                "choices",
                "The completion has no array of choices.",
            ));
        };
        let choices = choices
            .into_iter()
            .enumerate()
            .map(Choice::from_value)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            choices,
            usage,
            rest,
        })
    }

    /// A completion of one choice that is just text, as a script or a simulation makes it.
    pub fn of_text(text: impl Into<String>, usage: Usage) -> Self {
        Self {
            choices: vec![Choice::new(Message::assistant(text), "stop")],
            usage: Some(usage),
            rest: Map::new(),
        }
    }

    /// OpenAI's `chat.completion` object. `id`, `created` and `model` are there if they were in the
    /// answer.
    pub fn to_value(&self) -> Value {
        let mut fields = self.rest.clone();
        fields.insert("object".to_owned(), "chat.completion".into());
        fields.insert(
            "choices".to_owned(),
            self.choices.iter().map(Choice::to_value).collect(),
        );
        if let Some(usage) = &self.usage {
            fields.insert("usage".to_owned(), usage.to_value());
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
        }
    }

    fn from_value((position, value): (usize, Value)) -> Result<Self, ChatError> {
        let Value::Object(mut rest) = value else {
            return Err(ChatError::field(
                "choices",
                format!("Choice {position} is not an object."),
            ));
        };
        let Some(Value::Object(message)) = rest.shift_remove("message") else {
            return Err(ChatError::field(
                "choices",
                format!("Choice {position} has no message."),
            ));
        };
        let index = rest
            .shift_remove("index")
            .and_then(|index| index.as_u64())
            .and_then(|index| u32::try_from(index).ok());
        Ok(Self {
            index: index
                .or_else(|| u32::try_from(position).ok())
                .unwrap_or(u32::MAX),
            message: Message::from_fields(message),
            finish_reason: rest
                .shift_remove("finish_reason")
                .and_then(|reason| reason.as_str().map(str::to_owned)),
            logprobs: rest
                .shift_remove("logprobs")
                .filter(|logprobs| !logprobs.is_null()),
            rest,
        })
    }

    /// The choice as it stands in a completion.
    pub fn to_value(&self) -> Value {
        let mut fields = self.rest.clone();
        fields.insert("index".to_owned(), self.index.into());
        fields.insert("message".to_owned(), self.message.as_value().clone());
        fields.insert(
            "logprobs".to_owned(),
            self.logprobs.clone().unwrap_or(Value::Null),
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
        let tokens = self.logprobs.as_ref()?.get("content")?.as_array()?;
        let (count, sum) = tokens
            .iter()
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
        choice.logprobs = Some(json!({"content": [{"logprob": -1.0}, {"logprob": -3.0}]}));
        assert_eq!(choice.mean_logprob(), Some(-2.0));
    }
}
