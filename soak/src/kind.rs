//! What ordinary clients ask for.

use http::Method;
use rand::Rng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use crate::client::Ask;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Chat,
    Stream,
    Embeddings,
    Reread,
    Mixture,
    MixtureStream,
    Voting,
    /// At the upstream that goes away; costs no tokens.
    Away,
    /// Over HTTP/2 to the upstream.
    Multiplexed,
    MultiplexedStream,
    /// Where a rate is shared.
    SharedRate,
    /// Where a number of requests at once is shared.
    SharedCount,
}

impl Kind {
    /// Those whose calls all run to their end.
    pub(crate) const STEADY: [Self; 6] = [
        Self::Chat,
        Self::Chat,
        Self::Stream,
        Self::Embeddings,
        Self::Reread,
        Self::MixtureStream,
    ];
    /// All of them; relays are most.
    pub(crate) const MIXED: [Self; 12] = [
        Self::Chat,
        Self::Chat,
        Self::Chat,
        Self::Stream,
        Self::Stream,
        Self::Stream,
        Self::Embeddings,
        Self::Reread,
        Self::Mixture,
        Self::MixtureStream,
        Self::Voting,
        Self::Away,
    ];
    /// Those that must be answered whatever strangers do.
    pub(crate) const BESIDE: [Self; 6] = [
        Self::Chat,
        Self::Stream,
        Self::Embeddings,
        Self::Reread,
        Self::Multiplexed,
        Self::MultiplexedStream,
    ];

    pub(crate) fn is_stream(self) -> bool {
        matches!(
            self,
            Self::Stream | Self::MixtureStream | Self::MultiplexedStream
        )
    }

    fn model(self) -> &'static str {
        match self {
            Self::Chat | Self::Stream | Self::Embeddings => "sim-small",
            Self::Reread => "re2-sim-small",
            Self::Mixture | Self::MixtureStream => "moa-sim-small",
            Self::Voting => "majority_voting-sim-small",
            Self::Away => "away-small",
            Self::Multiplexed | Self::MultiplexedStream => "h2-small",
            Self::SharedRate => "rate-small",
            Self::SharedCount => "count-small",
        }
    }

    /// The request, by the holder of `key`.
    pub(crate) fn ask(self, key: String, dice: &mut SmallRng) -> Ask {
        let (path, body) = match self {
            Self::Embeddings => (
                "/v1/embeddings",
                json!({"model": self.model(), "input": "a few words"}),
            ),
            Self::Away => (
                "/v1/moderations",
                json!({"model": self.model(), "input": "a few words"}),
            ),
            _ => ("/v1/chat/completions", self.chat(dice)),
        };
        Ask {
            method: Method::POST,
            path,
            key,
            body: body.to_string(),
        }
    }

    fn chat(self, dice: &mut SmallRng) -> Value {
        let question = format!(
            "How many stones lie in river {}?",
            dice.random_range(0..1000)
        );
        let mut body = json!({"model": self.model(), "max_tokens": 32,
            "messages": [{"role": "user", "content": question}]});
        if let Some(body) = body.as_object_mut().filter(|_| self.is_stream()) {
            body.insert("stream".to_owned(), json!(true));
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        body
    }
}
