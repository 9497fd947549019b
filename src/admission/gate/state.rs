//! What a gate keeps under its lock.

use tokio::time::Instant;

use super::Counts;
use crate::admission::output::Outputs;
use crate::admission::rate::{Rate, Wait};
use crate::admission::refused::{Dimension, Refused, Scope};
use crate::admission::reservation::{Amounts, Claim};
use crate::admission::shares::{Asker, Demand, Shares};
use crate::config::Limits;

#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    /// Of the limited dimensions only.
    pub(super) rates: Vec<Rate>,
    /// What each tenant has of them, if tenants share them.
    pub(super) shares: Option<Box<Shares>>,
    /// Counted with or without a limit, so that a limit set later is right at once.
    pub(super) requests_under_way: u32,
    pub(super) calls_under_way: u32,
    pub(super) calls_waiting: u32,
    pub(super) last_id: u64,
    pub(super) outputs: Option<Box<Outputs>>,
}

impl State {
    pub(super) fn new(limits: Limits, rates: Vec<Rate>) -> Self {
        Self {
            limits,
            rates,
            shares: None,
            requests_under_way: 0,
            calls_under_way: 0,
            calls_waiting: 0,
            last_id: 0,
            outputs: None,
        }
    }

    /// `who`, if it matters here.
    pub(super) fn asker<'a>(&self, who: Option<&'a Asker>) -> Option<&'a Asker> {
        who.filter(|_| self.shares.is_some() && !self.rates.is_empty())
    }

    /// The longest refusal that `ask` of `who` would meet now, or does meet.
    pub(super) fn refusal(
        &mut self,
        scope: Scope,
        ask: &Claim,
        (who, is_now): (Option<&Asker>, bool),
        now: Instant,
    ) -> Option<Refused> {
        let mut refused: Option<Refused> = None;
        let mut shares = self.shares.as_mut().zip(who);
        for rate in &mut self.rates {
            let dimension = rate.dimension();
            let (amount, checked) = match ask.amount(dimension, rate.limit()) {
                Err(amount) => (amount, Err(Wait::Forever)),
                Ok(amount) => (amount, rate.check(amount, now)),
            };
            if let Err(wait) = checked {
                let other = rate.refused(scope, amount, wait, now);
                refused = Some(longest(refused, other));
            }
            let Some((shares, who)) = shares.as_mut().filter(|_| amount > 0) else {
                continue;
            };
            let demand = Demand {
                dimension,
                amount,
                limit: rate.burst(),
                has_room: checked.is_ok(),
                is_now,
            };
            if let Err((wait, left)) = shares.check(demand, who, now) {
                let other = rate.refused(scope, amount, wait, now);
                let remaining = left.min(other.remaining);
                refused = Some(longest(refused, Refused { remaining, ..other }));
            }
        }
        refused
    }

    /// Takes `ask` of `who`, which has been checked.
    pub(super) fn take(
        &mut self,
        ask: &Claim,
        who: Option<&Asker>,
        now: Instant,
    ) -> (u64, Amounts) {
        self.last_id += 1;
        let id = self.last_id;
        let mut taken = Amounts::default();
        let mut shares = self.shares.as_mut().zip(who);
        for rate in &mut self.rates {
            let dimension = rate.dimension();
            let units = ask.units(dimension);
            rate.take(id, units, now);
            taken.set(dimension, units);
            if let Some((shares, who)) = &mut shares {
                shares.take(dimension, who, (id, units), now);
            }
        }
        (id, taken)
    }

    pub(super) fn settle(
        &mut self,
        id: u64,
        who: Option<&Asker>,
        (reserved, actual): (Amounts, Amounts),
        now: Instant,
    ) {
        let mut shares = self.shares.as_mut().zip(who);
        for rate in &mut self.rates {
            let dimension = rate.dimension();
            let (reserved, actual) = (reserved.of(dimension), actual.of(dimension));
            if reserved == 0 && actual == 0 {
                continue;
            }
            rate.settle(id, reserved, actual, now);
            if let Some((shares, who)) = &mut shares {
                shares.settle(dimension, who, (id, reserved, actual), now);
            }
        }
    }

    pub(super) fn refusal_at_the_door(
        &mut self,
        scope: Scope,
        counts: Counts,
        now: Instant,
    ) -> Option<Refused> {
        let mut refused: Option<Refused> = None;
        let mut exhausted = false;
        for rate in &mut self.rates {
            if rate.dimension() == Dimension::Tokens && counts == Counts::Calls {
                continue;
            }
            let Some((amount, wait)) = rate.owed(now) else {
                continue;
            };
            exhausted |= rate.is_exhausted(now);
            refused = Some(longest(refused, rate.refused(scope, amount, wait, now)));
        }
        refused.filter(|_| exhausted)
    }

    pub(super) fn fresh_outputs(&mut self, now: Instant) -> &mut Outputs {
        if self
            .outputs
            .as_ref()
            .is_some_and(|outputs| outputs.is_stale(now))
        {
            self.outputs = None;
        }
        self.outputs
            .get_or_insert_with(|| Box::new(Outputs::new(now)))
    }
}

/// The longer of a refusal so far, if any, and another.
pub(in crate::admission) fn longest(so_far: Option<Refused>, other: Refused) -> Refused {
    match so_far {
        None => other,
        Some(first) => first.longer(other),
    }
}
