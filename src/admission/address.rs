//! What an address may do before anyone knows who it is: open connections, and present keys that
//! upstreams reject.
//!
//! Nothing of this is ever given back, so governor's keyed limiter does it. The number of addresses
//! known at once is bounded; beyond it the rest share one entry, so that strangers cannot grow the
//! map.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};
use tokio::time::Instant;

/// Addresses known at once; beyond, newcomers share one entry.
const MOST_ADDRESSES: usize = 100_000;
/// Questions of who the caller is that an address may ask in a minute, whatever its limits.
const QUESTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);
/// A full map is swept at most this often, so that a flood does not turn into sweeping.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The part of an address that counts as one caller: all of an IPv4 address, the /64 of an IPv6
/// address.
///
/// An IPv4 address that is mapped into IPv6 is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AddressKey(Key);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    /// Everyone who came when the map was full.
    Crowd,
    V4(Ipv4Addr),
    /// The first half of the address.
    V6(u64),
}

impl AddressKey {
    /// The caller at `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => Key::V4(address),
            IpAddr::V6(address) => Key::V6(network(address)),
        })
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Key::Crowd => f.write_str("crowd"),
            Key::V4(address) => address.fmt(f),
            Key::V6(network) => write!(f, "{}/64", Ipv6Addr::from(u128::from(network) << 64)),
        }
    }
}

fn network(address: Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}

/// Limits per address on what is never given back.
#[derive(Debug)]
pub(crate) struct AddressGuard {
    connections: Limiter,
    rejections: Limiter,
    warnings: Limiter,
    advice: Limiter,
    questions: Limiter,
    /// Until when an address that used up its rejections may present no unknown key. A subset of
    /// the addresses in `rejections`.
    barred: DashMap<AddressKey, Instant>,
    between_rejections: Duration,
    most_addresses: usize,
    swept: Mutex<Instant>,
}

type Limiter =
    RateLimiter<AddressKey, DashMapStateStore<AddressKey>, TokioClock, StateInformationMiddleware>;

impl AddressGuard {
    /// Limits per minute and address; each is also the burst.
    pub(crate) fn new(
        connections_per_minute: NonZeroU32,
        rejected_keys_per_minute: NonZeroU32,
    ) -> Self {
        Self::with_most_addresses(
            connections_per_minute,
            rejected_keys_per_minute,
            MOST_ADDRESSES,
        )
    }

    fn with_most_addresses(
        connections_per_minute: NonZeroU32,
        rejected_keys_per_minute: NonZeroU32,
        most_addresses: usize,
    ) -> Self {
        let clock = TokioClock(Instant::now());
        let limiter = |per_minute| {
            RateLimiter::dashmap_with_clock(Quota::per_minute(per_minute), clock.clone())
                .with_middleware()
        };
        Self {
            connections: limiter(connections_per_minute),
            rejections: limiter(rejected_keys_per_minute),
            warnings: limiter(NonZeroU32::MIN),
            advice: limiter(NonZeroU32::MIN),
            questions: limiter(QUESTIONS),
            barred: DashMap::new(),
            between_rejections: Quota::per_minute(rejected_keys_per_minute).replenish_interval(),
            most_addresses,
            swept: Mutex::new(clock.0),
        }
    }

    /// Charges one accepted connection. `Err` tells when the next one is admitted; the connection
    /// should be closed.
    pub(crate) fn check_connection(&self, address: IpAddr) -> Result<(), Duration> {
        let key = self.entry(&self.connections, address);
        match self.connections.check_key(&key) {
            Ok(_) => Ok(()),
            Err(until) => Err(wait(&until, &self.connections)),
        }
    }

    /// Whether it is a minute since the operator was warned of `address`. Then it counts as warned
    /// of.
    pub(crate) fn is_news(&self, address: IpAddr) -> bool {
        let key = self.entry(&self.warnings, address);
        self.warnings.check_key(&key).is_ok()
    }

    /// The same, of what its operator has to set right before it.
    pub(crate) fn is_worth_advice(&self, address: IpAddr) -> bool {
        let key = self.entry(&self.advice, address);
        self.advice.check_key(&key).is_ok()
    }

    /// Charges one question of who the caller is. `Err` tells when the next one is answered.
    pub(crate) fn check_question(&self, address: IpAddr) -> Result<(), Duration> {
        let key = self.entry(&self.questions, address);
        match self.questions.check_key(&key) {
            Ok(_) => Ok(()),
            Err(until) => Err(wait(&until, &self.questions)),
        }
    }

    /// Charges one request whose unknown key an upstream rejected.
    pub(crate) fn record_rejected_key(&self, address: IpAddr) {
        let key = self.entry(&self.rejections, address);
        let wait = match self.rejections.check_key(&key) {
            Ok(left) if left.remaining_burst_capacity() > 0 => return,
            Ok(_) => self.between_rejections,
            Err(until) => wait(&until, &self.rejections),
        };
        self.barred.insert(key, Instant::now() + wait);
    }

    /// Whether `address` may present a key that nobody has vouched for. `Err` tells when it may
    /// again. Charges nothing.
    pub(crate) fn may_present_unknown_key(&self, address: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        // An address of its own is looked up too when the map is full: it may have been barred
        // before.
        let keys = [
            AddressKey::of(address),
            self.entry(&self.rejections, address),
        ];
        let until = keys
            .iter()
            .filter_map(|key| self.barred.get(key).map(|until| *until))
            .max();
        match until.map(|until| until.saturating_duration_since(now)) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    /// Forgets addresses that equal unknown ones. Cheap enough to call every few seconds; a full
    /// map calls it by itself.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        for limiter in [
            &self.connections,
            &self.rejections,
            &self.warnings,
            &self.advice,
            &self.questions,
        ] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        self.barred.retain(|_, until| *until > now);
    }

    /// The entry that serves `address`: its own, or the crowd's when the map is full even after a
    /// sweep.
    fn entry(&self, limiter: &Limiter, address: IpAddr) -> AddressKey {
        if limiter.len() < self.most_addresses {
            return AddressKey::of(address);
        }
        if self.is_time_to_sweep() {
            self.sweep();
        }
        if limiter.len() < self.most_addresses {
            AddressKey::of(address)
        } else {
            AddressKey(Key::Crowd)
        }
    }

    fn is_time_to_sweep(&self) -> bool {
        let now = Instant::now();
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.saturating_duration_since(*swept) >= SWEEP_EVERY;
        if due {
            *swept = now;
        }
        due
    }
}

fn wait(until: &NotUntil<Nanos>, limiter: &Limiter) -> Duration {
    until.wait_time_from(limiter.clock().now())
}

/// tokio's clock for governor, so that tests can pause it: nanoseconds since the guard was made.
#[derive(Debug, Clone)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
