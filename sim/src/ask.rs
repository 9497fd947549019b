//! The body of a request, as the provider reads it.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::knobs::Knobs;
use crate::profile::{Asked, is_default};
use crate::refusal::Refusal;

/// A JSON body and the knobs that hold for it.
#[derive(Debug)]
pub(crate) struct Ask {
    fields: Map<String, Value>,
    pub(crate) knobs: Knobs,
    /// What will go wrong with the answer.
    pub(crate) fault: Option<Fault>,
}

impl Ask {
    /// Reads a body: it must be an object without fields that the knobs reject.
    pub(crate) fn parse(body: &[u8], knobs: &Knobs) -> Result<Self, Refusal> {
        let unreadable = |error: &serde_json::Error| {
            Refusal::invalid(format!(
                "We could not parse the JSON body of your request. {error}"
            ))
        };
        let mut fields: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        let knobs = match fields.remove("sim") {
            None => knobs.clone(),
            Some(Value::Object(patch)) => knobs.patched(patch).map_err(|error| {
                Refusal::invalid(format!("Invalid simulation: {error}")).param("sim")
            })?,
            Some(_) => {
                return Err(
                    Refusal::invalid("Invalid simulation: it must be an object.").param("sim"),
                );
            }
        };
        let ask = Self {
            fields,
            knobs,
            fault: None,
        };
        match ask.knobs.rejects.iter().find(|name| {
            ask.field(name)
                .is_some_and(|value| !is_default(name, value))
        }) {
            Some(name) => Err(Refusal::unsupported(name)),
            None => Ok(ask),
        }
    }

    /// A request within a request, with the same knobs.
    pub(crate) fn inner(fields: &Value, knobs: &Knobs) -> Self {
        Self {
            fields: fields.as_object().cloned().unwrap_or_default(),
            knobs: knobs.clone(),
            fault: None,
        }
    }

    /// A field, as it was sent.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// A field that is neither null nor ignored.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.field(name).filter(|value| {
            !value.is_null()
                && !self.knobs.ignores.iter().any(|ignored| ignored == name)
                && !self.knobs.manners().ignores.contains(&name)
        })
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A whole number within `range`.
    pub(crate) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number))
        {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::invalid(format!(
                "Invalid value for '{name}': expected an integer from {} to {}.",
                range.start(),
                range.end()
            ))
            .param(name)
            .code("invalid_value")),
        }
    }

    pub(crate) fn model(&self) -> Result<&str, Refusal> {
        match self.get("model").and_then(Value::as_str) {
            Some(model) if !model.is_empty() => Ok(model),
            _ => Err(Refusal::invalid("you must provide a model parameter")),
        }
    }

    pub(crate) fn messages(&self) -> Result<&[Value], Refusal> {
        match self.get("messages") {
            Some(Value::Array(messages)) if !messages.is_empty() => Ok(messages),
            Some(_) => Err(Refusal::invalid(
                "Invalid 'messages': expected an array with at least one message.",
            )
            .param("messages")),
            None => Err(Refusal::invalid("Missing required parameter: 'messages'.")
                .param("messages")
                .code("missing_required_parameter")),
        }
    }

    /// Refuses what the provider's profile does not take.
    pub(crate) fn check(&self, messages: &[Value], prompt_tokens: u32) -> Result<(), Refusal> {
        self.knobs.manners().check(Asked {
            fields: &self.fields,
            messages,
            prompt_tokens,
        })
    }

    /// The smaller of the two limits on completion tokens.
    pub(crate) fn token_limit(&self) -> Result<Option<u32>, Refusal> {
        let old = self.number("max_tokens", 1..=u32::MAX)?;
        let new = self.number("max_completion_tokens", 1..=u32::MAX)?;
        Ok(old.into_iter().chain(new).min())
    }

    /// Whether a stream was asked for, and whether with usage at its end.
    pub(crate) fn stream(&self) -> Option<bool> {
        let options = self
            .get("stream_options")
            .and_then(|options| options.get("include_usage"));
        self.flag("stream")
            .then(|| options.and_then(Value::as_bool).unwrap_or(false))
    }
}
