//! Fair parts of what tenants share by rate or by count.
//!
//! Nobody queues for a rate: who finds nothing left is refused, comes back, and finds that somebody
//! else has been there. So nobody may have so much that nothing is left. While another tenant has
//! asked within the window, no tenant has more than its *part*: `tenant_share` of the limit. Two
//! with large shares can still leave nothing to a third, so while somebody who has less than its
//! *fair part* finds nothing, the fair part is everybody's: that of its weight among all who ask. A
//! tenant that is alone may have everything.
//!
//! Of rates each tenant's use is kept in a bucket of its own. It drains as fast as its owner may
//! use the limit now, and settles as exactly as the shared one.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::fair_queue::TenantKey;
use super::rate::{Rate, WINDOW, Wait};
use super::refused::Dimension;

/// How often it is looked for tenants that ask no more. Until then their weights count.
const RECOUNT: Duration = Duration::from_secs(1);

/// On whose behalf something shared is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// The tenant.
    pub(crate) tenant: TenantKey,
    /// Its weight, relative to 1.
    pub(crate) weight: u32,
}

/// How a shared limit is shared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sharing {
    /// The part of one tenant while others ask, in (0, 1].
    pub(crate) tenant_share: f64,
    /// Most calls that wait for one of `concurrent_upstream_calls`.
    pub(crate) max_waiting: usize,
    /// How long each waits at most.
    pub(crate) max_wait: Duration,
}

/// What each tenant has of the limits that it shares with others.
#[derive(Debug)]
pub(super) struct Shares {
    tenant_share: f64,
    rates: [(Dimension, Sharers<Rate>); 3],
    requests: Sharers<u32>,
}

/// What is asked of one shared rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    pub(super) dimension: Dimension,
    pub(super) amount: u64,
    /// The limit of all together.
    pub(super) limit: NonZeroU64,
    /// Whether all together leave room for it.
    pub(super) has_room: bool,
    /// Whether it is asked for now. Else it is only to be told when there will be room.
    pub(super) is_now: bool,
}

impl Shares {
    pub(super) fn new(tenant_share: f64, now: Instant) -> Self {
        let dimensions = [
            Dimension::Requests,
            Dimension::Tokens,
            Dimension::UpstreamCalls,
        ];
        Self {
            tenant_share,
            rates: dimensions.map(|dimension| (dimension, Sharers::new(now))),
            requests: Sharers::new(now),
        }
    }

    pub(super) fn set_share(&mut self, tenant_share: f64) {
        self.tenant_share = tenant_share;
    }

    /// Notes that `who` asks, and whether its part has room for that. `Err` also holds the units
    /// that it has.
    pub(super) fn check(
        &mut self,
        demand: Demand,
        who: &Asker,
        now: Instant,
    ) -> Result<(), (Wait, u64)> {
        let Demand {
            dimension,
            amount,
            limit,
            has_room,
            is_now,
        } = demand;
        let share = self.tenant_share;
        let Some(sharers) = self.rate(dimension) else {
            return Ok(());
        };
        if is_now {
            sharers.note(who, now, || Rate::new(dimension, limit, now));
        }
        let Allowed { part, fair, rival } = sharers.part_of(who, (limit, share), now);
        let Some(sharer) = sharers.members.get_mut(&who.tenant) else {
            return Ok(());
        };
        let had_rival = std::mem::replace(&mut sharer.has_rival, rival.is_some());
        let rate = &mut sharer.has;
        rate.set_limit(part, now);
        if rival.is_some() && !had_rival {
            // What it used while it was alone keeps it out for one window at most.
            rate.cap(part.get().saturating_mul(2), now);
        }
        let checked = rate.wait_within(amount.min(part.get()), part.get(), now);
        if is_now && !has_room && rate.wait_within(amount.min(fair), fair, now).is_zero() {
            sharers.starved = Some(now);
        }
        match rival {
            Some(until) if !checked.is_zero() => {
                // Alone, it has no part.
                let alone = until.saturating_duration_since(now);
                Err((Wait::For(checked.min(alone)), rate.remaining(now)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn take(
        &mut self,
        dimension: Dimension,
        who: &Asker,
        (id, units): (u64, u64),
        now: Instant,
    ) {
        if let Some(sharer) = self.sharer(dimension, who) {
            sharer.has.take(id, units, now);
        }
    }

    pub(super) fn settle(
        &mut self,
        dimension: Dimension,
        who: &Asker,
        (id, reserved, actual): (u64, u64, u64),
        now: Instant,
    ) {
        // Who is no longer known had nothing in its bucket, and has asked for nothing for long.
        if let Some(sharer) = self.sharer(dimension, who) {
            sharer.has.settle(id, reserved, actual, now);
        }
    }

    /// Counts one more request of `who` under way, of at most `limit`, unless `all` leave no room
    /// or it has its part.
    pub(super) fn start_request(
        &mut self,
        who: &Asker,
        (limit, all): (NonZeroU64, u32),
        now: Instant,
    ) -> bool {
        self.requests.note(who, now, u32::default);
        let limits = (limit, self.tenant_share);
        let Allowed { part, fair, .. } = self.requests.part_of(who, limits, now);
        let has_room = u64::from(all) < limit.get();
        let Some(sharer) = self.requests.members.get_mut(&who.tenant) else {
            return has_room;
        };
        let has = u64::from(sharer.has);
        if has_room && has < part.get() {
            sharer.has += 1;
            return true;
        }
        if !has_room && has < fair {
            self.requests.starved = Some(now);
        }
        false
    }

    pub(super) fn end_request(&mut self, tenant: &TenantKey) {
        if let Some(sharer) = self.requests.members.get_mut(tenant) {
            sharer.has = sharer.has.saturating_sub(1);
        }
    }

    fn rate(&mut self, dimension: Dimension) -> Option<&mut Sharers<Rate>> {
        let mut rates = self.rates.iter_mut();
        let found = rates.find(|(known, _)| *known == dimension);
        found.map(|(_, sharers)| sharers)
    }

    fn sharer(&mut self, dimension: Dimension, who: &Asker) -> Option<&mut Sharer<Rate>> {
        self.rate(dimension)?.members.get_mut(&who.tenant)
    }
}

/// Who shares one limit.
#[derive(Debug)]
struct Sharers<T> {
    /// Hashed quickly: nobody can choose such a key, which is an operator's word or an HMAC.
    members: HashMap<TenantKey, Sharer<T>, RandomState>,
    /// Who asked last, and who before that of all others.
    last: [Option<(TenantKey, Instant)>; 2],
    /// When one that had less than its fair part last found nothing left.
    starved: Option<Instant>,
    /// The sum of the weights of those who asked within the window, or lately did.
    weight: u64,
    counted: Instant,
}

#[derive(Debug)]
struct Sharer<T> {
    has: T,
    asked: Instant,
    weight: u32,
    has_rival: bool,
}

/// What somebody may have.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    part: NonZeroU64,
    fair: u64,
    /// When it will be alone unless another asks again; `None` if it is.
    rival: Option<Instant>,
}

/// Whether somebody's use may be forgotten.
trait Use {
    fn is_nothing(&mut self, now: Instant) -> bool;
}

impl Use for Rate {
    fn is_nothing(&mut self, now: Instant) -> bool {
        self.is_fresh(now)
    }
}

impl Use for u32 {
    fn is_nothing(&mut self, _now: Instant) -> bool {
        *self == 0
    }
}

impl<T: Use> Sharers<T> {
    fn new(now: Instant) -> Self {
        Self {
            members: HashMap::default(),
            last: [None, None],
            starved: None,
            weight: 0,
            counted: now,
        }
    }

    /// Notes that `who` asks.
    fn note(&mut self, who: &Asker, now: Instant, new: impl FnOnce() -> T) {
        self.recount(now);
        let weight = who.weight.max(1);
        let sharer = self.members.entry(who.tenant.clone()).or_insert_with(|| {
            self.weight += u64::from(weight);
            Sharer {
                has: new(),
                asked: now,
                weight,
                has_rival: false,
            }
        });
        sharer.asked = now;
        let [latest, other] = &mut self.last;
        match latest {
            Some((last, at)) if *last == who.tenant => *at = now,
            _ => *other = latest.replace((who.tenant.clone(), now)),
        }
    }

    /// What `who` may have now.
    fn part_of(&self, who: &Asker, (limit, share): (NonZeroU64, f64), now: Instant) -> Allowed {
        let others = self.last.iter().flatten();
        let rival = others
            .filter(|(tenant, _)| *tenant != who.tenant)
            .map(|(_, at)| *at + WINDOW)
            .find(|until| now < *until);
        let fair = u128::from(limit.get()) * u128::from(who.weight.max(1));
        let fair = u64::try_from(fair / u128::from(self.weight.max(1))).unwrap_or(u64::MAX);
        let fair = fair.clamp(1, limit.get());
        let part = match rival {
            None => limit,
            Some(_) if self.starved.is_some_and(|at| now < at + WINDOW) => {
                let part = part_of(limit, share);
                NonZeroU64::new(fair).map_or(part, |fair| fair.min(part))
            }
            Some(_) => part_of(limit, share),
        };
        Allowed { part, fair, rival }
    }

    /// Forgets who has asked for nothing for a window and has nothing.
    fn recount(&mut self, now: Instant) {
        if now.saturating_duration_since(self.counted) < RECOUNT {
            return;
        }
        self.counted = now;
        let mut weight = 0;
        self.members.retain(|_, sharer| {
            let asks = now < sharer.asked + WINDOW;
            weight += if asks { u64::from(sharer.weight) } else { 0 };
            asks || !sharer.has.is_nothing(now)
        });
        self.weight = weight;
    }
}

/// ⌈`share` × `limit`⌉, at least 1 and at most `limit`.
fn part_of(limit: NonZeroU64, share: f64) -> NonZeroU64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part to within rounding, and `as` saturates"
    )]
    // Without the epsilon 0.1 × 30 would round up to 4.
    let units = (share * limit.get() as f64 - 1e-6).ceil() as u64;
    NonZeroU64::new(units).map_or(NonZeroU64::MIN, |units| units.min(limit))
}

#[cfg(test)]
mod tests;
