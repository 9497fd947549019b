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
pub struct RequestRecord {
    /// hone's id of the request, as in `x-hone-request-id`.
    pub request: String,
    /// When its head had been read.
    pub started: Instant,
    /// What it asked for, without query: the path below `/v1`, shortened to the endpoint's name if
    /// that is known.
    pub endpoint: &'static str,
    /// The tenant's name or tag; empty if the caller was not resolved.
    pub tenant: Arc<str>,
    /// `client`, `fallback` or `none`.
    pub credential: &'static str,
    /// What ran: an expression over slugs.
    pub approach: Cow<'static, str>,
    /// The upstream's name, if one was chosen.
    pub upstream: String,
    /// The upstream's name for the model, if the request named one.
    pub model: String,
    /// The response's status.
    pub status: u16,
    /// hone's error code, if the error is hone's own.
    pub error: Option<&'static str>,
    /// The limit that refused it, if one did.
    pub limit: Option<&'static str>,
    /// Whose doing that error is.
    pub blame: Option<Blame>,
    /// Calls made to upstreams.
    pub upstream_calls: u32,
    /// What the caller was charged for them.
    pub account: RequestAccount,
    /// What the answer had to do without.
    pub degraded: Vec<String>,
    /// From the request's head to the response's head.
    pub to_head: Option<Duration>,
    /// Of that, waiting for the rest of a body that hone reads.
    pub upload: Duration,
    /// For a relay, from sending the request to the upstream to the head of its response.
    pub upstream_time: Option<Duration>,
    /// How the response ended.
    pub outcome: Outcome,
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client went away before the end.
    ClientLeft,
    /// Every byte was handed over.
    Complete,
    /// The upstream broke off in mid-response.
    UpstreamDied,
}

impl Outcome {
    /// A word for logs and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::Complete => "complete",
            Self::UpstreamDied => "upstream_died",
        }
    }
}

impl RequestRecord {
    /// A record of a request that has just arrived. Until something else is known, its client is
    /// taken to have left.
    pub fn begin(request: String) -> Self {
        Self {
            request,
            started: Instant::now(),
            endpoint: "other",
            tenant: Arc::default(),
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
    pub fn ran(&mut self, outcome: &hone_strategies::Outcome) {
        self.upstream_calls = outcome.calls;
        self.degraded.clone_from(&outcome.degraded);
        metrics::ran(self, &outcome.trace);
    }

    /// Takes note of what a run has cost that has no answer: it failed, or its client left.
    pub fn ran_in_vain(&mut self, account: &Account) {
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
pub struct RecordGuard {
    record: Box<RequestRecord>,
    _request: InFlight,
    stream: Option<InFlight>,
}

impl RecordGuard {
    /// Takes over a record.
    pub fn new(record: RequestRecord) -> Self {
        Self {
            record: Box::new(record),
            _request: InFlight::begin(Kind::Requests),
            stream: None,
        }
    }

    /// What is known so far.
    pub fn record(&mut self) -> &mut RequestRecord {
        &mut self.record
    }

    /// The response is an event stream, which goes on.
    pub fn streams(&mut self) {
        self.stream = Some(InFlight::begin(Kind::Streams));
    }

    /// The response was handed over whole.
    pub fn complete(mut self) {
        self.record.outcome = Outcome::Complete;
    }

    /// The client went away.
    pub fn client_left(self) {
        drop(self);
    }

    /// The upstream broke off.
    pub fn upstream_died(mut self) {
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
