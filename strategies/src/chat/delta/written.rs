//! A chunk, written for a client without a tree: nearly all events of streams are such.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Delta;

/// One chunk as a client reads it.
#[derive(Debug)]
pub struct WrittenChunk<'a> {
    /// The answer's id.
    pub id: &'a str,
    /// Unix time in seconds.
    pub created: u64,
    /// The model that the client asked for.
    pub model: &'a str,
    /// What is added.
    pub choices: &'a [Added<'a>],
    /// What stands beside the choices, under other names than the members here.
    pub beside: &'a Map<String, Value>,
    /// Null on all chunks but the last where a client asks for it.
    pub usage: Option<&'a Value>,
}

impl Serialize for WrittenChunk<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut chunk = serializer.serialize_map(None)?;
        chunk.serialize_entry("id", self.id)?;
        chunk.serialize_entry("object", "chat.completion.chunk")?;
        chunk.serialize_entry("created", &self.created)?;
        chunk.serialize_entry("model", self.model)?;
        chunk.serialize_entry("choices", self.choices)?;
        for (name, value) in self.beside {
            chunk.serialize_entry(name, value)?;
        }
        if let Some(usage) = self.usage {
            chunk.serialize_entry("usage", usage)?;
        }
        chunk.end()
    }
}

/// An element of a chunk's `choices`.
#[derive(Debug)]
pub struct Added<'a> {
    index: u32,
    delta: &'a Delta,
}

impl Delta {
    /// The addition as an element of a chunk's `choices`, to the one with this index.
    pub fn to(&self, index: u32) -> Added<'_> {
        Added { index, delta: self }
    }
}

impl Serialize for Added<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Delta {
            fields,
            finish_reason,
            logprobs,
            rest,
            native: _,
        } = self.delta;
        let mut choice = serializer.serialize_map(None)?;
        choice.serialize_entry("index", &self.index)?;
        choice.serialize_entry("delta", fields)?;
        choice.serialize_entry("finish_reason", finish_reason)?;
        if let Some(logprobs) = logprobs {
            choice.serialize_entry("logprobs", logprobs)?;
        }
        let own = ["index", "delta", "finish_reason", "logprobs"];
        let rest = rest.iter().flat_map(|rest| rest.iter());
        for (name, value) in rest.filter(|(name, _)| !own.contains(&&***name)) {
            choice.serialize_entry(name, value)?;
        }
        choice.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chunk_is_written_with_all_that_is_known_of_it_in_the_order_of_clients() {
        let mut delta = Delta::content("a\"b\n");
        delta.finish_reason = Some("stop".to_owned());
        delta.logprobs = Some(json!({"content": []}).into());
        let rest = json!({"stop_sequence": "x", "index": 7});
        delta.rest = rest.as_object().cloned().map(Box::new);
        let beside = json!({"citations": [1]});
        let chunk = WrittenChunk {
            id: "chatcmpl-1",
            created: 2,
            model: "m",
            choices: &[delta.to(3)],
            beside: beside.as_object().unwrap(),
            usage: Some(&Value::Null),
        };
        assert_eq!(
            serde_json::to_string(&chunk).unwrap(),
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":2,"model":"m","#
                .to_owned()
                + r#""choices":[{"index":3,"delta":{"content":"a\"b\n"},"finish_reason":"stop","#
                + r#""logprobs":{"content":[]},"stop_sequence":"x"}],"citations":[1],"usage":null}"#
        );
    }
}
