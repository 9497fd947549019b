//! Ordinary clients: what they ask, as whom, and what they count.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Ask, Client, Ending, Exchange};
use crate::verdict::{Weather, judge};

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

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

    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Stream | Self::MixtureStream)
    }

    fn model(self) -> &'static str {
        match self {
            Self::Chat | Self::Stream | Self::Embeddings => "sim-small",
            Self::Reread => "re2-sim-small",
            Self::Mixture | Self::MixtureStream => "moa-sim-small",
            Self::Voting => "majority_voting-sim-small",
            Self::Away => "away-small",
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

/// Clients that send for a while.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) address: SocketAddr,
    /// How many at once.
    pub(crate) clients: u32,
    /// The keys that they have.
    pub(crate) keys: Vec<String>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) weather: Weather,
    /// The share of requests whose client does not wait, in hundredths.
    pub(crate) leaving: u32,
    pub(crate) until: Instant,
    pub(crate) seed: u64,
    /// Between two requests of one client.
    pub(crate) pause: Duration,
}

/// What clients saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) wrong: BTreeMap<String, u64>,
    /// Tokens that whole answers report.
    pub(crate) tokens: u64,
    pub(crate) times: Vec<Duration>,
}

impl Tally {
    pub(crate) fn count(&mut self, kind: Kind, weather: Weather, exchange: &Exchange) {
        self.requests += 1;
        match judge(kind, weather, exchange) {
            Ok(outcome) => *self.outcomes.entry(outcome).or_default() += 1,
            Err(mistake) => {
                *self
                    .wrong
                    .entry(format!("{kind:?}: {mistake}"))
                    .or_default() += 1
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
        self.times.extend(other.times);
        for (sum, part) in [
            (&mut self.outcomes, other.outcomes),
            (&mut self.wrong, other.wrong),
        ] {
            for (name, times) in part {
                *sum.entry(name).or_default() += times;
            }
        }
    }

    /// The time that so many hundredths of the requests stayed within.
    pub(crate) fn within(&self, hundredths: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times
            .get(times.len().saturating_sub(1) * hundredths / 100)
            .copied()
            .unwrap_or_default()
    }
}

impl Crowd {
    /// Runs all clients to their end.
    pub(crate) async fn run(self) -> Tally {
        let mut clients = JoinSet::new();
        for number in 0..self.clients {
            clients.spawn(self.clone().client(number));
        }
        let mut tally = Tally::default();
        while let Some(done) = clients.join_next().await {
            match done {
                Ok(part) => tally.add(part),
                Err(error) => {
                    *tally
                        .wrong
                        .entry(format!("a client of the harness: {error}"))
                        .or_default() += 1
                }
            }
        }
        tally
    }

    async fn client(self, number: u32) -> Tally {
        let mut dice = SmallRng::seed_from_u64(self.seed ^ (u64::from(number) << 32));
        let (mut client, mut tally) = (Client::new(self.address), Tally::default());
        while Instant::now() < self.until {
            let (Some(kind), Some(key)) =
                (self.kinds.choose(&mut dice), self.keys.choose(&mut dice))
            else {
                break;
            };
            let leaves = dice.random_range(0..100) < self.leaving;
            let patience = if leaves {
                Duration::from_millis(dice.random_range(0..25))
            } else {
                PATIENCE
            };
            let exchange = client
                .send(&kind.ask(key.clone(), &mut dice), patience)
                .await;
            if leaves && exchange.ending == Ending::Left {
                tally.requests += 1;
                *tally.outcomes.entry("left".to_owned()).or_default() += 1;
            } else {
                tally.count(*kind, self.weather, &exchange);
                tally.times.push(exchange.took);
                tally.tokens += reported(&exchange);
            }
            if tally.times.len() > 100_000 {
                tally.times.clear();
            }
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
        }
        tally
    }
}

/// The tokens that a whole JSON answer reports.
fn reported(exchange: &Exchange) -> u64 {
    if exchange.ending != Ending::Whole || exchange.status != 200 {
        return 0;
    }
    let answer: Value = serde_json::from_slice(&exchange.body).unwrap_or_default();
    answer
        .pointer("/usage/total_tokens")
        .and_then(Value::as_u64)
        .unwrap_or(0)
}

/// So many keys.
pub(crate) fn keys(tenants: u32) -> Vec<String> {
    (0..tenants)
        .map(|number| format!("sk-tenant-{number:05}"))
        .collect()
}
