//! One rate: the generic cell rate algorithm (ITU-T I.371) as a leaky bucket, in integers, with
//! exact settlement.
//!
//! The bucket is counted in ticks. One unit (a request, a call, a token) is [`UNIT`] ticks, one per
//! nanosecond of the window, and a limit of `L` units drains `L` ticks per nanosecond. So nothing
//! is ever rounded: what is given back is exactly what was taken, and a waiting time is exact to
//! the nanosecond. Ticks do not depend on the limit, so a changed limit keeps what was spent.
//!
//! **Settlement.** A reservation that used less than it took must leave the bucket as if only that
//! had been taken in the first place. Subtracting the surplus from the level is not enough: while
//! it lay in the bucket it may have drained time that, without it, would have been lost to an empty
//! bucket, and subtracting all of it would let more pass than the limit allows. The surplus that
//! may be taken out is at most the lowest level since the reservation (its *floor*), so every open
//! reservation remembers that one number.
//!
//! **Debt.** A demand that is larger than the burst fits an empty bucket and is taken whole. What
//! it has above the burst, and what a call uses beyond its reservation, lies above the capacity and
//! keeps everything else out until it has drained. Debt is never forgotten.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::Instant;

use super::refused::{Dimension, Refused, Scope};

/// The window of every rate.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Ticks of one unit.
const UNIT: u128 = WINDOW.as_nanos();

/// One limited quantity per [`WINDOW`]; the limit is also the burst.
#[derive(Debug)]
pub(super) struct Rate {
    dimension: Dimension,
    limit: NonZeroU64,
    /// Ticks in the bucket at `at`. Above the capacity it is debt.
    used: u128,
    at: Instant,
    /// Open reservations, oldest first; their floors never fall from one to the next. One whose
    /// floor reached 0 is dropped: it has drained entirely.
    holds: Vec<Hold>,
    refused: Option<Refusal>,
    asked: LeastAsked,
}

#[derive(Debug)]
struct Hold {
    id: u64,
    /// Units not yet settled.
    open: u64,
    /// The lowest level since this was taken, in ticks.
    floor: u128,
}

/// The last refusal, as long as it is not over.
#[derive(Debug)]
struct Refusal {
    amount: u64,
    until: Instant,
}

/// Why an amount does not fit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// It is larger than the burst.
    Forever,
    /// Alone, it fits after exactly this time.
    For(Duration),
}

impl Rate {
    pub(super) fn new(dimension: Dimension, limit: NonZeroU64, now: Instant) -> Self {
        Self {
            dimension,
            limit,
            used: 0,
            at: now,
            holds: Vec::new(),
            refused: None,
            asked: LeastAsked::new(now),
        }
    }

    pub(super) fn dimension(&self) -> Dimension {
        self.dimension
    }

    pub(super) fn burst(&self) -> NonZeroU64 {
        self.limit
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.get()
    }

    /// Changes the limit and keeps what was spent.
    pub(super) fn set_limit(&mut self, limit: NonZeroU64, now: Instant) {
        self.drain(now);
        self.limit = limit;
    }

    /// Whether more lies in the bucket than it holds.
    pub(super) fn is_in_debt(&mut self, now: Instant) -> bool {
        self.drain(now);
        self.used > self.capacity()
    }

    /// Whether it decides everything as a new one would.
    pub(super) fn is_fresh(&mut self, now: Instant) -> bool {
        self.drain(now);
        self.used == 0
    }

    /// Whole units that fit now.
    pub(super) fn remaining(&mut self, now: Instant) -> u64 {
        self.drain(now);
        u64::try_from(self.capacity().saturating_sub(self.used) / UNIT).unwrap_or(u64::MAX)
    }

    /// Until the whole burst is there again.
    pub(super) fn reset(&mut self, now: Instant) -> Duration {
        self.drain(now);
        self.time_to_drain(self.used)
    }

    /// Whether `amount` fits now. 0 always does, even in debt.
    pub(super) fn check(&mut self, amount: u64, now: Instant) -> Result<(), Wait> {
        self.drain(now);
        if amount > self.limit.get() {
            return Err(Wait::Forever);
        }
        let wait = self.wait_within(amount, self.limit.get(), now);
        if amount == 0 || wait.is_zero() {
            Ok(())
        } else {
            Err(Wait::For(wait))
        }
    }

    /// Until `amount` fits into a bucket of another size that drains like this one.
    pub(super) fn wait_within(&mut self, amount: u64, burst: u64, now: Instant) -> Duration {
        self.drain(now);
        let filled = self.used.saturating_add(u128::from(amount) * UNIT);
        self.time_to_drain(filled.saturating_sub(u128::from(burst) * UNIT))
    }

    /// Forgets what lies above `units`.
    pub(super) fn cap(&mut self, units: u64, now: Instant) {
        self.drain(now);
        self.used = self.used.min(u128::from(units) * UNIT);
        self.lower_floors();
    }

    /// Takes `amount`, which the caller has checked under the same lock (as far as the burst
    /// reaches), as reservation `id`. Ids must grow.
    pub(super) fn take(&mut self, id: u64, amount: u64, now: Instant) {
        if amount == 0 {
            return;
        }
        self.drain(now);
        self.lower_floors();
        self.used += u128::from(amount) * UNIT;
        self.holds.push(Hold {
            id,
            open: amount,
            floor: self.used,
        });
    }

    /// Closes `reserved` units of reservation `id`, which really were `actual`. A surplus is
    /// returned as if it had never been taken; overspend is charged now, fit or not, and becomes
    /// waiting time.
    pub(super) fn settle(&mut self, id: u64, reserved: u64, actual: u64, now: Instant) {
        self.drain(now);
        self.lower_floors();
        if let Ok(index) = self.holds.binary_search_by_key(&id, |hold| hold.id) {
            self.give_back(index, u128::from(reserved.saturating_sub(actual)) * UNIT);
            self.close(index, reserved);
        }
        self.used = self
            .used
            .saturating_add(u128::from(actual.saturating_sub(reserved)) * UNIT);
    }

    /// Remembers that `amount` is asked for and, if it does not fit now, until when.
    pub(super) fn remember(&mut self, amount: u64, now: Instant) {
        if amount == 0 {
            return;
        }
        self.asked.note(amount, now);
        if let Err(Wait::For(wait)) = self.check(amount, now) {
            self.refused = Some(Refusal {
                amount,
                until: now + wait,
            });
        }
    }

    /// The remembered refusal that still holds, as its amount and what is left to wait for it.
    pub(super) fn remembered(&mut self, now: Instant) -> Option<(u64, Wait)> {
        if self
            .refused
            .as_ref()
            .is_some_and(|refusal| refusal.until <= now)
        {
            self.refused = None;
        }
        let amount = self.refused.as_ref()?.amount;
        self.check(amount, now).err().map(|wait| (amount, wait))
    }

    /// Whether not even the least that was lately asked for fits now.
    pub(super) fn is_exhausted(&mut self, now: Instant) -> bool {
        let least = self.asked.least(now).clamp(1, self.limit.get());
        self.check(least, now).is_err()
    }

    /// What a request at the door must at least wait for: one cell of a request rate, and whatever
    /// refusal is remembered.
    pub(super) fn owed(&mut self, now: Instant) -> Option<(u64, Wait)> {
        if self.dimension() == Dimension::Requests {
            return self.check(1, now).err().map(|wait| (1, wait));
        }
        self.remembered(now)
    }

    /// The refusal of `requested` units, for which the caller has to wait `wait`.
    pub(super) fn refused(
        &mut self,
        scope: Scope,
        requested: u64,
        wait: Wait,
        now: Instant,
    ) -> Refused {
        let retry_after = match wait {
            Wait::Forever => None,
            Wait::For(time) => Some(time),
        };
        let (dimension, limit, remaining) = (self.dimension(), self.limit(), self.remaining(now));
        Refused {
            dimension,
            scope,
            limit,
            window: Some(WINDOW),
            requested,
            remaining,
            retry_after,
        }
    }

    fn capacity(&self) -> u128 {
        u128::from(self.limit.get()) * UNIT
    }

    fn time_to_drain(&self, ticks: u128) -> Duration {
        Duration::from_nanos(
            u64::try_from(ticks.div_ceil(u128::from(self.limit.get()))).unwrap_or(u64::MAX),
        )
    }

    fn drain(&mut self, now: Instant) {
        if now <= self.at {
            return;
        }
        let elapsed = now.saturating_duration_since(self.at);
        self.at += elapsed;
        self.used = self.used.saturating_sub(
            elapsed
                .as_nanos()
                .saturating_mul(u128::from(self.limit.get())),
        );
    }

    /// Records the present level in the floors. Between two changes the level only falls, so it is
    /// enough to look just before each change.
    fn lower_floors(&mut self) {
        let level = self.used;
        if level == 0 {
            self.holds.clear();
        }
        for hold in self
            .holds
            .iter_mut()
            .rev()
            .take_while(|hold| hold.floor > level)
        {
            hold.floor = level;
        }
    }

    fn give_back(&mut self, index: usize, surplus: u128) {
        let (older, newer) = self.holds.split_at_mut(index);
        let Some(floor) = newer.first().map(|hold| hold.floor) else {
            return;
        };
        let surplus = surplus.min(floor);
        // All levels since the reservation were lower by this; for the older ones too, from then
        // on.
        for hold in newer {
            hold.floor -= surplus;
        }
        for hold in older
            .iter_mut()
            .rev()
            .take_while(|hold| hold.floor > floor - surplus)
        {
            hold.floor = floor - surplus;
        }
        self.used -= surplus;
    }

    fn close(&mut self, index: usize, units: u64) {
        if let Some(hold) = self.holds.get_mut(index) {
            hold.open = hold.open.saturating_sub(units);
        }
        self.holds.retain(|hold| hold.open > 0 && hold.floor > 0);
    }
}

/// The least amount asked for in this window and the one before.
#[derive(Debug)]
struct LeastAsked {
    current: u64,
    previous: u64,
    since: Instant,
}

impl LeastAsked {
    fn new(now: Instant) -> Self {
        Self {
            current: u64::MAX,
            previous: u64::MAX,
            since: now,
        }
    }

    fn note(&mut self, amount: u64, now: Instant) {
        self.turn(now);
        self.current = self.current.min(amount);
    }

    fn least(&mut self, now: Instant) -> u64 {
        self.turn(now);
        self.current.min(self.previous)
    }

    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= WINDOW {
            self.previous = if age < 2 * WINDOW {
                self.current
            } else {
                u64::MAX
            };
            self.current = u64::MAX;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests;
