//! Token use, read beside a response that is passed on as it comes.
//!
//! What is reported is believed; beside it hone counts for itself, for providers that report
//! nothing, streams that end early and several choices of which only one is reported. Nothing here
//! changes, delays or refuses a response: what cannot be read is left out. Compressed responses
//! cannot be read.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

pub mod body;
pub mod stream;
mod text;

pub use body::BodyReader;
pub use stream::{EventKind, StreamCounter, StreamReader};

use crate::sse::Splitter;

/// The kinds of responses whose token use can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `chat/completions`.
    ChatCompletions,
    /// `completions`.
    Completions,
    /// `embeddings`.
    Embeddings,
    /// Anthropic's `messages`.
    Messages,
    /// `responses`.
    Responses,
}

/// Tokens spent by one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUse {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens generated, hidden reasoning included where it is reported.
    pub output: u64,
    /// At least the sum of both; more where a provider reports more.
    pub total: u64,
}

/// What a response told about its token use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// The provider's own account, the last or largest where it gives several.
    pub reported: Option<TokenUse>,
    /// Generated tokens by hone's count; `None` if the response was too large to be read.
    pub counted: Option<u64>,
}

/// Reads one response, of either form.
#[derive(Debug)]
pub enum UsageReader {
    /// A JSON body.
    Body(BodyReader),
    /// An event stream.
    Stream(Box<(Splitter, StreamReader)>),
}

impl Api {
    /// The kind of the responses to `path`, which is given without `/v1/` and without a query.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "chat/completions" => Some(Self::ChatCompletions),
            "completions" => Some(Self::Completions),
            "embeddings" => Some(Self::Embeddings),
            "messages" => Some(Self::Messages),
            "responses" => Some(Self::Responses),
            _ => None,
        }
    }
}

impl TokenUse {
    /// `input` tokens read and `output` tokens generated.
    pub fn new(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            total: input.saturating_add(output),
        }
    }

    /// The larger number of each kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let (input, output) = (self.input.max(other.input), self.output.max(other.output));
        Self {
            input,
            output,
            total: self
                .total
                .max(other.total)
                .max(input.saturating_add(output)),
        }
    }

    /// Reads the `usage` object of any of the APIs. `None` unless it counts something.
    fn parse(usage: &RawValue) -> Option<Self> {
        serde_json::from_str::<Usage>(usage.get()).ok()?.tokens()
    }
}

impl Observed {
    /// What to charge for a call whose input was estimated at `input_estimate` tokens, with
    /// `choices` choices wanted: the report; without one the count; of several choices the larger
    /// output of both, because some providers report one choice only. `None` if nothing is known.
    pub fn settled(&self, input_estimate: u64, choices: u64) -> Option<TokenUse> {
        match (self.reported, self.counted) {
            (Some(reported), Some(counted)) if choices > 1 => {
                Some(reported.max(TokenUse::new(reported.input, counted)))
            }
            (Some(reported), _) => Some(reported),
            (None, counted) => counted.map(|counted| TokenUse::new(input_estimate, counted)),
        }
    }
}

impl UsageReader {
    /// For a JSON body with `choices` choices, of which at most `max_bytes` are kept.
    pub fn body(api: Api, max_bytes: usize, choices: u64) -> Self {
        Self::Body(BodyReader::new(api, max_bytes, choices))
    }

    /// For an event stream, of which at most one event of `max_event_bytes` is kept.
    pub fn stream(api: Api, max_event_bytes: usize) -> Self {
        Self::Stream(Box::new((
            Splitter::new(max_event_bytes),
            StreamReader::new(api),
        )))
    }

    /// Reads the next bytes of the response.
    pub fn observe(&mut self, chunk: &Bytes) {
        match self {
            Self::Body(body) => body.observe(chunk),
            Self::Stream(stream) => {
                let (splitter, reader) = stream.as_mut();
                for event in splitter.push(chunk.clone()) {
                    reader.observe(&event);
                }
            }
        }
    }

    /// What is known at the end of the response, or where it was cut off.
    pub fn finish(self) -> Observed {
        match self {
            Self::Body(body) => body.finish(),
            Self::Stream(stream) => {
                let (splitter, mut reader) = *stream;
                if let Some(event) = splitter.finish() {
                    reader.observe(&event);
                }
                reader.finish()
            }
        }
    }
}

/// The union of the `usage` objects. Anthropic's `input_tokens` leaves out what its cache was
/// written to or read from.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names in the documents")]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl Usage {
    /// `None` unless it counts something.
    fn tokens(&self) -> Option<TokenUse> {
        let cached = self
            .cache_creation_input_tokens
            .unwrap_or(0)
            .saturating_add(self.cache_read_input_tokens.unwrap_or(0));
        let input = self
            .prompt_tokens
            .or(self.input_tokens.map(|input| input.saturating_add(cached)));
        let output = self.completion_tokens.or(self.output_tokens);
        input.or(output).or(self.total_tokens)?;
        let sum = TokenUse::new(input.unwrap_or(0), output.unwrap_or(0));
        Some(TokenUse {
            total: sum.total.max(self.total_tokens.unwrap_or(0)),
            ..sum
        })
    }
}

#[cfg(test)]
mod tests;
