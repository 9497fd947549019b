//! The record of one request: plain data, complete when the response's last byte has been handed
//! over.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hone_strategies::Account;
use tokio::time::Instant;

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
            credential: "none",
            approach: Cow::Borrowed("none"),
            upstream: String::new(),
            model: String::new(),
            status: 499,
            error: None,
            limit: None,
            blame: None,
            upstream_calls: 0,
            account: RequestAccount::default(),
            degraded: Vec::new(),
            to_head: None,
            upload: Duration::ZERO,
            upstream_time: None,
            outcome: Outcome::ClientLeft,
        }
    }
}

impl RequestRecord {
    /// Takes note of what a strategy's run has cost.
    pub(crate) fn ran(&mut self, outcome: &hone_strategies::Outcome) {
        self.upstream_calls = outcome.calls;
        self.degraded.clone_from(&outcome.degraded);
        metrics::ran(self, &outcome.trace);
    }

    /// Takes note of what a run has cost that has no answer: it failed, or its client left.
    pub(crate) fn ran_in_vain(&mut self, account: &Account) {
        let spent = account.close();
        if spent.trace.calls.is_empty() {
            return;
        }
        self.upstream_calls = spent.calls;
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

/// One line per request.
fn emit(record: &RequestRecord, took: Duration) {
    let charged = record.account.total();
    tracing::info!(
        target: "hone::request",
        message = "request",
        request = record.request.as_str(),
        tenant = &*record.tenant,
        endpoint = record.endpoint,
        approach = &*record.approach,
        credential = record.credential,
        upstream = record.upstream.as_str(),
        model = record.model.as_str(),
        status = record.status,
        error = record.error,
        limit = record.limit,
        blame = record.blame.map(Blame::as_str),
        upstream_calls = record.upstream_calls,
        input_tokens = charged.prompt,
        output_tokens = charged.completion,
        total_tokens = charged.total,
        estimated_tokens = charged.estimated,
        degraded = record.degraded.join(","),
        to_head_ms = record.to_head.map(milliseconds),
        duration_ms = milliseconds(took),
        outcome = record.outcome.as_str(),
    );
}

/// Milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
