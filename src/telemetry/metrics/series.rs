//! The series that a finished request counts in, found once for all requests that are alike.
//!
//! Looking a metric up by its labels costs more than counting in it, and most requests of a process
//! resemble the ones before. Each thread remembers the series of the last few kinds of requests.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Histogram, SharedString, counter, histogram};

use super::super::names::MAX_BYTES;
use super::super::record::{Outcome, RequestRecord};
use super::{
    APPROACHES, CREDENTIALS, Call, DISCONNECTS, LIMITS, OPERATION_DURATION, OVERHEAD, REQUESTS,
    TENANT_REFUSALS, TENANT_REQUESTS, TENANT_TOKENS, TOKENS, WORKFLOW_DURATION, error_of, number,
    standing,
};

/// Kinds of requests that a thread remembers.
const REMEMBERED: usize = 32;

thread_local! {
    static RECENT: RefCell<Vec<(Kind, Rc<Series>)>> = const { RefCell::new(Vec::new()) };
}

/// What tells one kind of requests from another: all that becomes a label.
#[derive(PartialEq)]
struct Kind {
    status: u16,
    outcome: Outcome,
    endpoint: &'static str,
    credential: &'static str,
    error: Option<&'static str>,
    limit: Option<&'static str>,
    has_tenant: bool,
    /// A tenant that the operator has named, or nothing.
    tenant: Arc<str>,
    has_calls: bool,
    upstream: String,
    approach: String,
    model: String,
}

/// The series of one kind.
pub(super) struct Series {
    requests: Counter,
    disconnects: Option<Counter>,
    credentials: Option<Counter>,
    limits: Option<Counter>,
    tenant: Option<OfTenant>,
    served: Served,
}

/// What answered.
enum Served {
    /// hone itself.
    Here,
    /// An upstream, once.
    Relay {
        overhead: Histogram,
        call: Option<Timed>,
    },
    /// A strategy.
    Workflow(Histogram),
}

/// The series of calls to an upstream.
pub(super) struct Timed {
    pub(super) duration: Histogram,
    pub(super) input: Histogram,
    pub(super) output: Histogram,
}

/// Hands the series of `record`'s kind to `count`.
pub(super) fn of(record: &RequestRecord, count: impl FnOnce(&Series)) {
    let known = RECENT.try_with(|recent| {
        let mut recent = recent.borrow_mut();
        if let Some(at) = recent.iter().position(|(kind, _)| kind.is_of(record)) {
            // The most frequent kinds drift to the front.
            let before = at.saturating_sub(1);
            recent.swap(at, before);
            return recent.get(before).map(|(_, series)| Rc::clone(series));
        }
        let series = Rc::new(Series::find(record));
        // A name that has yet to prove itself may get a label of its own any time; one too long to
        // be a label is not worth its memory.
        if record.status < 300 && record.model.len() <= MAX_BYTES {
            recent.truncate(REMEMBERED - 1);
            recent.push((Kind::of(record), Rc::clone(&series)));
        }
        Some(series)
    });
    match known {
        Ok(Some(series)) => count(&series),
        // The thread is ending.
        Ok(None) | Err(_) => count(&Series::find(record)),
    }
}

impl Kind {
    fn of(record: &RequestRecord) -> Self {
        Self {
            status: record.status,
            outcome: record.outcome,
            endpoint: record.endpoint,
            credential: record.credential,
            error: record.error,
            limit: record.limit,
            has_tenant: !record.tenant.is_empty(),
            tenant: named(record).unwrap_or_default(),
            has_calls: record.upstream_calls > 0,
            upstream: record.upstream.clone(),
            approach: record.approach.clone().into_owned(),
            model: record.model.clone(),
        }
    }

    fn is_of(&self, record: &RequestRecord) -> bool {
        self.status == record.status
            && self.model == record.model
            && self.outcome == record.outcome
            && self.endpoint == record.endpoint
            && self.approach == record.approach
            && self.upstream == record.upstream
            && self.credential == record.credential
            && self.error == record.error
            && self.limit == record.limit
            && self.has_tenant != record.tenant.is_empty()
            && self.is_of_tenant(record)
            && self.has_calls == (record.upstream_calls > 0)
    }
}

impl Kind {
    fn is_of_tenant(&self, record: &RequestRecord) -> bool {
        if record.is_named {
            self.tenant == record.tenant
        } else {
            self.tenant.is_empty()
        }
    }
}

/// The tenant of a request, if the operator has named it.
fn named(record: &RequestRecord) -> Option<Arc<str>> {
    record.is_named.then(|| Arc::clone(&record.tenant))
}

/// The series of one tenant.
struct OfTenant {
    requests: Counter,
    refusals: Option<Counter>,
    input: Counter,
    output: Counter,
}

impl OfTenant {
    fn find(tenant: &Arc<str>, limit: Option<&'static str>) -> Self {
        let tenant = || SharedString::from_shared(Arc::clone(tenant));
        let tokens = |direction: &'static str| {
            let labels = [
                ("tenant", tenant()),
                ("direction", SharedString::const_str(direction)),
            ];
            counter!(TENANT_TOKENS, &labels)
        };
        Self {
            requests: counter!(TENANT_REQUESTS, "tenant" => tenant()),
            refusals: limit
                .map(|limit| counter!(TENANT_REFUSALS, "tenant" => tenant(), "limit" => limit)),
            input: tokens("input"),
            output: tokens("output"),
        }
    }

    fn count(&self, record: &RequestRecord) {
        self.requests.increment(1);
        if let Some(refusals) = &self.refusals {
            refusals.increment(1);
        }
        let charged = record.account.total();
        self.input.increment(charged.prompt);
        self.output.increment(charged.completion);
    }
}

impl Series {
    fn find(record: &RequestRecord) -> Self {
        let status = record.status.to_string();
        let admitted = !record.tenant.is_empty();
        Self {
            requests: counter!(REQUESTS, "endpoint" => record.endpoint, "status" => status,
                "outcome" => record.outcome.as_str(), "upstream" => record.upstream.clone()),
            disconnects: (record.outcome == Outcome::ClientLeft).then(|| counter!(DISCONNECTS)),
            credentials: (!record.upstream.is_empty())
                .then(|| counter!(CREDENTIALS, "source" => record.credential)),
            limits: match record.limit {
                Some(limit) => Some(counter!(LIMITS, "limit" => limit, "decision" => "refused")),
                None => {
                    admitted.then(|| counter!(LIMITS, "limit" => "all", "decision" => "admitted"))
                }
            },
            tenant: named(record).map(|tenant| OfTenant::find(&tenant, record.limit)),
            served: Served::find(record),
        }
    }

    /// Counts one request of this kind.
    pub(super) fn count(&self, record: &RequestRecord, took: Duration) {
        self.requests.increment(1);
        for counter in [&self.disconnects, &self.credentials, &self.limits]
            .into_iter()
            .flatten()
        {
            counter.increment(1);
        }
        if let Some(tenant) = &self.tenant {
            tenant.count(record);
        }
        match &self.served {
            Served::Here => {}
            Served::Workflow(duration) => duration.record(took),
            Served::Relay { overhead, call } => {
                let own = record
                    .to_head
                    .zip(record.upstream_time)
                    .map(|(to_head, upstream)| {
                        to_head
                            .saturating_sub(upstream)
                            .saturating_sub(record.upload)
                    });
                if let Some(own) = own {
                    overhead.record(own);
                }
                let Some(call) = call else { return };
                call.duration
                    .record(took.saturating_sub(own.unwrap_or_default()));
                let charged = record.account.total();
                if charged.total > 0 {
                    call.input.record(number(charged.prompt));
                    call.output.record(number(charged.completion));
                }
            }
        }
    }
}

impl Served {
    fn find(record: &RequestRecord) -> Self {
        let standing = standing(record, record.status < 300);
        if record.upstream_calls == 0 {
            return Self::Here;
        }
        if record.approach == "none" {
            let call = Call::of(record, standing).map(|call| call.timed(error_of(record)));
            return Self::Relay {
                overhead: histogram!(OVERHEAD),
                call,
            };
        }
        let name: SharedString = APPROACHES.label(&record.approach, standing);
        Self::Workflow(
            histogram!(WORKFLOW_DURATION, "gen_ai_workflow_name" => name,
                "error_type" => error_of(record)),
        )
    }
}

impl Call {
    /// The series of calls that end with `error_type`.
    pub(super) fn timed(&self, error_type: SharedString) -> Timed {
        let labels = [
            (
                "gen_ai_operation_name",
                SharedString::const_str(self.operation),
            ),
            ("gen_ai_provider_name", self.provider.clone()),
            ("gen_ai_request_model", self.model.clone()),
        ];
        let with = |name: &'static str, value: SharedString| {
            labels
                .iter()
                .cloned()
                .chain([(name, value)])
                .collect::<Vec<_>>()
        };
        let tokens = |kind| {
            histogram!(
                TOKENS,
                &with("gen_ai_token_type", SharedString::const_str(kind))
            )
        };
        Timed {
            duration: histogram!(OPERATION_DURATION, &with("error_type", error_type)),
            input: tokens("input"),
            output: tokens("output"),
        }
    }
}
