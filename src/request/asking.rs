//! How a client asks for an answer: in which dialect, and what it says of that outside of the body.

use hone_dialects::wire::verb::{Verb, model_path};
use hone_dialects::{Dialect, Route, codec, request_weight};
use hone_strategies::ChatRequest;
use http::HeaderMap;
use http::request::Parts;

use crate::api::dialect;

/// A client's dialect, with what its path and head say in it.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    /// The dialect.
    pub(crate) dialect: Dialect,
    /// The model in the path.
    model: Option<String>,
    stream: bool,
    array: bool,
    version: Option<String>,
    beta: Option<String>,
    counts: bool,
}

impl Asking {
    /// What `parts` say.
    pub(crate) fn of(parts: &Parts) -> Self {
        let dialect = dialect::of(parts);
        let mut asking = Self {
            dialect,
            model: None,
            stream: false,
            array: false,
            version: None,
            beta: None,
            counts: false,
        };
        match dialect {
            Dialect::Anthropic => {
                asking.version = text(&parts.headers, "anthropic-version");
                asking.beta = text(&parts.headers, "anthropic-beta");
            }
            Dialect::Gemini => {
                if let Some(path) = model_path(parts.uri.path()) {
                    asking.stream = path.verb == Verb::Stream;
                    asking.model = Some(path.model);
                }
                let mut pairs = parts.uri.query().unwrap_or_default().split('&');
                asking.array = asking.stream && !pairs.any(|pair| pair == "alt=sse");
            }
            Dialect::OpenAiChat | Dialect::OpenAiResponses => {}
        }
        asking
    }

    /// The same, of a request that has the tokens of its prompt counted.
    #[must_use]
    pub(crate) fn for_a_count(self) -> Self {
        Self {
            counts: true,
            ..self
        }
    }

    /// Whether it asks in the form in which approaches work.
    pub(crate) fn is_chat(&self) -> bool {
        self.dialect == Dialect::OpenAiChat
    }

    /// Reads the request.
    ///
    /// # Errors
    ///
    /// What is wrong with it, by its path in the client's own spelling.
    pub(crate) fn decode(&self, body: &[u8]) -> Result<ChatRequest, hone_dialects::Refusal> {
        let route = Route {
            model: self.model.as_deref(),
            stream: self.stream,
            array: self.array,
            version: self.version.as_deref(),
            beta: self.beta.as_deref(),
            counts: self.counts,
        };
        codec(self.dialect).decode_request(body, &route)
    }

    /// The most memory that [`Self::decode`] takes for `body`, in bytes.
    pub(crate) fn weight(body: &[u8]) -> usize {
        request_weight(body)
    }
}

/// All lines of a header, as one.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}
