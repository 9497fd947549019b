//! What a refusal says, and that it costs nothing.

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_rejected_request_costs_nothing() {
    let own = tenant(limits(10, 10, 1000));
    let address = Arc::new(Gate::new(Scope::Address, &limits(10, 10, 50)));
    let before = (own.status(), address.status());
    let refused = admit(
        &[Arc::clone(&own), Arc::clone(&address)],
        wave(1, 100, 0),
        &[],
    )
    .unwrap_err();
    assert_eq!(
        (refused.scope, refused.dimension),
        (Scope::Address, Dimension::Tokens)
    );
    assert_eq!((own.status(), address.status()), before);
    assert!(own.is_fresh() && address.is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_a_shared_limit_rejects_costs_its_tenant_nothing() {
    for shared_limits in [
        limits(1, 10, 1000),
        limits(10, 1, 1000),
        limits(10, 10, 100),
    ] {
        let (own, shared) = (tenant(limits(10, 10, 1000)), upstream(shared_limits));
        let first = admit(&[Arc::clone(&own)], wave(1, 100, 0), &[Arc::clone(&shared)]).unwrap();
        let before = (own.status(), shared.status());
        let refused =
            admit(&[Arc::clone(&own)], wave(1, 100, 0), &[Arc::clone(&shared)]).unwrap_err();
        assert_eq!(refused.scope, Scope::Upstream);
        assert_eq!((own.status(), shared.status()), before);
        drop(first);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_over_its_limit_does_not_touch_shared_limits() {
    let (own, shared) = (tenant(limits(10, 1, 1000)), upstream(limits(10, 10, 1000)));
    let _first = admit(&[Arc::clone(&own)], wave(1, 100, 0), &[]).unwrap();
    // Both pass the door, as two requests that arrive at once do.
    let other = tenant(limits(10, 10, 50));
    for own in [own, other] {
        let entry = Entry {
            gates: vec![own],
            permits: Vec::new(),
            cells: Cells::default(),
            who: None,
            is_aside: false,
        };
        entry
            .reserve(
                wave(1, 100, 0),
                bound(wave(1, 100, 0)),
                &[Arc::clone(&shared)],
            )
            .unwrap_err();
        assert!(shared.is_fresh());
    }
}

#[tokio::test(start_paused = true)]
async fn the_refusal_that_takes_longest_is_reported() {
    let own = tenant(limits(60, 2, 6000));
    for _ in 0..2 {
        let admitted = admit(&[Arc::clone(&own)], wave(1, 3000, 0), &[]).unwrap();
        admitted
            .call(Estimate::default())
            .await
            .unwrap()
            .settle(used(3000));
    }
    advance(Duration::from_millis(1)).await;
    // Ten tokens are there within 0.1 s, a call only within 30 s.
    let entry = Entry {
        gates: vec![own],
        permits: Vec::new(),
        cells: Cells::default(),
        who: None,
        is_aside: false,
    };
    let refused = entry
        .reserve(wave(1, 10, 0), bound(wave(1, 10, 0)), &[])
        .unwrap_err();
    assert_eq!(
        (refused.dimension, refused.retry_after),
        (
            Dimension::UpstreamCalls,
            Some(Duration::from_millis(29_999))
        )
    );
    assert_eq!(
        refused.to_string(),
        "tenant limit of upstream-calls 2: requested 1, remaining 0, fits in 29.999s"
    );
}

#[tokio::test(start_paused = true)]
async fn only_input_larger_than_the_burst_can_never_fit() {
    let own = tenant(limits(10, 10, 1000));
    let refused = admit(&[Arc::clone(&own)], wave(1, 1001, 0), &[]).unwrap_err();
    assert_eq!(
        (refused.requested, refused.limit, refused.retry_after),
        (1001, 1000, None)
    );
    let refused = admit(&[Arc::clone(&own)], wave(3, 400, 0), &[]).unwrap_err();
    assert_eq!((refused.requested, refused.retry_after), (1200, None));
    assert!(own.is_fresh());
    let admitted = admit(&[Arc::clone(&own)], wave(2, 400, 100_000), &[]).unwrap();
    assert_eq!(
        tokens_left(&own),
        0,
        "output above the burst fits an empty one"
    );
    drop(admitted);
    assert_eq!(tokens_left(&own), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_worst_case_cannot_fit_is_refused_before_anything_is_spent() {
    let own = tenant(limits(10, 10, 1000));
    let first = wave(2, 100, 10);
    for whole in [
        PlanBound {
            calls: 11,
            input_tokens: 300,
        },
        PlanBound {
            calls: 5,
            input_tokens: 1001,
        },
    ] {
        let refused = enter(&[Arc::clone(&own)])
            .unwrap()
            .reserve(first, whole, &[])
            .unwrap_err();
        assert_eq!(refused.retry_after, None);
    }
    assert!(own.is_fresh());
    let whole = PlanBound {
        calls: 10,
        input_tokens: 1000,
    };
    assert!(enter(&[own]).unwrap().reserve(first, whole, &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refused_tenant_is_refused_before_its_body_is_read() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 700, 0), &[]).unwrap();
    admitted
        .call(Estimate::default())
        .await
        .unwrap()
        .settle(used(700));
    let at_reserve = admit(&[Arc::clone(&own)], wave(1, 400, 0), &[]).unwrap_err();
    assert_eq!(at_reserve.retry_after, Some(Duration::from_secs(6)));
    advance(Duration::from_secs(1)).await;
    let at_the_door = enter(&[Arc::clone(&own)]).unwrap_err();
    assert_eq!(
        (at_the_door.dimension, at_the_door.retry_after),
        (Dimension::Tokens, Some(Duration::from_secs(5)))
    );
    advance(Duration::from_secs(5)).await;
    assert!(admit(&[own], wave(1, 400, 0), &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nothing_came_of_has_used_its_cell_once_its_body_is_read() {
    let own = tenant(limits(3, 10, 1000));
    let cells = || remaining(&own, Dimension::Requests);
    drop(enter(&[Arc::clone(&own)]).unwrap());
    assert_eq!(cells(), 3, "its body was not read");
    let mut read = enter(&[Arc::clone(&own)]).unwrap();
    assert_eq!(cells(), 2, "nobody else can have it meanwhile");
    read.use_cells(true);
    drop(read);
    assert_eq!(cells(), 2);
    let mut refused = enter(&[Arc::clone(&own)]).unwrap();
    refused.use_cells(true);
    let large = wave(1, 1001, 0);
    refused.reserve(large, bound(large), &[]).unwrap_err();
    assert_eq!(cells(), 2, "a limit refused it");
    let mut refused = enter(&[Arc::clone(&own)]).unwrap();
    refused.use_cells(true);
    let full = upstream(limits(1, 10, 10));
    let targets = [vec![upstream(limits(9, 9, 9))], vec![Arc::clone(&full)]];
    full.take(&Claim::REQUEST, None, Instant::now())
        .unwrap()
        .keep_requests(Instant::now());
    let small = wave(1, 1, 1);
    refused
        .reserve_targets(small, bound(small), &targets)
        .unwrap_err();
    assert_eq!(cells(), 2, "a shared limit refused it");
    let _both = [enter(&[Arc::clone(&own)]), enter(&[Arc::clone(&own)])].map(Result::unwrap);
    assert_eq!(enter(&[own]).unwrap_err().dimension, Dimension::Requests);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_opens_the_door_again() {
    let own = tenant(limits(10, 10, 1000));
    let first = admit(&[Arc::clone(&own)], wave(1, 700, 0), &[]).unwrap();
    admit(&[Arc::clone(&own)], wave(1, 400, 0), &[]).unwrap_err();
    assert!(enter(&[Arc::clone(&own)]).is_err());
    drop(first);
    assert!(admit(&[own], wave(1, 400, 0), &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_large_request_that_was_refused_does_not_keep_small_ones_out() {
    let own = tenant(limits(10, 10, 1000));
    let _small = admit(&[Arc::clone(&own)], wave(1, 10, 0), &[]).unwrap();
    admit(&[Arc::clone(&own)], wave(1, 1000, 0), &[]).unwrap_err();
    assert!(admit(&[own], wave(1, 10, 0), &[]).is_ok());
}

#[tokio::test(start_paused = true)]
async fn token_debt_does_not_keep_out_paths_that_count_no_tokens() {
    let own = tenant(limits(10, 10, 1000));
    let first = admit(&[Arc::clone(&own)], wave(1, 100, 0), &[]).unwrap();
    first
        .call(Estimate::default())
        .await
        .unwrap()
        .settle(used(5000));
    admit(&[Arc::clone(&own)], wave(1, 100, 0), &[]).unwrap_err();
    assert!(enter(&[Arc::clone(&own)]).is_err());
    let wave = wave(1, 0, 0);
    assert!(
        enter_uncounted(&[own])
            .unwrap()
            .reserve(wave, bound(wave), &[])
            .is_ok()
    );
}

/// A tenant's requests before: percent of the reserved tokens that were used, and milliseconds
/// until the next.
fn history() -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((0_u64..300, 0_u64..20_000), 0..12)
}

/// Sends `wave` over and over; then checks that a refusal's time is the earliest at which the same
/// request is admitted, to the nanosecond.
async fn check_retry_time(
    history: Vec<(u64, u64)>,
    wave: FirstWave,
    admit: impl Fn() -> Result<Admitted, Refused>,
) -> Result<(), TestCaseError> {
    for (percent, millis) in history {
        if let Ok(admitted) = admit() {
            // One call more than planned.
            for _ in 0..=wave.calls {
                if let Some(Ok(call)) = admitted.call(wave.per_call).now_or_never() {
                    call.settle(used(wave.per_call.total() * percent / 100));
                }
            }
        }
        advance(Duration::from_millis(millis)).await;
    }
    if let Err(Refused {
        retry_after: Some(wait),
        ..
    }) = admit()
    {
        advance(wait.saturating_sub(NS)).await;
        prop_assert_eq!(
            admit().map(drop).map_err(|refused| refused.retry_after),
            Err(Some(NS))
        );
        advance(NS).await;
        prop_assert!(admit().is_ok(), "refused after {wait:?}");
    }
    Ok(())
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

proptest! {
    #[test]
    fn a_retry_time_is_exact_at_the_door_and_behind_it(history in history(), calls in 1_u32..5,
        input in 0_u64..300, output in 0_u64..300) {
        let wave = wave(calls, input, output);
        paused().block_on(async {
            let own = [tenant(limits(7, 11, 1300)),
                Arc::new(Gate::new(Scope::Address, &limits(9, 7, 1700)))];
            check_retry_time(history, wave, || admit(&own, wave, &[])).await
        })?;
    }

    #[test]
    fn a_retry_time_is_exact_for_shared_limits_too(history in history(), calls in 1_u32..5,
        input in 0_u64..300, output in 0_u64..300) {
        let wave = wave(calls, input, output);
        paused().block_on(async {
            let own = tenant(limits(7, 11, 1300));
            let shared = [upstream(limits(8, 9, 1500)), upstream(limits(5, 30, 1400))];
            let entry = || Entry { gates: vec![Arc::clone(&own)], permits: Vec::new(),
                cells: Cells::default(), who: None, is_aside: false };
            check_retry_time(history, wave, || entry().reserve(wave, bound(wave), &shared)).await
        })?;
    }
}
