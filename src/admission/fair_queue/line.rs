//! The state of a fair queue: plain data, changed under one lock.

use std::collections::hash_map::{Entry, OccupiedEntry};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::{QueueError, RETRY_AFTER, TenantKey, Ticket, TurnOutcome};

/// Virtual time of one turn at weight 1.
const STRIDE: u128 = 1 << 32;

/// Who holds slots, who waits, and in which order they come.
#[derive(Debug)]
pub(super) struct Queue {
    /// The operator's bound.
    slots: Option<NonZeroU32>,
    /// The upstream's own.
    ceiling: Option<NonZeroU32>,
    /// The smaller of the two; `None`: any number of slots.
    capacity: Option<NonZeroU32>,
    tenant_share: f64,
    /// Most slots of one tenant while others wait.
    share: u32,
    max_waiting: usize,
    max_wait: Duration,
    held: u32,
    /// Those of `held` that were given while there was no limit. Nobody knows any more whose.
    unlimited: u32,
    waiting: usize,
    /// Virtual time.
    now: u128,
    /// No tag is greater.
    latest: u128,
    turns: u64,
    /// Tenants that hold slots or wait, and those whose tag still lies ahead.
    /// Hashed quickly: nobody can choose such a key.
    tenants: HashMap<TenantKey, Tenant, RandomState>,
    /// Exactly the tenants that wait.
    order: BTreeSet<(Order, TenantKey)>,
    /// The sum of their weights.
    weight: u128,
    /// Exactly the tenants that neither hold nor wait, by tag.
    idle: BTreeSet<(u128, TenantKey)>,
}

#[derive(Debug, Default)]
struct Tenant {
    held: u32,
    weight: u32,
    /// The virtual time of the next turn.
    tag: u128,
    /// Its place in `order`, while it waits.
    place: Order,
    tickets: VecDeque<Arc<Ticket>>,
}

/// At equal tags, who holds less goes first; then, who came first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    tag: u128,
    held: u32,
    turn: u64,
}

impl Queue {
    pub(super) fn new(
        slots: Option<NonZeroU32>,
        tenant_share: f64,
        max_waiting: usize,
        max_wait: Duration,
    ) -> Self {
        Self {
            slots,
            ceiling: None,
            capacity: slots,
            tenant_share,
            share: share_of(slots, tenant_share),
            max_waiting,
            max_wait,
            held: 0,
            unlimited: 0,
            waiting: 0,
            now: 0,
            latest: 0,
            turns: 0,
            tenants: HashMap::default(),
            order: BTreeSet::new(),
            weight: 0,
            idle: BTreeSet::new(),
        }
    }

    pub(super) fn resize(
        &mut self,
        slots: Option<NonZeroU32>,
        tenant_share: f64,
        max_waiting: usize,
        max_wait: Duration,
    ) {
        self.slots = slots;
        self.tenant_share = tenant_share;
        self.max_waiting = max_waiting;
        self.max_wait = max_wait;
        self.fit();
    }

    pub(super) fn bound(&mut self, ceiling: Option<NonZeroU32>) {
        self.ceiling = ceiling;
        self.fit();
    }

    fn fit(&mut self) {
        self.capacity = self.slots.into_iter().chain(self.ceiling).min();
        self.share = share_of(self.capacity, self.tenant_share);
        self.call();
    }

    pub(super) fn max_wait(&self) -> Duration {
        self.max_wait
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a slot if any number may be taken.
    pub(super) fn take_unlimited(&mut self) -> bool {
        let is_unlimited = self.capacity.is_none();
        self.held += u32::from(is_unlimited);
        self.unlimited += u32::from(is_unlimited);
        is_unlimited
    }

    /// Takes back such a slot, and calls the next.
    pub(super) fn release_unlimited(&mut self) {
        self.held = self.held.saturating_sub(1);
        self.unlimited = self.unlimited.saturating_sub(1);
        if self.waiting > 0 {
            self.call();
        }
    }

    fn is_full(&self) -> bool {
        self.capacity
            .is_some_and(|capacity| self.held >= capacity.get())
    }

    /// Takes a slot at once, if one is free and nobody waits, or only tenants that hold their share
    /// while this one does not.
    pub(super) fn try_take(&mut self, tenant: &TenantKey) -> bool {
        if self.is_full() || !self.order.is_empty() && self.held_by(tenant) >= self.share {
            return false;
        }
        let entry = self.tenants.entry(tenant.clone()).or_default();
        if !entry.tickets.is_empty() {
            return false;
        }
        if entry.held == 0 {
            self.idle.remove(&(entry.tag, tenant.clone()));
        }
        entry.held += 1;
        self.held += 1;
        true
    }

    /// Puts `ticket` behind the tenant's others, and the tenant in the line. Calls those that can
    /// be called.
    pub(super) fn join(
        &mut self,
        tenant: &TenantKey,
        weight: u32,
        ticket: &Arc<Ticket>,
    ) -> Result<(), QueueError> {
        if self.waiting >= self.max_waiting {
            self.make_room(tenant)?;
        }
        let entry = self.tenants.entry(tenant.clone()).or_default();
        if entry.held == 0 && entry.tickets.is_empty() {
            self.idle.remove(&(entry.tag, tenant.clone()));
        }
        entry.tickets.push_back(Arc::clone(ticket));
        self.waiting += 1;
        if entry.tickets.len() == 1 {
            entry.weight = weight.max(1);
            entry.tag = entry.tag.max(self.now);
            self.line_up(tenant);
        }
        self.call();
        Ok(())
    }

    /// Takes a ticket, which has not been called, out of the line.
    pub(super) fn leave(&mut self, tenant: &TenantKey, ticket: &Arc<Ticket>) {
        let Some(entry) = self.tenants.get_mut(tenant) else {
            return;
        };
        let Some(index) = entry
            .tickets
            .iter()
            .position(|other| Arc::ptr_eq(other, ticket))
        else {
            return;
        };
        entry.tickets.remove(index);
        self.waiting -= 1;
        if entry.tickets.is_empty() {
            self.step_out(tenant);
            if let Entry::Occupied(entry) = self.tenants.entry(tenant.clone()) {
                settle_down(entry, self.now, &mut self.idle);
            }
        }
        // With one tenant fewer in the line, the last one is no longer bound by its share.
        self.call();
    }

    /// Takes back one slot of `tenant`, and calls the next.
    pub(super) fn release(&mut self, tenant: &TenantKey) {
        if let Entry::Occupied(mut entry) = self.tenants.entry(tenant.clone()) {
            entry.get_mut().held = entry.get().held.saturating_sub(1);
            self.held = self.held.saturating_sub(1);
            settle_down(entry, self.now, &mut self.idle);
        }
        self.call();
    }

    fn held_by(&self, tenant: &TenantKey) -> u32 {
        self.tenants.get(tenant).map_or(0, |entry| entry.held)
    }

    /// Gives free slots to those whose turn it is.
    fn call(&mut self) {
        while !self.is_full() {
            let alone = self.order.len() == 1 || self.capacity.is_none();
            let next = self
                .order
                .iter()
                .find(|(_, tenant)| alone || self.held_by(tenant) < self.share);
            let Some((_, tenant)) = next.cloned() else {
                break;
            };
            self.grant(&tenant);
        }
        if self.order.is_empty() {
            self.forget_history();
        }
    }

    fn grant(&mut self, tenant: &TenantKey) {
        let passed = STRIDE / self.weight.max(1);
        self.step_out(tenant);
        let Some(entry) = self.tenants.get_mut(tenant) else {
            return;
        };
        let Some(ticket) = entry.tickets.pop_front() else {
            return;
        };
        entry.held += 1;
        entry.tag += STRIDE / u128::from(entry.weight.max(1));
        self.latest = self.latest.max(entry.tag);
        let waits_on = !entry.tickets.is_empty();
        self.held += 1;
        self.waiting -= 1;
        if waits_on {
            self.line_up(tenant);
        }
        self.now += passed;
        self.forget_caught_up();
        ticket.call(TurnOutcome::Granted);
    }

    fn line_up(&mut self, tenant: &TenantKey) {
        let Some(entry) = self.tenants.get_mut(tenant) else {
            return;
        };
        self.turns += 1;
        entry.place = Order {
            tag: entry.tag,
            held: entry.held,
            turn: self.turns,
        };
        self.weight += u128::from(entry.weight);
        self.order.insert((entry.place, tenant.clone()));
    }

    fn step_out(&mut self, tenant: &TenantKey) {
        let Some(entry) = self.tenants.get(tenant) else {
            return;
        };
        if self.order.remove(&(entry.place, tenant.clone())) {
            self.weight -= u128::from(entry.weight);
        }
    }

    fn forget_caught_up(&mut self) {
        while let Some((_, tenant)) = self.idle.first().filter(|(tag, _)| *tag <= self.now) {
            self.tenants.remove(tenant);
            self.idle.pop_first();
        }
    }

    /// When nobody waits, nobody is ahead: the present is moved to the latest tag.
    fn forget_history(&mut self) {
        self.now = self.now.max(self.latest);
        self.forget_caught_up();
    }

    /// Displaces the newest ticket of the tenant with most of them, for a tenant that has none.
    fn make_room(&mut self, tenant: &TenantKey) -> Result<(), QueueError> {
        let full = QueueError::Full {
            retry_after: RETRY_AFTER,
        };
        // If each that waits has one place, there is nobody to take it from.
        if self.order.len() >= self.waiting
            || self
                .tenants
                .get(tenant)
                .is_some_and(|entry| !entry.tickets.is_empty())
        {
            return Err(full);
        }
        let tickets = |tenant: &TenantKey| {
            self.tenants
                .get(tenant)
                .map_or(0, |entry| entry.tickets.len())
        };
        let longest = self
            .order
            .iter()
            .map(|(_, other)| other)
            .max_by_key(|other| tickets(other))
            .cloned();
        let entry = longest
            .and_then(|longest| self.tenants.get_mut(&longest))
            .ok_or(full)?;
        let ticket = entry.tickets.pop_back().ok_or(full)?;
        self.waiting -= 1;
        ticket.call(TurnOutcome::Displaced);
        Ok(())
    }
}

/// Makes a tenant idle that neither holds nor waits: remembered only while its tag lies ahead, so
/// that coming and going wins no turns.
fn settle_down(
    entry: OccupiedEntry<'_, TenantKey, Tenant>,
    now: u128,
    idle: &mut BTreeSet<(u128, TenantKey)>,
) {
    let tenant = entry.get();
    if tenant.held > 0 || !tenant.tickets.is_empty() {
        return;
    }
    if tenant.tag > now {
        idle.insert((tenant.tag, entry.key().clone()));
    } else {
        entry.remove();
    }
}

fn share_of(capacity: Option<NonZeroU32>, tenant_share: f64) -> u32 {
    let capacity = capacity.unwrap_or(NonZeroU32::MAX);
    // Without the epsilon 0.1 × 30 would round up to 4.
    let slots = (tenant_share * f64::from(capacity.get()) - 1e-6).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of a non-zero u32 first"
    )]
    let slots = slots.clamp(1.0, f64::from(capacity.get())) as u32;
    slots
}

#[cfg(test)]
impl Queue {
    pub(super) fn held(&self) -> u32 {
        self.held
    }

    pub(super) fn share(&self) -> u32 {
        self.share
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.order.is_empty() && self.idle.is_empty() && self.weight == 0
    }

    /// Panics unless all that must hold between two changes holds.
    pub(super) fn check(&self) {
        let tenants = || self.tenants.values();
        let known = tenants().map(|tenant| tenant.held).sum::<u32>();
        assert_eq!(self.held, known + self.unlimited);
        assert_eq!(
            self.waiting,
            tenants().map(|tenant| tenant.tickets.len()).sum::<usize>()
        );
        let waits = |key: &TenantKey| !self.tenants[key].tickets.is_empty();
        assert!(
            self.order
                .iter()
                .all(|(place, key)| waits(key) && self.tenants[key].place == *place)
        );
        assert_eq!(
            self.order.len(),
            tenants()
                .filter(|tenant| !tenant.tickets.is_empty())
                .count()
        );
        assert_eq!(
            self.weight,
            self.order
                .iter()
                .map(|(_, key)| u128::from(self.tenants[key].weight))
                .sum()
        );
        let is_idle = |tenant: &&Tenant| tenant.held == 0 && tenant.tickets.is_empty();
        assert_eq!(self.idle.len(), tenants().filter(is_idle).count());
        assert!(self.idle.iter().all(|(tag, key)| *tag > self.now
            && self.tenants[key].tag == *tag
            && is_idle(&&self.tenants[key])));
        let may_have_one =
            |key: &TenantKey| self.order.len() == 1 || self.tenants[key].held < self.share;
        assert!(
            self.is_full() || !self.order.iter().any(|(_, key)| may_have_one(key)),
            "a slot is idle"
        );
    }
}
