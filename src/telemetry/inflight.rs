//! What is under way now: one number a kind, counted without a look at the recorder and told to it
//! when somebody asks.

use std::sync::atomic::{AtomicI64, Ordering};

use metrics::{describe_gauge, gauge};

const INFLIGHT: &str = "hone_inflight";

static PROCESS: Counts = Counts::new();

/// A kind of thing that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Clients' open connections, the operator's included.
    Connections,
    /// Calls that wait for their turn at an upstream. They are among the calls, too.
    Queued,
    /// What callers were charged in advance, at each limit, and is not settled yet.
    Reservations,
    /// Clients' requests, until the last byte of their response.
    Requests,
    /// Those of them that are answered by an event stream, from its head on.
    Streams,
    /// Calls to upstreams, one for a relay and any number for a strategy.
    UpstreamCalls,
}

impl Kind {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Connections, "connections"),
        (Self::Queued, "queued"),
        (Self::Requests, "requests"),
        (Self::Reservations, "reservations"),
        (Self::Streams, "streams"),
        (Self::UpstreamCalls, "upstream_calls"),
    ];
}

/// One thing under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    kind: Kind,
    counts: &'static Counts,
}

impl InFlight {
    /// Counts one more.
    pub(crate) fn begin(kind: Kind) -> Self {
        Self::within(&PROCESS, kind)
    }

    fn within(counts: &'static Counts, kind: Kind) -> Self {
        counts.of(kind).fetch_add(1, Ordering::Relaxed);
        Self { kind, counts }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counts.of(self.kind).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells the recorder what the metric is.
pub(super) fn describe() {
    describe_gauge!(
        INFLIGHT,
        "What is under way; queued calls are among the upstream calls, and streams among the \
            requests."
    );
}

/// Tells the recorder how many there are.
pub(super) fn report() {
    for (kind, name) in Kind::ALL {
        let count = PROCESS.of(kind).load(Ordering::Relaxed);
        gauge!(INFLIGHT, "kind" => name).set(f64::from(i32::try_from(count).unwrap_or(i32::MAX)));
    }
}

#[derive(Debug)]
struct Counts {
    connections: AtomicI64,
    queued: AtomicI64,
    requests: AtomicI64,
    reservations: AtomicI64,
    streams: AtomicI64,
    upstream_calls: AtomicI64,
}

impl Counts {
    const fn new() -> Self {
        Self {
            connections: AtomicI64::new(0),
            queued: AtomicI64::new(0),
            requests: AtomicI64::new(0),
            reservations: AtomicI64::new(0),
            streams: AtomicI64::new(0),
            upstream_calls: AtomicI64::new(0),
        }
    }

    fn of(&self, kind: Kind) -> &AtomicI64 {
        match kind {
            Kind::Connections => &self.connections,
            Kind::Queued => &self.queued,
            Kind::Requests => &self.requests,
            Kind::Reservations => &self.reservations,
            Kind::Streams => &self.streams,
            Kind::UpstreamCalls => &self.upstream_calls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself_while_it_lasts() {
        static COUNTS: Counts = Counts::new();
        let count = |kind: Kind| COUNTS.of(kind).load(Ordering::Relaxed);
        for (kind, _) in Kind::ALL {
            let one = InFlight::within(&COUNTS, kind);
            let two = InFlight::within(&COUNTS, kind);
            assert_eq!(count(kind), 2);
            assert_eq!(
                Kind::ALL.iter().map(|(kind, _)| count(*kind)).sum::<i64>(),
                2
            );
            drop((one, two));
            assert_eq!(count(kind), 0);
        }
    }
}
