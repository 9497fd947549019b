//! Sizes, counts and times that bound every request: one table.
//!
//! A row is a bound's meaning, key, type, default and range. The fields of [`Bounds`], the reader
//! of `[bounds]` and the effective configuration come from the table. A new bound is a row here,
//! the same in `config/reference.toml` and `docs/configuration.md`, and a test named in
//! `tests/it/bounds.rs`; tests say what is missing. A size ends in `_bytes`; a time has its unit in
//! its value, not in its name.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use hone_strategies::expr;
use toml::Table;

use self::kind::Bound;
use super::file::Section;

mod duration;
mod kind;
#[cfg(test)]
mod tests;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
/// Bytes of an upstream's answer that may wait until they are read. Each call of an approach takes
/// as many of `tenant_buffered_bytes`.
pub(crate) const UNREAD_BYTES: u32 = 256 * 1024;
/// Longer times are surely mistakes, and could not be added to a clock.
const ANY_TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=seconds(24 * 3600);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Expands to all uses of the table. A bound without a default may be left unset; the reference
/// shows its example behind a `#`.
macro_rules! bounds {
    (@default $kind:ty) => { None };
    (@default $kind:ty = $default:expr) => { <$kind as Bound>::new($default) };
    ($($title:literal $(
        $(#[doc = $help:literal])+
        $key:ident: $kind:ty $(= $default:expr)?, $range:expr $(, such as $example:expr)?;
    )+)+) => {
        /// Sizes, counts and times that bound every request.
        #[derive(Debug, Clone)]
        pub struct Bounds {
            $($($(#[doc = $help])+ pub $key: $kind,)+)+
        }

        impl Default for Bounds {
            fn default() -> Self {
                Self { $($($key: bounds!(@default $kind $(= $default)?),)+)+ }
            }
        }

        impl Bounds {
            /// Each key of the section, or its default where it is not written or is wrong.
            pub(super) fn read(section: &mut Section<'_>) -> Self {
                let defaults = Self::default();
                Self { $($(
                    $key: Bound::read(section, stringify!($key), $range)
                        .unwrap_or(defaults.$key),
                )+)+ }
            }

            /// What the configuration would have to say. A bound that is not set is left out.
            pub(super) fn table(&self) -> Table {
                let values = [$($((stringify!($key), self.$key.value())),+),+];
                let values = values.into_iter();
                values.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
            }
        }

        /// The table, as the reference tells it.
        #[cfg(test)]
        const GROUPS: &[(&str, fn() -> Vec<tests::Row>)] = &[$(
            ($title, || vec![$(tests::Row {
                key: stringify!($key),
                help: &[$($help),+],
                default: Bounds::default().$key.value(),
                example: None$(.or(<$kind as Bound>::new($example).value()))?,
            }),+]),
        )+];
    };
}

bounds! {
    "Sizes, in bytes."
    /// A request line and its headers.
    // hyper refuses header buffers below 8 KiB.
    header_bytes: usize = 64 * KIB, 8 * KIB..=16 * MIB;
    /// The body of a request that hone reads, rather than streams through. Without it: no more than
    /// a quarter of a buffered_bytes that follows a container's memory.
    body_bytes: usize = 64 * MIB, KIB..=4 * GIB;
    /// All bodies that hone reads together, what approaches make of them, and the answers that they
    /// work with; beyond it: 503. Without it: no more than half of a container's memory.
    buffered_bytes: usize = GIB, KIB..=1024 * GIB;
    /// The same of one tenant and, until a provider accepts its key, that of its address; beyond
    /// it: 429. Without it: an eighth of buffered_bytes, but at least body_bytes.
    tenant_buffered_bytes: usize = 128 * MIB, KIB..=1024 * GIB;
    /// One event of a stream.
    sse_event_bytes: usize = MIB, KIB..=GIB;
    /// The answer to one of a strategy's calls; of a stream, what it adds up to.
    answer_bytes: usize = 8 * MIB, KIB..=GIB;
    /// An approach, as it is written.
    expression_bytes: usize = 256, 4..=expr::MAX_BYTES as u64;

    "Times."
    /// To the end of a request's headers, from their first byte or, for a connection's first
    /// request, from accepting it. A TLS handshake before that has as long again.
    header_read: Duration = seconds(10), ANY_TIME;
    /// How long a connection may be open without a request after its last one. A proxy in front
    /// should close its own connections sooner.
    connection_idle: Duration = seconds(75), ANY_TIME;
    /// Between two pieces of a request's body.
    body_idle: Duration = seconds(60), ANY_TIME;
    /// From a request's headers to the end of a body that hone reads. What streams through has
    /// upstream_head.
    body_read: Duration = seconds(600), ANY_TIME;
    /// To connect to an upstream, TLS included.
    connect: Duration = seconds(5), ANY_TIME;
    /// From the request until an upstream begins to answer.
    upstream_head: Duration = seconds(600), ANY_TIME;
    /// Between two pieces of a response's body.
    stream_idle: Duration = seconds(300), ANY_TIME;
    /// A strategy's run; then the best answer so far is returned.
    strategy_deadline: Duration = seconds(300), ANY_TIME;
    /// Waiting for a turn at a busy upstream.
    queue_wait: Duration = seconds(30), ANY_TIME;
    /// Finishing what runs after SIGTERM.
    drain: Duration = seconds(30), ANY_TIME;
    /// Before that: /readyz says 503, and hone accepts as before, until whoever sends requests has
    /// noticed. Not after SIGINT.
    drain_delay: Duration = Duration::ZERO, Duration::ZERO..=seconds(24 * 3600);

    "Counts."
    /// Requests waiting for their turn at one upstream.
    queue_length: usize = 10_000, 0..=10_000_000;
    /// `n` of a request that a strategy answers.
    strategy_n: u32 = 16, 1..=128;
    /// Calls that one request may cost. An approach that may need more is refused before anything
    /// is spent.
    calls_per_request: u32 = 256, 1..=100_000;
    /// Calls of one request that may run at once.
    parallel_calls: u32 = 64, 1..=10_000;
    /// Connections at once. A request beside others on an HTTP/2 connection counts as one. Without
    /// it: half of the files that the process may have open, less a few.
    connections: Option<NonZeroU32>, 1..=10_000_000, such as 10_000;
    /// Connections of one address (IPv6: each /64); more are refused, 503. Without it: any number
    /// until three quarters of all are open, then another one only while it has fewer than are
    /// left. trusted_proxies are not counted, because many clients share their connections;
    /// 127.0.0.1 is an address like others, so list a proxy on this machine there.
    connections_per_address: Option<NonZeroU32>, 1..=10_000_000, such as 1_000;
    /// Tenants that are known by nothing but their key.
    unknown_tenants: usize = 100_000, 1..=10_000_000;
    /// New connections of one address, each minute; those of trusted_proxies are not counted.
    connections_per_minute: NonZeroU32 = 60_000, 1..=1_000_000_000;
    /// Requests of one address whose keys an upstream rejected, each minute.
    rejected_keys_per_minute: NonZeroU32 = 60, 1..=1_000_000_000;
}
