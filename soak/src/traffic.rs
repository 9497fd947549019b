//! Ordinary clients: what they ask, as whom, and what they count.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Client, Ending, Exchange};
use crate::kind::Kind;
use crate::verdict::{Weather, judge};

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

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
        let judged = judge(kind, weather, exchange);
        self.enter(judged.map_err(|mistake| format!("{kind:?}: {mistake}")));
    }

    /// Requests of this outcome.
    pub(crate) fn of(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// A request with a judgement of its own.
    pub(crate) fn enter(&mut self, judged: Result<String, String>) {
        self.requests += 1;
        let (map, word) = match judged {
            Ok(outcome) => (&mut self.outcomes, outcome),
            Err(mistake) => (&mut self.wrong, mistake),
        };
        *map.entry(word).or_default() += 1;
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
        gather(clients).await
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

/// What all of them saw, when they are done.
pub(crate) async fn gather(mut clients: JoinSet<Tally>) -> Tally {
    let mut tally = Tally::default();
    while let Some(done) = clients.join_next().await {
        match done {
            Ok(part) => tally.add(part),
            Err(error) => {
                *tally
                    .wrong
                    .entry(format!("a client of the harness: {error}"))
                    .or_default() += 1;
            }
        }
    }
    tally
}

/// The tokens that a whole JSON answer reports.
pub(crate) fn reported(exchange: &Exchange) -> u64 {
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
