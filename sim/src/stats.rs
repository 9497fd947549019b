//! What the provider has seen: counters that tests can wait on, and the requests themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::key::KeyDigest;

mod record;

pub use record::Recorded;

/// Requests kept for [`crate::SimHandle::requests`].
const RECORDED: usize = 10_000;
/// Distinct keys counted per slot.
const KEYS: usize = 10_000;

/// What has happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests whose head arrived, by endpoint (`chat/completions`, `models`, …; `unknown` for
    /// paths that do not exist).
    pub calls: BTreeMap<&'static str, u64>,
    /// Requests whose body arrived in full.
    pub received: u64,
    /// Requests that have neither been answered in full nor been abandoned.
    pub in_flight: u64,
    /// The most that `in_flight` has been.
    pub peak_in_flight: u64,
    /// Requests answered in full, errors and injected faults included.
    pub completed: u64,
    /// Requests whose client went away before the answer was complete.
    pub cancelled: u64,
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Prompt tokens of requests whose answer was begun.
    pub prompt_tokens: u64,
    /// Completion tokens handed to clients.
    pub tokens_served: u64,
    /// Completion tokens generated, those of abandoned answers included.
    pub tokens_generated: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open_connections: u64,
    /// Requests by slot (`?key` is the query's) and digest of the key in it.
    pub keys: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

impl Stats {
    /// Requests to all endpoints.
    pub fn total_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Requests to `endpoint`, e.g. `chat/completions`.
    pub fn calls_to(&self, endpoint: &str) -> u64 {
        self.calls.get(endpoint).copied().unwrap_or(0)
    }

    /// Requests that carried `key` in any slot.
    pub fn calls_with(&self, key: &[u8]) -> u64 {
        let digest = KeyDigest::of(key).to_string();
        self.keys
            .values()
            .filter_map(|seen| seen.get(&digest))
            .sum()
    }
}

/// The counters and the record, shared by all connections.
#[derive(Debug)]
pub(crate) struct Served {
    stats: watch::Sender<Stats>,
    requests: Option<Mutex<VecDeque<Recorded>>>,
}

impl Served {
    pub(crate) fn new(record: bool) -> Self {
        Self {
            stats: watch::Sender::new(Stats::default()),
            requests: record.then(Mutex::default),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats.borrow().clone()
    }

    pub(crate) async fn wait_until(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        match self.stats.subscribe().wait_for(condition).await {
            Ok(stats) => stats.clone(),
            // The sender lives in `self`, so it cannot be gone.
            Err(_) => self.stats(),
        }
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests
            .iter()
            .flat_map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    /// Keeps `request` if requests are recorded, and counts it as received.
    pub(crate) fn received(&self, request: impl FnOnce() -> Recorded) {
        if let Some(kept) = &self.requests {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == RECORDED {
                kept.pop_front();
            }
            kept.push_back(request());
        }
        self.stats.send_modify(|stats| stats.received += 1);
    }

    pub(crate) fn fault(&self, kind: &'static str) {
        self.stats
            .send_modify(|stats| *stats.faults.entry(kind).or_default() += 1);
    }

    /// A connection was accepted; it is open until the guard is dropped.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.stats.send_modify(|stats| {
            stats.connections += 1;
            stats.open_connections += 1;
        });
        Connected(Arc::clone(self))
    }

    /// A request's head has arrived with these keys.
    pub(crate) fn begin(
        self: &Arc<Self>,
        endpoint: &'static str,
        keys: &[(&'static str, KeyDigest)],
    ) -> InFlight {
        self.stats.send_modify(|stats| {
            *stats.calls.entry(endpoint).or_default() += 1;
            stats.in_flight += 1;
            stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
            for (place, digest) in keys {
                let seen = stats.keys.entry(place).or_default();
                let digest = digest.to_string();
                if seen.len() < KEYS || seen.contains_key(&digest) {
                    *seen.entry(digest).or_default() += 1;
                }
            }
        });
        InFlight {
            ledger: Arc::clone(self),
            generating: None,
            over: false,
        }
    }

    /// A request that is not counted.
    pub(crate) fn unobserved() -> InFlight {
        InFlight {
            ledger: Arc::new(Self::new(false)),
            generating: None,
            over: true,
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Served>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0
            .stats
            .send_modify(|stats| stats.open_connections -= 1);
    }
}

/// A request under way. Dropped before [`InFlight::complete`], it counts as cancelled.
#[derive(Debug)]
pub(crate) struct InFlight {
    ledger: Arc<Served>,
    generating: Option<Generating>,
    over: bool,
}

/// Tokens that are being made while nothing is sent.
#[derive(Debug, Clone, Copy)]
struct Generating {
    since: Instant,
    takes: Duration,
    tokens: u32,
}

impl InFlight {
    /// From now on `tokens` are made within `takes`, and are sent later.
    pub(crate) fn generate(&mut self, tokens: u32, takes: Duration) {
        self.generating = Some(Generating {
            since: Instant::now(),
            takes,
            tokens,
        });
    }

    /// The answer to a prompt of so many tokens begins.
    pub(crate) fn answers(&self, prompt_tokens: u32) {
        if prompt_tokens > 0 {
            self.ledger
                .stats
                .send_modify(|stats| stats.prompt_tokens += u64::from(prompt_tokens));
        }
    }

    /// `tokens` were handed to the client.
    pub(crate) fn sent(&mut self, tokens: u32) {
        if tokens > 0 {
            self.generating = None;
            self.ledger.stats.send_modify(|stats| {
                stats.tokens_served += u64::from(tokens);
                stats.tokens_generated += u64::from(tokens);
            });
        }
    }

    /// All that will be sent has been handed over.
    pub(crate) fn complete(&mut self) {
        self.finish(|stats| stats.completed += 1);
    }

    fn finish(&mut self, count: impl FnOnce(&mut Stats)) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let unsent = self.generating.take().map_or(0, Generating::so_far);
        self.ledger.stats.send_modify(|stats| {
            stats.in_flight -= 1;
            stats.tokens_generated += unsent;
            count(stats);
        });
    }
}

impl Generating {
    fn so_far(self) -> u64 {
        let elapsed = self.since.elapsed();
        if elapsed >= self.takes {
            return u64::from(self.tokens);
        }
        let made = u128::from(self.tokens) * elapsed.as_nanos() / self.takes.as_nanos().max(1);
        u64::try_from(made).unwrap_or(u64::MAX)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.finish(|stats| stats.cancelled += 1);
    }
}
