//! What is charged in the end.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

const EACH: Estimate = Estimate {
    input: 40,
    output: 60,
};

#[tokio::test(start_paused = true)]
async fn a_call_is_charged_what_it_used() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(2, 40, 60), &[]).unwrap();
    admitted.call(EACH).await.unwrap().settle(used(30));
    assert_eq!(tokens_left(&own), 870, "the surplus is back at once");
    admitted.call(EACH).await.unwrap().settle(used(500));
    assert_eq!(tokens_left(&own), 470, "overspend is charged at once");
}

#[tokio::test(start_paused = true)]
async fn overspend_becomes_waiting_time() {
    let own = tenant(limits(10, 10, 600));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 40, 60), &[]).unwrap();
    admitted.call(EACH).await.unwrap().settle(used(1500));
    let refused = admit(&[Arc::clone(&own)], wave(1, 40, 60), &[]).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_secs(100)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_sent_costs_nothing() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 40, 60), &[]).unwrap();
    admitted.call(EACH).await.unwrap().never_sent();
    assert_eq!(
        (tokens_left(&own), remaining(&own, Dimension::UpstreamCalls)),
        (1000, 10)
    );
    assert_eq!(
        remaining(&own, Dimension::Requests),
        9,
        "the request itself stays charged"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_charged_its_estimate() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 10, 10), &[]).unwrap();
    drop(admitted.call(EACH).await.unwrap());
    assert_eq!(
        (tokens_left(&own), remaining(&own, Dimension::UpstreamCalls)),
        (900, 9)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cut_call_is_charged_its_reservation_or_what_streamed_if_that_is_more() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 40, 60), &[]).unwrap();
    let call = admitted.call(EACH).await.unwrap();
    call.cut(Usage::new(0, 7));
    assert_eq!(tokens_left(&own), 1000 - 40 - 60, "less than was reserved");
    admitted.call(EACH).await.unwrap().cut(Usage::new(0, 90));
    assert_eq!(tokens_left(&own), 900 - 40 - 90);
    admitted.call(EACH).await.unwrap().cut(Usage::new(50, 7));
    assert_eq!(tokens_left(&own), 770 - 50 - 60);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hone_gives_up_costs_what_is_expected_unless_its_client_has_left() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(0, 0, 0), &[]).unwrap();
    let left = Arc::new(AtomicBool::new(false));
    for (seen, cost) in [(0, 40 + 20), (30, 40 + 30), (90, 40 + 90)] {
        let before = tokens_left(&own);
        let mut call = admitted.call(EACH).await.unwrap();
        call.may_be_given_up(20, Arc::clone(&left));
        if seen == 0 {
            drop(call);
        } else {
            call.unwanted(Usage::new(0, seen));
        }
        assert_eq!(before - tokens_left(&own), cost, "{seen} seen");
    }
    let before = tokens_left(&own);
    let mut call = admitted.call(EACH).await.unwrap();
    call.may_be_given_up(20, Arc::clone(&left));
    left.store(true, Ordering::Relaxed);
    drop(call);
    assert_eq!(before - tokens_left(&own), 40 + 60);
}

#[tokio::test(start_paused = true)]
async fn what_the_first_wave_did_not_use_comes_back() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(4, 40, 60), &[]).unwrap();
    assert_eq!(tokens_left(&own), 600);
    admitted.call(EACH).await.unwrap().settle(used(100));
    drop(admitted);
    assert_eq!(
        (tokens_left(&own), remaining(&own, Dimension::UpstreamCalls)),
        (900, 9)
    );
}

#[tokio::test(start_paused = true)]
async fn calls_after_the_first_wave_reserve_as_they_start() {
    let own = tenant(limits(10, 10, 250));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 40, 60), &[]).unwrap();
    let _first = admitted.call(EACH).await.unwrap();
    assert_eq!(tokens_left(&own), 150);
    let second = admitted.call(EACH).await.unwrap();
    assert_eq!(tokens_left(&own), 50);
    let refused = limit_of(admitted.call(EACH).await.unwrap_err());
    assert_eq!(
        (refused.dimension, refused.retry_after),
        (Dimension::Tokens, Some(Duration::from_secs(12)))
    );
    assert_eq!(tokens_left(&own), 50);
    second.settle(used(0));
    assert!(admitted.call(EACH).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn of_a_wave_larger_than_the_burst_only_what_fits_is_reserved_at_once() {
    let own = tenant(limits(10, 10, 250));
    let admitted = admit(&[Arc::clone(&own)], wave(5, 40, 60), &[]).unwrap();
    assert_eq!((tokens_left(&own), admitted.calls_in_hand()), (50, 2));
    let first = admitted.call(EACH).await.unwrap();
    let _second = admitted.call(EACH).await.unwrap();
    let refused = limit_of(admitted.call(EACH).await.unwrap_err());
    assert_eq!(refused.retry_after, Some(Duration::from_secs(12)));
    first.settle(used(10));
    assert!(admitted.call(EACH).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_call_larger_than_the_burst_takes_all_it_may_use_and_runs_alone() {
    let own = tenant(limits(10, 10, 600));
    let large = wave(1, 40, 1160);
    let admitted = admit(&[Arc::clone(&own)], large, &[]).unwrap();
    let refused = admit(&[Arc::clone(&own)], wave(1, 1, 0), &[]).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_millis(60_100)));
    let call = admitted.call(large.per_call).await.unwrap();
    call.settle(used(100));
    assert_eq!(tokens_left(&own), 500);
    let refused = admit(&[own], large, &[]).unwrap_err();
    assert_eq!(
        refused.retry_after,
        Some(Duration::from_secs(10)),
        "an empty bucket"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_larger_than_its_share_of_the_wave_takes_the_rest_or_is_refused() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(3, 40, 60), &[]).unwrap();
    let larger = Estimate {
        input: 40,
        output: 760,
    };
    let call = admitted.call(larger).await.unwrap();
    assert_eq!(tokens_left(&own), 0);
    let refused = limit_of(admitted.call(larger).await.unwrap_err());
    assert_eq!(refused.dimension, Dimension::Tokens);
    assert_eq!(tokens_left(&own), 100, "its share came back");
    call.settle(used(300));
    assert_eq!(
        (tokens_left(&own), remaining(&own, Dimension::UpstreamCalls)),
        (600, 8)
    );
    admitted.call(EACH).await.unwrap().settle(used(50));
    assert_eq!(tokens_left(&own), 650);
}

#[tokio::test(start_paused = true)]
async fn a_call_outlives_its_request() {
    let own = tenant(limits(10, 10, 1000));
    let admitted = admit(&[Arc::clone(&own)], wave(1, 40, 60), &[]).unwrap();
    let call = admitted.call(EACH).await.unwrap();
    drop(admitted);
    assert_eq!(tokens_left(&own), 900);
    call.settle(used(150));
    assert_eq!(tokens_left(&own), 850);
}

#[derive(Debug, Clone)]
enum Step {
    Admit { calls: u32, input: u64, output: u64 },
    Call { request: usize, tokens: u64 },
    Settle { call: usize, tokens: u64 },
    NeverSent { call: usize },
    Cancel { call: usize, streamed: u64 },
    Finish { request: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u32..5, 0_u64..50, 0_u64..200).prop_map(|(calls, input, output)| Step::Admit {
            calls,
            input,
            output
        }),
        (any::<usize>(), 0_u64..200).prop_map(|(request, tokens)| Step::Call { request, tokens }),
        (any::<usize>(), 0_u64..300).prop_map(|(call, tokens)| Step::Settle { call, tokens }),
        any::<usize>().prop_map(|call| Step::NeverSent { call }),
        (any::<usize>(), 0_u64..50).prop_map(|(call, streamed)| Step::Cancel { call, streamed }),
        any::<usize>().prop_map(|request| Step::Finish { request }),
    ];
    proptest::collection::vec(step, 0..80)
}

/// Everything that one tenant did, and what that should cost.
#[derive(Default)]
struct Ledger {
    requests: Vec<Admitted>,
    calls: Vec<(CallGuard, Estimate)>,
    /// Requests, tokens, upstream calls.
    spent: [u64; 3],
}

impl Ledger {
    fn step(&mut self, step: &Step, own: &[Arc<Gate>], shared: &[Arc<Gate>]) {
        match *step {
            Step::Admit {
                calls,
                input,
                output,
            } => {
                if let Ok(admitted) = admit(own, wave(calls, input, output), shared) {
                    self.requests.push(admitted);
                    self.spent[0] += 1;
                }
            }
            Step::Call { request, tokens } if !self.requests.is_empty() => {
                let estimate = Estimate {
                    input: tokens / 2,
                    output: tokens - tokens / 2,
                };
                let request = &self.requests[request % self.requests.len()];
                // One of a caller in debt waits for the others of it, and costs nothing then.
                if let Some(Ok(call)) = request.call(estimate).now_or_never() {
                    self.calls.push((call, estimate));
                }
            }
            Step::Settle { call, tokens } if !self.calls.is_empty() => {
                self.take_call(call).0.settle(used(tokens));
                self.spend_call(tokens);
            }
            Step::NeverSent { call } if !self.calls.is_empty() => {
                self.take_call(call).0.never_sent();
            }
            Step::Cancel { call, streamed } if !self.calls.is_empty() => {
                let (call, estimate) = self.take_call(call);
                call.cut(Usage::new(0, streamed));
                self.spend_call(estimate.input + estimate.output.max(streamed));
            }
            Step::Finish { request } if !self.requests.is_empty() => {
                drop(self.requests.swap_remove(request % self.requests.len()));
            }
            _ => {}
        }
    }

    fn take_call(&mut self, index: usize) -> (CallGuard, Estimate) {
        self.calls.swap_remove(index % self.calls.len())
    }

    fn spend_call(&mut self, tokens: u64) {
        self.spent[1] += tokens;
        self.spent[2] += 1;
    }
}

proptest! {
    /// The sum charged is the sum settled, to the unit, in every gate: nothing leaks and nothing is
    /// charged twice.
    #[test]
    fn what_is_charged_is_what_was_settled(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true)
            .build().unwrap();
        let _clock = runtime.enter();
        let own = [tenant(limits(30, 40, 5000)), Arc::new(Gate::new(Scope::Address,
            &limits(25, 60, 4000)))];
        let shared = [upstream(limits(20, 50, 100_000))];
        let mut ledger = Ledger::default();
        for step in &steps {
            ledger.step(step, &own, &shared);
        }
        while !ledger.calls.is_empty() {
            ledger.step(&Step::Settle { call: 0, tokens: 1 }, &own, &shared);
        }
        ledger.requests.clear();
        for gate in own.iter().chain(&shared) {
            for (rate, spent) in gate.status().iter().zip(ledger.spent) {
                let used = Duration::from_nanos(u64::try_from((u128::from(spent) * 60_000_000_000)
                    .div_ceil(rate.limit.into())).unwrap());
                prop_assert_eq!(rate.reset, used, "{} of {:?}", rate.name(), gate.scope());
            }
        }
    }
}
