//! The record of one request: plain data, complete when the response's last byte has been handed
//! over.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hone_strategies::Account;
use tokio::time::Instant;
use tracing::Level;

use super::inflight::{InFlight, Kind};
use super::metrics;
use super::{Blame, RequestAccount};

/// What happened to one request. Holds no content, no key and no unbounded text of a stranger's
/// choosing that could become a metric label.
#[derive(Debug, Clone)]
pub(crate) struct RequestRecord {
    /// hone's id of the request, as in `x-hone-request-id`.
    pub(crate) request: String,
    /// When its head had been read.
    pub(crate) started: Instant,
    /// What it asked for, without query: the path below `/v1`, shortened to the endpoint's name if
    /// that is known.
    pub(crate) endpoint: &'static str,
    /// The tenant's name or tag; empty if the caller was not resolved.
    pub(crate) tenant: Arc<str>,
    /// Whether that tenant is one that the operator has named.
    pub(crate) is_named: bool,
    /// The first bytes of the digest of the key that showed it to be that tenant.
    pub(crate) key: Option<KeyTag>,
    /// Where the request came from, behind trusted proxies.
    pub(crate) client: Option<IpAddr>,
    /// `client`, `fallback` or `none`.
    pub(crate) credential: &'static str,
    /// What ran: an expression over slugs.
    pub(crate) approach: Cow<'static, str>,
    /// The upstream's name, if one was chosen.
    pub(crate) upstream: String,
    /// The upstream's name for the model, if the request named one.
    pub(crate) model: String,
    /// The response's status.
    pub(crate) status: u16,
    /// hone's error code, if the error is hone's own.
    pub(crate) error: Option<&'static str>,
    /// The limit that refused it, if one did.
    pub(crate) limit: Option<&'static str>,
    /// Whose doing that error is.
    pub(crate) blame: Option<Blame>,
    /// Calls made to upstreams.
    pub(crate) upstream_calls: u32,
    /// Those of them that were made before a strategy ran.
    pub(crate) earlier_calls: u32,
    /// What the caller was charged for them.
    pub(crate) account: RequestAccount,
    /// What the answer had to do without.
    pub(crate) degraded: Vec<String>,
    /// From the request's head to the response's head.
    pub(crate) to_head: Option<Duration>,
    /// Of that, waiting for the rest of a body that hone reads.
    pub(crate) upload: Duration,
    /// For a relay, from sending the request to the upstream to the head of its response.
    pub(crate) upstream_time: Option<Duration>,
    /// From the request's head to the first event of a stream, or to its first bytes.
    pub(crate) first_token: Option<Duration>,
    /// How the response ended.
    pub(crate) outcome: Outcome,
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client went away before the end.
    ClientLeft,
    /// Every byte was handed over.
    Complete,
    /// hone shut down before the end.
    Shutdown,
    /// The upstream broke off in mid-response.
    UpstreamDied,
}

impl Outcome {
    /// A word for logs and metric labels.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::UpstreamDied => "upstream_died",
        }
    }
}

impl RequestRecord {
    /// A record of a request that has just arrived. Until something else is known, its client is
    /// taken to have left.
    pub(crate) fn begin(request: String) -> Self {
        Self {
            request,
            started: Instant::now(),
            endpoint: "other",
            tenant: Arc::default(),
            is_named: false,
            key: None,
            client: None,
            credential: "none",
            approach: Cow::Borrowed("none"),
            upstream: String::new(),
            model: String::new(),
            status: 499,
            error: None,
            limit: None,
            blame: None,
            upstream_calls: 0,
            earlier_calls: 0,
            account: RequestAccount::default(),
            degraded: Vec::new(),
            to_head: None,
            upload: Duration::ZERO,
            upstream_time: None,
            first_token: None,
            outcome: Outcome::ClientLeft,
        }
    }
}

impl RequestRecord {
    /// Takes note of what a strategy's run has cost.
    pub(crate) fn ran(&mut self, outcome: &hone_strategies::Outcome) {
        self.upstream_calls = self.earlier_calls + outcome.calls;
        self.degraded.clone_from(&outcome.degraded);
        metrics::ran(self, &outcome.trace);
    }

    /// Takes note of what a run has cost that has no answer: it failed, or its client left.
    pub(crate) fn ran_in_vain(&mut self, account: &Account) {
        let spent = account.close();
        if spent.trace.calls.is_empty() {
            return;
        }
        self.upstream_calls = self.earlier_calls + spent.calls;
        self.degraded = spent.degraded;
        metrics::ran(self, &spent.trace);
    }
}

/// Finishes a request's record exactly once: when its response has ended, or when it is dropped on
/// the way.
#[derive(Debug)]
pub(crate) struct RecordGuard {
    record: Box<RequestRecord>,
    _request: InFlight,
    stream: Option<InFlight>,
}

impl RecordGuard {
    /// Takes over a record.
    pub(crate) fn new(record: RequestRecord) -> Self {
        Self {
            record: Box::new(record),
            _request: InFlight::begin(Kind::Requests),
            stream: None,
        }
    }

    /// What is known so far.
    pub(crate) fn record(&mut self) -> &mut RequestRecord {
        &mut self.record
    }

    /// The response is an event stream, which goes on.
    pub(crate) fn streams(&mut self) {
        self.stream = Some(InFlight::begin(Kind::Streams));
    }

    /// Something of a stream is handed on; the first time counts.
    pub(crate) fn first_token(&mut self) {
        let started = self.record.started;
        self.record
            .first_token
            .get_or_insert_with(|| started.elapsed());
    }

    /// The response was handed over whole.
    pub(crate) fn complete(mut self) {
        // That hone is shutting down may be said whole, and is no answer.
        if self.record.outcome != Outcome::Shutdown {
            self.record.outcome = Outcome::Complete;
        }
    }

    /// The client went away.
    pub(crate) fn client_left(self) {
        drop(self);
    }

    /// hone shuts down.
    pub(crate) fn shut_down(mut self) {
        self.record.outcome = Outcome::Shutdown;
    }

    /// The upstream broke off.
    pub(crate) fn upstream_died(mut self) {
        self.record.outcome = Outcome::UpstreamDied;
    }
}

impl Drop for RecordGuard {
    fn drop(&mut self) {
        let took = self.record.started.elapsed();
        emit(&self.record, took);
        metrics::ended(&self.record, took);
    }
}

/// The first digits of the digest of a key, as its operator has written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyTag(pub(crate) u32);

impl fmt::Display for KeyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// An address as it is written everywhere. One of IPv4 is put together by hand: on a line of a busy
/// proxy, where each request has one, formatting it took more than all other texts.
fn text_of(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else {
        return address.to_string();
    };
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        text.push_str(if text.is_empty() { "" } else { "." });
        text.push_str(itoa::Buffer::new().format(octet));
    }
    text
}

/// A line at a level, which has to be known where it is written.
macro_rules! line {
    ($level:expr, $record:expr, $took:expr) => {{
        let charged = $record.account.total();
        tracing::event!(
            target: "hone::request",
            $level,
            message = "request",
            request = $record.request.as_str(),
            tenant = &*$record.tenant,
            key = $record.key.map(tracing::field::display),
            client = $record.client.map(text_of).as_deref(),
            endpoint = $record.endpoint,
            approach = &*$record.approach,
            credential = $record.credential,
            upstream = $record.upstream.as_str(),
            model = $record.model.as_str(),
            status = $record.status,
            error = $record.error,
            limit = $record.limit,
            blame = $record.blame.map(Blame::as_str),
            upstream_calls = $record.upstream_calls,
            input_tokens = charged.prompt,
            output_tokens = charged.completion,
            total_tokens = charged.total,
            estimated_tokens = charged.estimated,
            degraded = $record.degraded.join(","),
            queued_ms = $record.account.waited().map(milliseconds),
            upstream_ms = $record.upstream_time.map(milliseconds),
            to_head_ms = $record.to_head.map(milliseconds),
            first_token_ms = $record.first_token.map(milliseconds),
            duration_ms = milliseconds($took),
            outcome = $record.outcome.as_str(),
        )
    }};
}

/// One line per request, as loud as it is urgent.
fn emit(record: &RequestRecord, took: Duration) {
    match urgency(record) {
        Urgency::Fault => {
            line!(Level::ERROR, record, took);
        }
        Urgency::Failure => {
            line!(Level::WARN, record, took);
        }
        Urgency::Usual => {
            line!(Level::INFO, record, took);
        }
        Urgency::Probe => {
            line!(Level::DEBUG, record, took);
        }
    }
}

/// What an operator has to do about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// hone itself is at fault, or its configuration.
    Fault,
    /// It was not answered as it should have been.
    Failure,
    /// Nothing.
    Usual,
    /// Nothing, and it comes every few seconds.
    Probe,
}

fn urgency(record: &RequestRecord) -> Urgency {
    let is_ours = record.error.is_some() && record.status >= 500;
    match (record.outcome, record.blame) {
        (Outcome::UpstreamDied | Outcome::Shutdown, _) => Urgency::Failure,
        (_, Some(Blame::Proxy)) if is_ours && record.status != 503 => Urgency::Fault,
        _ if is_ours => Urgency::Failure,
        _ if record.endpoint == "probe" => Urgency::Probe,
        _ => Urgency::Usual,
    }
}

/// Milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: u16, blame: Option<Blame>) -> RequestRecord {
        let mut record = RequestRecord::begin("req_1".to_owned());
        record.status = status;
        record.blame = blame;
        record.error = blame.map(|_| "some_error");
        record.outcome = Outcome::Complete;
        record
    }

    #[test]
    fn what_an_operator_has_to_look_at_is_loud() {
        for (status, blame, expected) in [
            (200, None, Urgency::Usual),
            (502, None, Urgency::Usual),
            (401, Some(Blame::Client), Urgency::Usual),
            (429, Some(Blame::Tenant), Urgency::Usual),
            (502, Some(Blame::Upstream), Urgency::Failure),
            (503, Some(Blame::Proxy), Urgency::Failure),
            (502, Some(Blame::Proxy), Urgency::Fault),
            (500, Some(Blame::Proxy), Urgency::Fault),
        ] {
            assert_eq!(
                urgency(&record(status, blame)),
                expected,
                "{status} {blame:?}"
            );
        }
        let mut cut = record(200, None);
        cut.outcome = Outcome::UpstreamDied;
        assert_eq!(urgency(&cut), Urgency::Failure);
        let mut probe = record(200, None);
        probe.endpoint = "probe";
        assert_eq!(urgency(&probe), Urgency::Probe);
        assert_eq!(KeyTag(0x0102_abcd).to_string(), "0102abcd");
    }
}
