//! What a client of each dialect sends and reads, written without hone's own codecs.

use serde_json::{Value, json};

use crate::support::parts::SimHandle;
use crate::support::setup::Upstream;
use crate::support::{Answer, text};

/// A dialect as a client or an upstream speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Chat,
    Responses,
    Anthropic,
    Gemini,
}

pub const ALL: [Speaks; 4] = [
    Speaks::Chat,
    Speaks::Responses,
    Speaks::Anthropic,
    Speaks::Gemini,
];

impl Speaks {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "openai-chat",
            Self::Responses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The simulated provider as an upstream of this dialect.
    pub fn upstream(self, sim: &SimHandle, upstream: Upstream) -> Upstream {
        let url = match self {
            Self::Gemini => sim.root_url(),
            Self::Chat | Self::Responses | Self::Anthropic => sim.base_url(),
        };
        upstream.set("base_url", url).set("dialect", self.name())
    }

    /// The path at which an upstream of this dialect is asked, without its query.
    pub fn place(self, model: &str, streams: bool) -> String {
        match self {
            Self::Chat => "/v1/chat/completions".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
            Self::Anthropic => "/v1/messages".to_owned(),
            Self::Gemini if streams => format!("/v1beta/models/{model}:streamGenerateContent"),
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    /// Where a client asks `model`.
    pub fn path(self, model: &str, streams: bool) -> String {
        let query = if self == Self::Gemini && streams {
            "?alt=sse"
        } else {
            ""
        };
        self.place(model, streams) + query
    }

    /// A request of one turn.
    pub fn body(self, model: &str, says: &str, streams: bool) -> Value {
        let turn = json!([{"role": "user", "content": says}]);
        match self {
            Self::Chat if streams => json!({"model": model, "messages": turn, "stream": true,
                "stream_options": {"include_usage": true}}),
            Self::Chat => json!({"model": model, "messages": turn}),
            Self::Responses => json!({"model": model, "input": turn, "stream": streams}),
            Self::Anthropic => {
                json!({"model": model, "max_tokens": 900, "messages": turn, "stream": streams})
            }
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": says}]}]}),
        }
    }

    /// What a whole answer says.
    pub fn said(self, answer: &Answer) -> String {
        let body = answer.json();
        let texts = |list: &Value, name: &str| -> String {
            let list = list.as_array().expect("a list");
            let texts = list.iter().filter_map(|part| part[name].as_str());
            texts.collect()
        };
        match self {
            Self::Chat => {
                let said = body["choices"][0]["message"]["content"].as_str();
                said.expect("content").to_owned()
            }
            Self::Responses => {
                let output = body["output"].as_array().expect("output");
                let message = output.iter().find(|item| item["type"] == "message");
                texts(&message.expect("a message")["content"], "text")
            }
            Self::Anthropic => texts(&body["content"], "text"),
            Self::Gemini => texts(&body["candidates"][0]["content"]["parts"], "text"),
        }
    }

    /// What a stream says.
    pub fn streamed(self, answer: &Answer) -> String {
        let events = events(answer);
        let said = events.iter().filter_map(|event| {
            let text = match self {
                Self::Chat => &event["choices"][0]["delta"]["content"],
                Self::Responses if event["type"] == "response.output_text.delta" => &event["delta"],
                Self::Responses => &Value::Null,
                Self::Anthropic => &event["delta"]["text"],
                Self::Gemini => &event["candidates"][0]["content"]["parts"][0]["text"],
            };
            text.as_str()
        });
        said.collect()
    }

    /// What an answer or a stream says, which must be whole.
    pub fn told(self, answer: &Answer, streams: bool) -> String {
        if !streams {
            return self.said(answer);
        }
        assert!(self.is_whole(answer), "{self:?}: {answer}");
        self.streamed(answer)
    }

    /// Whether a stream ends as one does that is whole.
    pub fn is_whole(self, answer: &Answer) -> bool {
        let events = events(answer);
        let Some(last) = events.last() else {
            return false;
        };
        match self {
            Self::Chat => text(&answer.body).contains("data: [DONE]"),
            Self::Responses => last["type"] == "response.completed",
            Self::Anthropic => last["type"] == "message_stop",
            Self::Gemini => last["candidates"][0]["finishReason"] == "STOP",
        }
    }

    /// Input and output tokens that an answer, or the events of a stream, tell.
    pub fn usage(self, answer: &Answer) -> (u64, u64) {
        let documents = if text(&answer.body).starts_with('{') {
            vec![answer.json()]
        } else {
            events(answer)
        };
        let pair = |usage: &Value, names: [&str; 2]| {
            let [input, output] = names.map(|name| usage[name].as_u64());
            Some((input?, output?))
        };
        let told = documents.iter().rev().find_map(|document| match self {
            Self::Chat => pair(&document["usage"], ["prompt_tokens", "completion_tokens"]),
            Self::Responses => {
                let usage = &document["response"]["usage"];
                let names = ["input_tokens", "output_tokens"];
                pair(usage, names).or_else(|| pair(&document["usage"], names))
            }
            Self::Anthropic => pair(&document["usage"], ["input_tokens", "output_tokens"]),
            Self::Gemini => {
                let usage = &document["usageMetadata"];
                pair(usage, ["promptTokenCount", "candidatesTokenCount"])
            }
        });
        told.unwrap_or_else(|| panic!("{self:?} tells its usage: {answer}"))
    }
}

/// The data of a stream's events.
pub fn events(answer: &Answer) -> Vec<Value> {
    let body = text(&answer.body);
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let read = |data| serde_json::from_str(data).ok();
    data.filter_map(read).collect()
}
