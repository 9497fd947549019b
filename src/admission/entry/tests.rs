use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, poll};

use hone_strategies::chat::Usage;

use super::*;
use crate::admission::{Dimension, Scope, Sharing};
use crate::config::Limits;

/// A usage of `tokens`.
fn used(tokens: u64) -> Usage {
    Usage::new(tokens, 0)
}

const NS: Duration = Duration::from_nanos(1);

fn limits(requests: u32, calls: u32, tokens: u64) -> Limits {
    Limits {
        requests_per_minute: NonZeroU32::new(requests),
        upstream_calls_per_minute: NonZeroU32::new(calls),
        tokens_per_minute: NonZeroU64::new(tokens),
        ..Limits::default()
    }
}

fn tenant(limits: Limits) -> Arc<Gate> {
    Arc::new(Gate::new(Scope::Tenant, &limits))
}

fn upstream(limits: Limits) -> Arc<Gate> {
    let sharing = Sharing {
        tenant_share: 0.5,
        max_waiting: 100,
        max_wait: Duration::from_secs(30),
    };
    Arc::new(Gate::shared(Scope::Upstream, &limits, &sharing))
}

fn wave(calls: u32, input: u64, output: u64) -> FirstWave {
    FirstWave {
        calls,
        per_call: Estimate { input, output },
    }
}

fn bound(wave: FirstWave) -> PlanBound {
    PlanBound {
        calls: wave.calls,
        input_tokens: wave.per_call.input * u64::from(wave.calls),
    }
}

fn admit(own: &[Arc<Gate>], wave: FirstWave, shared: &[Arc<Gate>]) -> Result<Admitted, Refused> {
    enter(own)?.reserve(wave, bound(wave), shared)
}

/// The limit that refused a call.
fn limit_of(refused: CallRefused) -> Refused {
    match refused {
        CallRefused::Refused(refused) => refused,
        CallRefused::Queue(error) => panic!("a limit, not {error}"),
    }
}

fn remaining(gate: &Gate, dimension: Dimension) -> u64 {
    gate.status()
        .iter()
        .find(|rate| rate.dimension == dimension)
        .unwrap()
        .remaining
}

fn tokens_left(gate: &Gate) -> u64 {
    remaining(gate, Dimension::Tokens)
}

mod refusal;
mod settlement;

#[tokio::test(start_paused = true)]
async fn an_admitted_request_is_charged_everywhere() {
    let (own, shared) = (tenant(limits(10, 10, 1000)), upstream(limits(20, 20, 2000)));
    let _admitted = admit(&[Arc::clone(&own)], wave(3, 10, 90), &[Arc::clone(&shared)]).unwrap();
    let left = |gate: &Gate| {
        gate.status()
            .iter()
            .map(|rate| rate.remaining)
            .collect::<Vec<_>>()
    };
    assert_eq!(left(&own), [9, 700, 7]);
    assert_eq!(left(&shared), [19, 1700, 17]);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_named_twice_is_charged_once() {
    let gate = tenant(Limits {
        concurrent_requests: NonZeroU32::new(1),
        ..limits(10, 10, 1000)
    });
    let twice = [Arc::clone(&gate), Arc::clone(&gate)];
    let admitted = admit(&twice, wave(1, 100, 0), &twice).unwrap();
    assert_eq!(tokens_left(&gate), 900);
    assert_eq!(admitted.status().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_caller_is_its_tightest_own_rate() {
    let (own, address, shared) = (
        tenant(limits(10, 10, 100)),
        tenant(limits(5, 20, 1000)),
        upstream(limits(1, 1, 1)),
    );
    let entry = enter(&[own, address]).unwrap();
    let admitted = entry
        .reserve(
            wave(0, 0, 0),
            PlanBound {
                calls: 0,
                input_tokens: 0,
            },
            &[shared],
        )
        .unwrap();
    let left: Vec<_> = admitted
        .status()
        .iter()
        .map(|rate| (rate.name(), rate.remaining))
        .collect();
    assert_eq!(
        left,
        [("requests", 4), ("tokens", 100), ("upstream-calls", 10)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_gives_its_place_back_when_it_ends() {
    let one = Limits {
        concurrent_requests: NonZeroU32::new(1),
        ..Limits::default()
    };
    let (own, shared) = (tenant(one), upstream(one));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 1, 1), &[Arc::clone(&shared)]).unwrap();
    assert_eq!(enter(&[Arc::clone(&own)]).unwrap_err().scope, Scope::Tenant);
    let other = tenant(Limits::default());
    let refused = admit(&[other], wave(1, 1, 1), &[Arc::clone(&shared)]).unwrap_err();
    assert_eq!(
        (refused.scope, refused.dimension),
        (Scope::Upstream, Dimension::ConcurrentRequests)
    );
    drop(admitted);
    assert!(admit(&[own], wave(1, 1, 1), &[shared]).is_ok());
}

#[test]
fn many_at_once_never_pass_a_limit_of_fewer() {
    let own = tenant(limits(1000, 1000, 700));
    let start = Instant::now();
    let admitted = AtomicU32::new(0);
    let attempt = || {
        let Ok(request) = admit(&[Arc::clone(&own)], wave(1, 3, 4), &[]) else {
            return;
        };
        request
            .call(Estimate::default())
            .now_or_never()
            .unwrap()
            .unwrap()
            .settle(used(7));
        admitted.fetch_add(1, Ordering::Relaxed);
    };
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| (0..50).for_each(|_| attempt()));
        }
    });
    // No clock is paused here: 700 / 60 tokens drain in each second that the threads took.
    let used = 7.0 * f64::from(admitted.into_inner());
    assert!(
        used >= 700.0 && used <= 700.0 + 700.0 / 60.0 * start.elapsed().as_secs_f64(),
        "{used}"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_tenant_wait_for_each_other() {
    let own = tenant(Limits {
        concurrent_upstream_calls: NonZeroU32::new(1),
        ..limits(10, 10, 1000)
    });
    let admitted = admit(&[Arc::clone(&own)], wave(2, 100, 0), &[]).unwrap();
    let each = Estimate {
        input: 100,
        output: 0,
    };
    let first = admitted.call(each).await.unwrap();
    let mut second = Box::pin(admitted.call(each));
    assert!(poll!(&mut second).is_pending());
    drop(second);
    first.settle(used(100));
    let second = admitted
        .call(each)
        .now_or_never()
        .expect("a call that stopped waiting holds nothing")
        .unwrap();
    second.settle(used(100));
    drop(admitted);
    assert_eq!(
        tokens_left(&own),
        800,
        "a call that stopped waiting has drawn nothing"
    );
}

mod targets;
