//! A bounded table of callers that nobody registered.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::admission::{Gate, Scope, TenantKey};
use crate::config::Limits;

/// How long an upstream's answer vouches for a key. Then the entry of an idle key equals a fresh
/// one again and may be forgotten.
pub(super) const VOUCH: Duration = Duration::from_secs(3600);

/// Entries looked at to make room for one newcomer. Few, because a full table's newcomers all pay
/// for it.
const TRIES: usize = 4;

/// A caller known only by an unregistered key, or by its address.
#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) key: TenantKey,
    pub(super) gate: Arc<Gate>,
    vouched_until: Mutex<Option<Instant>>,
}

impl Stranger {
    pub(super) fn new(tag: &str, scope: Scope, limits: &Limits) -> Self {
        Self {
            key: TenantKey::from(tag),
            gate: Arc::new(Gate::new(scope, limits)),
            vouched_until: Mutex::new(None),
        }
    }

    pub(super) fn vouch(&self) {
        *lock(&self.vouched_until) = Some(Instant::now() + VOUCH);
    }

    pub(super) fn is_vouched(&self) -> bool {
        lock(&self.vouched_until).is_some_and(|until| Instant::now() < until)
    }

    /// Whether a new entry would decide everything as this one, and no request still charges this
    /// one.
    fn is_forgettable(entry: &Arc<Self>) -> bool {
        Arc::strong_count(entry) == 1
            && Arc::strong_count(&entry.gate) == 1
            && !entry.is_vouched()
            && entry.gate.is_fresh()
    }
}

/// Members by key. Never holds more than the caller's `most`, and forgets only what a new entry
/// would equal.
#[derive(Debug)]
pub(super) struct Members<K: Eq + Hash> {
    entries: DashMap<K, Arc<Stranger>>,
    /// The keys of all entries, oldest first, save those that were looked at and kept. Locked
    /// before a shard of `entries`, never after.
    queue: Mutex<VecDeque<K>>,
}

impl<K: Eq + Hash + Copy> Members<K> {
    pub(super) fn new() -> Self {
        Self {
            entries: DashMap::new(),
            queue: Mutex::new(VecDeque::new()),
        }
    }

    /// The entry of `key`, made if there is room or if room can be made. `None` if all the entries
    /// that were looked at matter.
    pub(super) fn find_or_admit(
        &self,
        key: K,
        most: usize,
        make: impl FnOnce() -> Stranger,
    ) -> Option<Arc<Stranger>> {
        if let Some(found) = self.find(&key) {
            return Some(found);
        }
        let mut queue = lock(&self.queue);
        if let Some(found) = self.find(&key) {
            return Some(found);
        }
        if !self.make_room(&mut queue, most) {
            return None;
        }
        let member = Arc::new(make());
        queue.push_back(key);
        self.entries.insert(key, Arc::clone(&member));
        Some(member)
    }

    /// Gives every entry new limits; what was spent stays counted. A member admitted later must
    /// be made with the new ones.
    pub(super) fn relimit(&self, limits: &Limits) {
        let _no_newcomers = lock(&self.queue);
        for entry in &self.entries {
            entry.gate.relimit(limits);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut queue = lock(&self.queue);
        queue.clear();
        self.entries.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn find(&self, key: &K) -> Option<Arc<Stranger>> {
        self.entries.get(key).map(|entry| Arc::clone(&entry))
    }

    fn make_room(&self, queue: &mut VecDeque<K>, most: usize) -> bool {
        for _ in 0..TRIES {
            if queue.len() < most {
                return true;
            }
            let Some(oldest) = queue.pop_front() else {
                return false;
            };
            if self
                .entries
                .remove_if(&oldest, |_, entry| Stranger::is_forgettable(entry))
                .is_none()
            {
                queue.push_back(oldest);
            }
        }
        queue.len() < most
    }
}

/// What these locks guard is right after every statement, so a panic elsewhere leaves nothing half
/// done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
