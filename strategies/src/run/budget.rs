//! One run's allowance of calls, tokens and parallel calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::error::Exhausted;

/// What one run may spend.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// Calls to the model, retries included.
    pub calls: u32,
    /// Tokens read and generated. The calls that are under way when it is reached may exceed it.
    pub tokens: u64,
    /// When the best answer so far is returned.
    pub deadline: Instant,
    /// Calls at the same time, at least one.
    pub parallel: u32,
}

/// What one run may spend, and has spent.
#[derive(Debug)]
pub(crate) struct Budget {
    calls: u32,
    tokens: u64,
    permits: Semaphore,
    balance: Mutex<Balance>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Balance {
    calls: u32,
    spent: u64,
    reserved: u64,
}

impl Budget {
    pub(crate) fn new(limits: &RunLimits) -> Self {
        let permits = Semaphore::new(
            usize::try_from(limits.parallel.max(1))
                .unwrap_or(Semaphore::MAX_PERMITS)
                .min(Semaphore::MAX_PERMITS),
        );
        Self {
            calls: limits.calls,
            tokens: limits.tokens,
            permits,
            balance: Mutex::default(),
        }
    }

    /// Waits for a turn among the run's own parallel calls. `None` never happens, as the semaphore
    /// is never closed.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    /// Takes one call and `estimate` tokens.
    pub(crate) fn reserve(&self, estimate: u64) -> Result<Reservation<'_>, Exhausted> {
        let mut balance = self.balance();
        if balance.calls >= self.calls {
            return Err(Exhausted::Calls);
        }
        if balance
            .spent
            .saturating_add(balance.reserved)
            .saturating_add(estimate)
            > self.tokens
        {
            return Err(Exhausted::Tokens);
        }
        balance.calls += 1;
        balance.reserved += estimate;
        Ok(Reservation {
            budget: self,
            estimate,
            charge: Some(estimate),
        })
    }

    /// Calls made so far.
    pub(crate) fn calls(&self) -> u32 {
        self.balance().calls
    }

    /// Calls that may still be made.
    pub(crate) fn calls_left(&self) -> u32 {
        self.calls.saturating_sub(self.balance().calls)
    }

    /// Tokens that may still be used.
    pub(crate) fn tokens_left(&self) -> u64 {
        let balance = self.balance();
        self.tokens
            .saturating_sub(balance.spent.saturating_add(balance.reserved))
    }

    fn balance(&self) -> MutexGuard<'_, Balance> {
        self.balance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call's share of the budget. Dropping it charges the estimate, since the upstream may already
/// have billed the call.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    budget: &'a Budget,
    estimate: u64,
    /// What dropping will charge; `None` gives the call back too.
    charge: Option<u64>,
}

impl Reservation<'_> {
    /// The call happened and used `tokens`.
    pub(crate) fn settle(mut self, tokens: u64) {
        self.charge = Some(tokens);
    }

    /// Dropping it will charge `tokens`.
    pub(crate) fn expect(&mut self, tokens: u64) {
        self.charge = Some(tokens);
    }

    /// The call was never made.
    pub(crate) fn cancel(mut self) {
        self.charge = None;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut balance = self.budget.balance();
        balance.reserved = balance.reserved.saturating_sub(self.estimate);
        match self.charge {
            Some(tokens) => balance.spent = balance.spent.saturating_add(tokens),
            None => balance.calls = balance.calls.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(calls: u32, tokens: u64) -> Budget {
        Budget::new(&RunLimits {
            calls,
            tokens,
            deadline: Instant::now(),
            parallel: 4,
        })
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve(u64),
        Settle(usize, u64),
        Drop(usize),
        Cancel(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..400_u64).prop_map(Step::Reserve),
            (any::<usize>(), 0..900_u64).prop_map(|(at, tokens)| Step::Settle(at, tokens)),
            any::<usize>().prop_map(Step::Drop),
            any::<usize>().prop_map(Step::Cancel),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn nothing_leaks_and_nothing_is_spent_twice(steps in steps()) {
            let budget = budget(20, 1000);
            let mut open: Vec<(Reservation<'_>, u64)> = Vec::new();
            let (mut calls, mut spent) = (0, 0);
            for step in steps {
                match step {
                    Step::Reserve(estimate) => {
                        let reserved: u64 = open.iter().map(|(_, estimate)| estimate).sum();
                        let fits = calls < 20 && spent + reserved + estimate <= 1000;
                        let reservation = budget.reserve(estimate);
                        prop_assert_eq!(reservation.is_ok(), fits);
                        if let Ok(reservation) = reservation {
                            calls += 1;
                            open.push((reservation, estimate));
                        }
                    }
                    Step::Settle(at, tokens) if !open.is_empty() => {
                        let at = at % open.len();
                        open.swap_remove(at).0.settle(tokens);
                        spent += tokens;
                    }
                    Step::Drop(at) if !open.is_empty() => {
                        let at = at % open.len();
                        spent += open.swap_remove(at).1;
                    }
                    Step::Cancel(at) if !open.is_empty() => {
                        let at = at % open.len();
                        open.swap_remove(at).0.cancel();
                        calls -= 1;
                    }
                    _ => {}
                }
                prop_assert_eq!(budget.calls(), calls);
            }
            spent += open.iter().map(|(_, estimate)| estimate).sum::<u64>();
            drop(open);
            prop_assert_eq!(*budget.balance(), Balance { calls, spent, reserved: 0 });
            prop_assert_eq!(budget.calls_left(), 20 - calls);
        }
    }
}
