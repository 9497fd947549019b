use std::num::NonZeroU32;

use futures_util::{FutureExt, poll};
use tokio::time::advance;

use super::*;
use crate::admission::reservation::Estimate;

const CALLS_LIMITED_TO_2: Limits = Limits {
    requests_per_minute: None,
    upstream_calls_per_minute: None,
    tokens_per_minute: None,
    concurrent_requests: NonZeroU32::new(2),
    concurrent_upstream_calls: NonZeroU32::new(2),
};

const SHARING: Sharing = Sharing {
    tenant_share: 0.5,
    max_waiting: 100,
    max_wait: Duration::from_secs(30),
};

fn tokens(per_minute: u64) -> Limits {
    Limits {
        tokens_per_minute: NonZeroU64::new(per_minute),
        ..Limits::default()
    }
}

fn gate(limits: Limits) -> Arc<Gate> {
    Arc::new(Gate::new(Scope::Tenant, &limits))
}

fn ask(tokens: u64) -> Claim {
    Claim::calls(
        1,
        Estimate {
            input: tokens,
            output: 0,
        },
    )
}

/// Takes `ask` and charges all of it.
fn spend(gate: &Arc<Gate>, ask: &Claim) {
    let actual = Amounts {
        requests: ask.requests,
        calls: ask.calls,
        tokens: ask.tokens.total(),
    };
    gate.take(ask, None, Instant::now())
        .unwrap()
        .settle(actual, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_gate_has_no_limiters_and_refuses_nothing() {
    let gate = gate(Limits::default());
    spend(&gate, &ask(u64::MAX));
    assert_eq!(gate.status(), []);
    assert!(gate.is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_status_tells_what_is_left_and_when_all_is_back() {
    let gate = gate(Limits {
        requests_per_minute: NonZeroU32::new(60),
        ..tokens(600)
    });
    spend(&gate, &ask(300));
    spend(&gate, &Claim::REQUEST);
    let status: Vec<_> = gate
        .status()
        .iter()
        .map(|rate| {
            (
                rate.name(),
                rate.limit,
                rate.remaining,
                rate.reset.as_secs(),
            )
        })
        .collect();
    assert_eq!(status, [("requests", 60, 59, 1), ("tokens", 600, 300, 30)]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_was_spent_and_what_is_under_way() {
    let gate = gate(tokens(100));
    let _request = gate.start_request(None).unwrap();
    spend(&gate, &ask(80));
    gate.relimit(&Limits {
        concurrent_requests: NonZeroU32::new(1),
        requests_per_minute: NonZeroU32::new(5),
        ..tokens(200)
    });
    let left: Vec<_> = gate
        .status()
        .iter()
        .map(|rate| (rate.name(), rate.remaining))
        .collect();
    assert_eq!(left, [("requests", 5), ("tokens", 120)]);
    assert_eq!(
        gate.start_request(None).unwrap_err().dimension,
        Dimension::ConcurrentRequests
    );
    gate.relimit(&Limits::default());
    assert_eq!(gate.status(), []);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_outlives_a_reload_that_drops_its_limit() {
    let gate = gate(tokens(100));
    let reservation = gate.take(&ask(80), None, Instant::now()).unwrap();
    gate.relimit(&Limits::default());
    gate.relimit(&tokens(100));
    reservation.settle(
        Amounts {
            tokens: 10,
            ..Amounts::default()
        },
        Instant::now(),
    );
    assert_eq!(
        gate.status()[0].remaining,
        100,
        "the new limiter never knew of it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_fresh_again_once_it_decides_as_a_new_one() {
    let gate = gate(tokens(100));
    let reservation = gate.take(&ask(50), None, Instant::now()).unwrap();
    assert!(!gate.is_fresh());
    drop(reservation);
    assert!(gate.is_fresh());

    spend(&gate, &ask(50));
    advance(Duration::from_millis(29_999)).await;
    assert!(!gate.is_fresh());
    advance(Duration::from_millis(1)).await;
    assert!(gate.is_fresh());

    let request = gate.start_request(None).unwrap();
    assert!(!gate.is_fresh());
    drop(request);
    let call = gate.start_call(Counts::Calls, None).await;
    assert!(!gate.is_fresh());
    drop(call);
    assert!(gate.is_fresh());
}

#[tokio::test(start_paused = true)]
async fn what_was_learned_of_answers_is_forgotten_after_ten_idle_minutes() {
    let gate = gate(Limits::default());
    assert_eq!(gate.expected_output(), 500);
    for _ in 0..10 {
        gate.observe_output(4000);
    }
    assert_eq!(gate.expected_output(), 4000);
    assert!(!gate.is_fresh());
    advance(Duration::from_secs(600)).await;
    assert_eq!(gate.expected_output(), 500);
    assert!(gate.is_fresh());
    gate.observe_output(4000);
    assert_eq!(
        gate.expected_output(),
        500,
        "one answer after the pause tells nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_limit_are_refused_until_one_ends() {
    let gate = gate(CALLS_LIMITED_TO_2);
    let first = gate.start_request(None).unwrap();
    let _second = gate.start_request(None).unwrap();
    let refused = gate.start_request(None).unwrap_err();
    assert_eq!(
        (refused.dimension, refused.limit, refused.retry_after),
        (
            Dimension::ConcurrentRequests,
            2,
            Some(Duration::from_secs(1))
        )
    );
    drop(first);
    assert!(gate.start_request(None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_their_turn_in_order() {
    let gate = gate(CALLS_LIMITED_TO_2);
    let first = gate.start_call(Counts::Calls, None).await;
    let _second = gate.start_call(Counts::Calls, None).await;
    let mut third = Box::pin(gate.start_call(Counts::Calls, None));
    let mut fourth = Box::pin(gate.start_call(Counts::Calls, None));
    assert!(poll!(&mut third).is_pending());
    assert!(poll!(&mut fourth).is_pending());
    drop(first);
    assert!(
        gate.start_call(Counts::Calls, None)
            .now_or_never()
            .is_none(),
        "a newcomer does not overtake those that wait"
    );
    assert!(poll!(&mut fourth).is_pending());
    assert!(poll!(&mut third).is_ready());
    assert!(poll!(&mut fourth).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_passes_its_turn_on() {
    let gate = gate(CALLS_LIMITED_TO_2);
    let first = gate.start_call(Counts::Calls, None).await;
    let _second = gate.start_call(Counts::Calls, None).await;
    let mut third = Box::pin(gate.start_call(Counts::Calls, None));
    let mut fourth = Box::pin(gate.start_call(Counts::Calls, None));
    assert!(poll!(&mut third).is_pending());
    assert!(poll!(&mut fourth).is_pending());
    drop(first);
    drop(third);
    let fourth = poll!(&mut fourth);
    assert!(fourth.is_ready());
    drop(fourth);
    assert!(
        gate.start_call(Counts::Calls, None)
            .now_or_never()
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn a_raised_limit_lets_waiters_go_on() {
    let gate = gate(CALLS_LIMITED_TO_2);
    let _under_way = (
        gate.start_call(Counts::Calls, None).await,
        gate.start_call(Counts::Calls, None).await,
    );
    let mut third = Box::pin(gate.start_call(Counts::Calls, None));
    let mut fourth = Box::pin(gate.start_call(Counts::Calls, None));
    assert!(poll!(&mut third).is_pending());
    assert!(poll!(&mut fourth).is_pending());
    gate.relimit(&Limits {
        concurrent_upstream_calls: NonZeroU32::new(4),
        ..Limits::default()
    });
    let under_way_too = (poll!(&mut third), poll!(&mut fourth));
    assert!(under_way_too.0.is_ready() && under_way_too.1.is_ready());
    assert!(
        gate.start_call(Counts::Calls, None)
            .now_or_never()
            .is_none()
    );
}

/// Spends `tokens`, whatever the limit says.
fn overspend(gate: &Arc<Gate>, tokens: u64) {
    let actual = Amounts {
        tokens,
        ..Amounts::default()
    };
    let reservation = gate.take(&ask(0), None, Instant::now()).unwrap();
    reservation.settle(actual, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_debt_runs_one_call_at_a_time() {
    let gate = gate(tokens(100));
    overspend(&gate, 160);
    let first = gate.start_call(Counts::Tokens, None).await;
    let mut second = Box::pin(gate.start_call(Counts::Tokens, None));
    let mut third = Box::pin(gate.start_call(Counts::Tokens, None));
    assert!(poll!(&mut second).is_pending());
    assert!(poll!(&mut third).is_pending());
    let other = tokio::time::timeout(Duration::from_secs(1), gate.start_call(Counts::Calls, None));
    assert!(other.await.is_err(), "nobody overtakes those that wait");
    drop(first);
    let std::task::Poll::Ready(second) = poll!(&mut second) else {
        panic!("the next begins when one ends");
    };
    assert!(poll!(&mut third).is_pending());
    // 100 a minute: the debt is worked off, and the end of one call lets all others begin.
    advance(Duration::from_secs(36)).await;
    let mut fourth = Box::pin(gate.start_call(Counts::Tokens, None));
    assert!(poll!(&mut fourth).is_pending());
    drop(second);
    let third = poll!(&mut third);
    assert!(third.is_ready());
    assert!(poll!(&mut fourth).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_uses_no_tokens_does_not_wait_for_a_debt() {
    let gate = gate(tokens(100));
    overspend(&gate, 1000);
    let _first = gate.start_call(Counts::Tokens, None).await;
    assert!(
        gate.start_call(Counts::Calls, None)
            .now_or_never()
            .is_some()
    );
    let shared = Arc::new(Gate::shared(Scope::Upstream, &tokens(100), &SHARING));
    overspend(&shared, 1000);
    let _one = shared.start_call(Counts::Tokens, None).await;
    let another = shared.start_call(Counts::Tokens, None).now_or_never();
    assert!(
        another.is_some(),
        "what others have used is no debt of one caller"
    );
}
