//! What upstreams' own answers have taught: whether `n` is honoured, whether a parameter that hone
//! adds is accepted.
//!
//! Facts are kept per tenant, upstream and model, so that no tenant can teach another's requests
//! anything. They expire, each tenant has room for a few only, and the number of tenants is
//! bounded: whatever one tenant asks for, it pushes out only its own.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use hone_strategies::model::Fact;
use tokio::time::Instant;

use crate::tenant::Principal;

/// How long a fact is believed.
const LIFETIME: Duration = Duration::from_secs(600);
/// Facts kept for one tenant. One more takes the place of the oldest.
const PER_TENANT: usize = 64;
/// Tenants with facts. At the cap those go that have learned nothing for a lifetime; if there is
/// none, the one that has learned nothing for longest.
const TENANTS: usize = 4096;
/// A longer model name is nobody's but a stranger's, and nothing is kept about it.
const LONGEST_MODEL: usize = 256;

/// Identifies what a fact is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The tenant's tag.
    pub(crate) tenant: Arc<str>,
    /// The upstream's name.
    pub(crate) upstream: String,
    /// The upstream's name for the model.
    pub(crate) model: String,
    /// What is known or not.
    pub(crate) fact: Fact,
}

/// The facts of a process.
#[derive(Debug, Default)]
pub(crate) struct Facts(DashMap<Arc<str>, Known>);

/// The facts of one tenant, the oldest first.
#[derive(Debug, Default)]
struct Known(Vec<Learned>);

#[derive(Debug)]
struct Learned {
    subject: Subject,
    value: bool,
    at: Instant,
}

impl Subject {
    /// What is to be known of `model` at `upstream` by the caller `principal`.
    pub(crate) fn new(principal: &Principal, upstream: &str, model: &str, fact: Fact) -> Self {
        Self {
            tenant: principal.shared_tag(),
            upstream: upstream.to_owned(),
            model: model.to_owned(),
            fact,
        }
    }
}

impl Facts {
    /// What is known, unless it was learned too long ago.
    pub(crate) fn get(&self, subject: &Subject) -> Option<bool> {
        let known = self.0.get(&subject.tenant)?;
        let learned = known.0.iter().find(|learned| learned.subject == *subject)?;
        learned.is_believed().then_some(learned.value)
    }

    /// Remembers a fact.
    pub(crate) fn learn(&self, subject: Subject, value: bool) {
        if subject.model.len() > LONGEST_MODEL {
            return;
        }
        if self.0.len() >= TENANTS && !self.0.contains_key(&subject.tenant) {
            self.make_room();
        }
        self.0
            .entry(Arc::clone(&subject.tenant))
            .or_default()
            .learn(subject, value);
    }

    fn make_room(&self) {
        self.0
            .retain(|_, known| known.latest().is_some_and(Learned::is_believed));
        if self.0.len() < TENANTS {
            return;
        }
        let age = |known: &Known| known.latest().map(|learned| learned.at);
        let stalest = self
            .0
            .iter()
            .min_by_key(|entry| age(entry.value()))
            .map(|entry| Arc::clone(entry.key()));
        if let Some(tenant) = stalest {
            self.0.remove(&tenant);
        }
    }
}

impl Known {
    fn learn(&mut self, subject: Subject, value: bool) {
        self.0.retain(|learned| learned.subject != subject);
        if self.0.len() >= PER_TENANT {
            self.0.remove(0);
        }
        self.0.push(Learned {
            subject,
            value,
            at: Instant::now(),
        });
    }

    fn latest(&self) -> Option<&Learned> {
        self.0.last()
    }
}

impl Learned {
    fn is_believed(&self) -> bool {
        self.at.elapsed() < LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(tenant: usize, model: usize) -> Subject {
        Subject {
            tenant: tenant.to_string().into(),
            upstream: "u".into(),
            model: model.to_string(),
            fact: Fact::HonoursN,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn facts_expire() {
        let facts = Facts::default();
        facts.learn(subject(1, 1), false);
        assert_eq!(facts.get(&subject(1, 1)), Some(false));
        assert_eq!(
            facts.get(&subject(2, 1)),
            None,
            "another tenant learns nothing"
        );
        tokio::time::advance(LIFETIME).await;
        assert_eq!(facts.get(&subject(1, 1)), None);
        facts.learn(subject(1, 1), true);
        assert_eq!(
            facts.get(&subject(1, 1)),
            Some(true),
            "what is learned again counts anew"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_with_many_models_pushes_out_its_own_facts_only() {
        let facts = Facts::default();
        facts.learn(subject(1, 0), true);
        for model in 0..10 * PER_TENANT {
            facts.learn(subject(2, model), true);
        }
        assert_eq!(facts.get(&subject(1, 0)), Some(true));
        assert_eq!(
            (
                facts.get(&subject(2, 0)),
                facts.get(&subject(2, 10 * PER_TENANT - 1))
            ),
            (None, Some(true))
        );
        assert!(facts.0.iter().all(|known| known.0.len() <= PER_TENANT));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tenants_with_facts_are_bounded_and_the_stalest_goes_first() {
        let facts = Facts::default();
        for tenant in 0..TENANTS + 10 {
            tokio::time::advance(Duration::from_millis(1)).await;
            facts.learn(subject(tenant, 0), true);
        }
        assert_eq!(facts.0.len(), TENANTS);
        assert_eq!(
            (facts.get(&subject(9, 0)), facts.get(&subject(10, 0))),
            (None, Some(true))
        );
        tokio::time::advance(LIFETIME).await;
        facts.learn(subject(TENANTS + 10, 0), true);
        assert_eq!(facts.0.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_about_a_name_that_no_model_has() {
        let facts = Facts::default();
        let long = Subject {
            model: "m".repeat(LONGEST_MODEL + 1),
            ..subject(1, 1)
        };
        facts.learn(long.clone(), true);
        assert_eq!(facts.get(&long), None);
        assert!(facts.0.is_empty());
    }
}
