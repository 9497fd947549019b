//! The process's metrics. Names and buckets follow OpenTelemetry's GenAI conventions where those
//! have a word for it.
//!
//! Every label is bounded: by the configuration (upstreams, tenants that it names), by an enum, or
//! by [`Names`]. No stranger, key or content is a label.

use std::time::Duration;

use hone_strategies::chat::Usage;
use hone_strategies::{CallOutcome, CallRecord, Trace};
use metrics::{SharedString, counter, describe_counter, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusRecorder};

use super::names::{Names, Standing};
use super::record::{Outcome, RequestRecord};

mod series;

const DISCONNECTS: &str = "hone_client_disconnects_total";
const CREDENTIALS: &str = "hone_credential_source_total";
const LIMITS: &str = "hone_limit_decisions_total";
const OPERATION_DURATION: &str = "gen_ai_client_operation_duration_seconds";
const OVERHEAD: &str = "hone_proxy_overhead_seconds";
const REQUESTS: &str = "hone_requests_total";
const SUBCALLS: &str = "hone_strategy_subcalls_total";
const TENANT_REFUSALS: &str = "hone_tenant_refusals_total";
const TENANT_REQUESTS: &str = "hone_tenant_requests_total";
const TENANT_TOKENS: &str = "hone_tenant_tokens_total";
const TOKENS: &str = "gen_ai_client_token_usage";
const WASTED: &str = "hone_strategy_wasted_tokens_total";
const WORKFLOW_DURATION: &str = "gen_ai_workflow_duration_seconds";

/// Upper bounds of histogram buckets, in the unit of the metric.
const BUCKETS: [(&str, &[f64]); 4] = [
    (
        OPERATION_DURATION,
        &[
            0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        ],
    ),
    (
        OVERHEAD,
        &[
            1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1, 1.0,
        ],
    ),
    (
        TOKENS,
        &[
            1.0,
            4.0,
            16.0,
            64.0,
            256.0,
            1_024.0,
            4_096.0,
            16_384.0,
            65_536.0,
            262_144.0,
            1_048_576.0,
            4_194_304.0,
            16_777_216.0,
            67_108_864.0,
        ],
    ),
    (
        WORKFLOW_DURATION,
        &[
            1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0,
        ],
    ),
];

/// The limits that may refuse a request.
const REFUSING: [&str; 12] = [
    "buffered_bytes",
    "concurrent-requests",
    "concurrent-upstream-calls",
    "connections",
    "connections_per_minute",
    "queue",
    "rejected_keys",
    "requests",
    "tenant_buffered_bytes",
    "tokens",
    "upstream-calls",
    "whoami",
];

static APPROACHES: Names = Names::new();
static MODELS: Names = Names::new();
static STRATEGIES: Names = Names::new();

/// A recorder with our buckets.
pub(super) fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
    }
    Ok(builder.build_recorder())
}

/// Tells the recorder what each metric is.
pub(super) fn describe() {
    describe_counter!(CREDENTIALS, "Requests by the source of the key that pays.");
    describe_counter!(
        DISCONNECTS,
        "Requests whose client left before the end of the response."
    );
    describe_counter!(
        LIMITS,
        "Requests that a limit refused, by limit, and those that all limits admitted."
    );
    describe_counter!(
        REQUESTS,
        "Finished requests by endpoint, status and how their response ended."
    );
    describe_counter!(
        SUBCALLS,
        "Calls that runs made, whether they had an answer or not, by strategy, role and how they \
            ended."
    );
    describe_counter!(
        WASTED,
        "Tokens of such calls that gave no answer: cancelled, failed, malformed."
    );
    describe_counter!(
        TENANT_REQUESTS,
        "Finished requests of tenants that the configuration names."
    );
    describe_counter!(
        TENANT_REFUSALS,
        "Those of them that a limit refused, by limit."
    );
    describe_counter!(
        TENANT_TOKENS,
        "Tokens that these tenants were charged for, by direction."
    );
    describe_histogram!(
        OPERATION_DURATION,
        "Duration of calls to upstreams, from sending to the last byte."
    );
    describe_histogram!(
        OVERHEAD,
        "Time until a relayed response's head that was spent waiting neither for the upstream nor \
            for the rest of the client's body."
    );
    describe_histogram!(TOKENS, "Tokens of calls to upstreams.");
    describe_histogram!(
        WORKFLOW_DURATION,
        "Duration of requests that a strategy answered."
    );
    begin();
}

/// Begins what can be begun, so that the first time of something is an increase.
fn begin() {
    counter!(DISCONNECTS).increment(0);
    counter!(WASTED).increment(0);
    for source in ["client", "fallback", "none"] {
        counter!(CREDENTIALS, "source" => source).increment(0);
    }
    counter!(LIMITS, "limit" => "all", "decision" => "admitted").increment(0);
    for limit in REFUSING {
        counter!(LIMITS, "limit" => limit, "decision" => "refused").increment(0);
    }
}

/// Lets models that the operator has named always be label values.
pub(crate) fn know_models<'a>(models: impl Iterator<Item = &'a str>) {
    MODELS.know(models);
}

/// What a request's names have shown, if it was answered or not.
fn standing(record: &RequestRecord, is_answered: bool) -> Standing {
    match (is_answered, record.is_named) {
        (true, true) => Standing::Proven,
        (true, false) => Standing::ProvenByStranger,
        (false, _) => Standing::Unproven,
    }
}

/// A request has ended, in whatever way.
pub(super) fn ended(record: &RequestRecord, took: Duration) {
    series::of(record, |series| series.count(record, took));
}

/// A strategy's run has ended, with an answer or without: counts each of its calls.
pub(super) fn ran(record: &RequestRecord, trace: &Trace) {
    let is_answered = trace
        .calls
        .iter()
        .any(|call| call.outcome == CallOutcome::Answered);
    let call_of = Call::of(record, standing(record, is_answered));
    let mut wasted = 0_u64;
    for call in &trace.calls {
        let slug = call.branch.split('#').next().unwrap_or_default();
        let strategy = STRATEGIES.label(slug, Standing::Proven);
        counter!(SUBCALLS, "strategy" => strategy, "role" => call.purpose.as_str(),
            "outcome" => outcome(call))
        .increment(1);
        if call.outcome != CallOutcome::Answered {
            wasted = wasted.saturating_add(call.usage.total);
        }
        if let Some(labels) = &call_of {
            labels.observe(call.duration, call.usage, error_type(call));
        }
    }
    counter!(WASTED).increment(wasted);
}

/// What all calls of one request have in common.
struct Call {
    operation: &'static str,
    provider: SharedString,
    model: SharedString,
}

impl Call {
    /// `None` if the request calls no model.
    fn of(record: &RequestRecord, standing: Standing) -> Option<Self> {
        let operation = match record.endpoint {
            "chat" | "messages" | "responses" => "chat",
            name @ ("embeddings" | "text_completion") => name,
            _ => return None,
        };
        let provider = SharedString::from_owned(record.upstream.clone());
        Some(Self {
            operation,
            provider,
            model: MODELS.label(&record.model, standing),
        })
    }

    fn observe(&self, duration: Duration, tokens: Usage, error_type: SharedString) {
        let series = self.timed(error_type);
        series.duration.record(duration);
        series.input.record(number(tokens.prompt));
        series.output.record(number(tokens.completion));
    }
}

/// hone's error code, else the status of an upstream's error, else nothing, which Prometheus takes
/// for absent.
fn error_of(record: &RequestRecord) -> SharedString {
    match record.error {
        Some(code) => SharedString::const_str(code),
        None if matches!(record.outcome, Outcome::Shutdown | Outcome::UpstreamDied) => {
            SharedString::const_str(record.outcome.as_str())
        }
        None if record.status >= 400 => SharedString::from_owned(record.status.to_string()),
        None => SharedString::const_str(""),
    }
}

fn error_type(call: &CallRecord) -> SharedString {
    match call.outcome {
        CallOutcome::Answered => SharedString::const_str(""),
        CallOutcome::Rejected(status) => SharedString::from_owned(status.to_string()),
        _ => SharedString::const_str(outcome(call)),
    }
}

fn outcome(call: &CallRecord) -> &'static str {
    match call.outcome {
        CallOutcome::Answered => "answered",
        CallOutcome::Cancelled => "cancelled",
        CallOutcome::Limited => "limited",
        CallOutcome::Malformed => "malformed",
        CallOutcome::Pending => "pending",
        CallOutcome::RateLimited => "rate_limited",
        CallOutcome::Rejected(_) => "rejected",
        CallOutcome::TimedOut => "timed_out",
        CallOutcome::Unavailable => "unavailable",
        CallOutcome::Unspeakable => "unspeakable",
    }
}

/// A histogram's value; beyond the last bucket the exact one does not matter.
fn number(count: u64) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests;
