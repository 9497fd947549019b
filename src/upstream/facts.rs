//! What upstreams' own answers have taught: whether `n` is honoured, whether a parameter that hone adds is accepted.
//!
//! Facts are kept per tenant, upstream and model, so that no tenant can teach another's requests anything; they expire, and their number is bounded.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use hone_strategies::model::Fact;
use tokio::time::Instant;

/// How long a fact is believed.
const LIFETIME: Duration = Duration::from_secs(600);
/// Facts kept at once. At the cap the expired ones go; if none has expired, nothing new is learned.
const CAPACITY: usize = 10_000;

/// Identifies what a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The tenant's tag.
    pub tenant: Arc<str>,
    /// The upstream's name.
    pub upstream: String,
    /// The upstream's name for the model.
    pub model: String,
    /// What is known or not.
    pub fact: Fact,
}

/// The facts of a process.
#[derive(Debug, Default)]
pub struct Facts(DashMap<Subject, (bool, Instant)>);

impl Facts {
    /// What is known, unless it was learned too long ago.
    pub fn get(&self, subject: &Subject) -> Option<bool> {
        let (value, learned) = *self.0.get(subject)?;
        (learned.elapsed() < LIFETIME).then_some(value)
    }

    /// Remembers a fact.
    pub fn learn(&self, subject: Subject, value: bool) {
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, (_, learned)| learned.elapsed() < LIFETIME);
        }
        if self.0.len() < CAPACITY || self.0.contains_key(&subject) {
            self.0.insert(subject, (value, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(tenant: usize) -> Subject {
        Subject { tenant: tenant.to_string().into(), upstream: "u".into(), model: "m".into(), fact: Fact::HonoursN }
    }

    #[tokio::test(start_paused = true)]
    async fn facts_expire() {
        let facts = Facts::default();
        facts.learn(subject(1), false);
        assert_eq!(facts.get(&subject(1)), Some(false));
        assert_eq!(facts.get(&subject(2)), None, "another tenant learns nothing");
        tokio::time::advance(LIFETIME).await;
        assert_eq!(facts.get(&subject(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_strangers_send_cannot_grow_the_table() {
        let facts = Facts::default();
        for tenant in 0..CAPACITY + 100 {
            facts.learn(subject(tenant), true);
        }
        assert_eq!(facts.0.len(), CAPACITY);
        tokio::time::advance(LIFETIME).await;
        facts.learn(subject(CAPACITY + 1), true);
        assert_eq!(facts.0.len(), 1);
    }
}
