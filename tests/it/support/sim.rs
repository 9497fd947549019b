//! Simulated providers, and how they behave.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use super::parts::{Fault, Injection, Knobs, Latency, Sim, SimConfig, SimHandle};

/// A simulated provider that records what reaches it.
pub async fn upstream() -> SimHandle {
    start(SimConfig::default()).await
}

/// The same with these models.
pub async fn upstream_of(models: &[&str]) -> SimHandle {
    start(SimConfig {
        models: models.iter().map(|&name| name.to_owned()).collect(),
        ..SimConfig::default()
    })
    .await
}

async fn start(config: SimConfig) -> SimHandle {
    let config = SimConfig {
        record: true,
        ..config
    };
    let started = Sim::start(config).await;
    started.expect("fixture: the simulated provider starts")
}

/// Answers begin after so many milliseconds.
pub fn slow(ms: u64) -> Knobs {
    Knobs {
        latency: Latency::Constant { ms },
        ..Knobs::default()
    }
}

/// Nothing is answered as long as a test lasts.
pub fn stuck() -> Knobs {
    slow(60_000)
}

/// Answers go on at this pace.
pub fn paced(tokens_per_second: u32) -> Knobs {
    Knobs {
        tokens_per_second: NonZeroU32::new(tokens_per_second),
        ..Knobs::default()
    }
}

/// Requests with these fields are refused.
pub fn rejects(field: &str) -> Knobs {
    Knobs {
        rejects: vec![field.to_owned()],
        ..Knobs::default()
    }
}

/// So many requests, or all, fail in this way.
pub fn faulty(times: Option<u64>, fault: Fault) -> Knobs {
    let injection = Injection {
        limit: times,
        ..fault.into()
    };
    Knobs {
        faults: vec![injection],
        ..Knobs::default()
    }
}

/// All requests are answered with this status.
pub fn fails(status: u16) -> Knobs {
    faulty(None, status_fault(status, None))
}

/// An answer with this status.
pub fn status_fault(status: u16, retry_after: Option<&str>) -> Fault {
    Fault::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
        code: None,
    }
}

/// The request's field `sim` that makes the provider fail in this way.
pub fn fault(fault: &Value) -> Value {
    json!({"faults": [{"fault": fault}]})
}

/// The request's field `sim` that makes the provider answer with this status.
pub fn fails_with(status: u16) -> Value {
    fault(&json!({"status": {"status": status}}))
}

/// How many requests reached each.
pub fn calls<const N: usize>(upstreams: [&SimHandle; N]) -> [u64; N] {
    upstreams.map(|upstream| upstream.stats().total_calls())
}

/// How many requests with this key reached each.
pub fn calls_with<const N: usize>(key: &str, upstreams: [&SimHandle; N]) -> [u64; N] {
    upstreams.map(|upstream| upstream.stats().calls_with(key.as_bytes()))
}

/// The bodies that reached `upstream`, as text.
pub fn bodies(upstream: &SimHandle) -> Vec<String> {
    let requests = upstream.requests();
    requests
        .iter()
        .map(|request| super::text(&request.body))
        .collect()
}

/// Waits until `upstream` works on a request.
pub async fn busy(upstream: &SimHandle) {
    super::in_time(upstream.wait_until(|stats| stats.in_flight > 0)).await;
}

/// Waits until `upstream` works on nothing.
pub async fn idle(upstream: &SimHandle) {
    super::in_time(upstream.wait_until(|stats| stats.in_flight == 0)).await;
}
