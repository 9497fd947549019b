use std::num::NonZeroU32;
use std::sync::Arc;

use hone_strategies::chat::Usage;
use proptest::prelude::*;
use tokio::time::advance;

use super::*;
use crate::admission::{
    Admitted, Estimate, FirstWave, Gate, PlanBound, Refused, Scope, enter, enter_uncounted,
};
use crate::config::Limits;

const SHARING: Sharing = Sharing {
    tenant_share: 0.5,
    max_waiting: 100,
    max_wait: Duration::from_secs(30),
};
const STEP: Duration = Duration::from_millis(50);
/// Tokens of one request.
const EACH: u64 = 1000;

/// A limit of so many requests, and what these need, in each dimension.
fn limited_to(requests: u32) -> [(&'static str, Limits); 3] {
    let none = Limits::default();
    let count = NonZeroU32::new(requests);
    [
        (
            "requests",
            Limits {
                requests_per_minute: count,
                ..none
            },
        ),
        (
            "calls",
            Limits {
                upstream_calls_per_minute: count,
                ..none
            },
        ),
        (
            "tokens",
            Limits {
                tokens_per_minute: NonZeroU64::new(u64::from(requests) * EACH),
                ..none
            },
        ),
    ]
}

fn shared(limits: &Limits) -> Arc<Gate> {
    Arc::new(Gate::shared(Scope::Upstream, limits, &SHARING))
}

fn tenant(name: &str) -> Asker {
    Asker {
        tenant: TenantKey::from(name),
        weight: 1,
    }
}

fn ask(shared: &Arc<Gate>, who: &Asker, tokens: u64) -> Result<Admitted, Refused> {
    let per_call = Estimate {
        input: 0,
        output: tokens,
    };
    let first = FirstWave { calls: 1, per_call };
    let whole = PlanBound {
        calls: 1,
        input_tokens: 0,
    };
    let entry = enter(&[])?.of(who.clone());
    entry.reserve(first, whole, &[Arc::clone(shared)])
}

/// Somebody who asks, and comes back if refused.
struct Client {
    who: Asker,
    /// Between two wishes.
    every: Duration,
    /// Wishes so far.
    wished: u32,
    got: u32,
}

impl Client {
    fn new(name: &str, every: Duration) -> Self {
        Self {
            who: tenant(name),
            every,
            wished: 0,
            got: 0,
        }
    }

    fn greedy(name: &str) -> Self {
        Self::new(name, STEP / 10)
    }

    async fn step(&mut self, shared: &Arc<Gate>, since: Duration) {
        self.wished = u32::try_from(since.as_nanos() / self.every.as_nanos()).unwrap() + 1;
        while self.got < self.wished {
            let Ok(admitted) = ask(shared, &self.who, EACH) else {
                break;
            };
            let estimate = Estimate {
                input: 0,
                output: EACH,
            };
            let call = admitted.call(estimate).await.unwrap();
            call.settle(Usage::new(0, EACH));
            self.got += 1;
        }
    }
}

/// All that these clients get within `minutes`.
async fn run(shared: &Arc<Gate>, clients: &mut [Client], minutes: u32) -> Vec<u32> {
    let start = Instant::now();
    for client in clients.iter_mut() {
        client.got = 0;
    }
    while start.elapsed() < minutes * WINDOW {
        for client in clients.iter_mut() {
            client.step(shared, start.elapsed()).await;
        }
        advance(STEP).await;
    }
    clients.iter().map(|client| client.got).collect()
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_alone_may_have_everything() {
    for (what, limits) in limited_to(60) {
        let shared = shared(&limits);
        let got = run(&shared, &mut [Client::greedy("a")], 2).await;
        assert!((179..=180).contains(&got[0]), "{what}: {got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_modest_tenant_beside_a_greedy_one_gets_its_part_within_the_minute() {
    for (what, limits) in limited_to(60) {
        let shared = shared(&limits);
        let mut clients = [Client::greedy("greedy")];
        run(&shared, &mut clients, 3).await;
        let [greedy] = clients;
        let mut both = [greedy, Client::new("modest", Duration::from_secs(2))];
        for minute in 0..3 {
            let got = run(&shared, &mut both, 1).await;
            assert!((27..=30).contains(&got[1]), "{what}, {minute}: {got:?}");
            if minute > 0 {
                assert!(got[0] >= 27, "what is left is for everybody: {got:?}");
            }
            assert!(got[0] <= 60, "{what}: {got:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_modest_tenant_beside_several_greedy_ones_gets_its_part() {
    for (what, limits) in limited_to(60) {
        let shared = shared(&limits);
        let mut clients = vec![
            Client::greedy("a"),
            Client::greedy("b"),
            Client::greedy("c"),
        ];
        run(&shared, &mut clients, 3).await;
        clients.push(Client::new("modest", Duration::from_secs(4)));
        for minute in 0..3 {
            let got = run(&shared, &mut clients, 1).await;
            assert!((14..=15).contains(&got[3]), "{what}, {minute}: {got:?}");
        }
        let last = run(&shared, &mut clients, 3).await;
        let sum: u32 = last.iter().sum();
        assert!(sum >= 160, "{what}: nearly all of 180 is used: {last:?}");
        let (least, most) = (last[..3].iter().min(), last[..3].iter().max());
        assert!(
            most <= least.map(|least| least * 2).as_ref(),
            "{what}: {last:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_weight_counts_where_little_is_left() {
    let [(_, limits), ..] = limited_to(60);
    let shared = shared(&limits);
    let mut clients = vec![
        Client::greedy("a"),
        Client::greedy("b"),
        Client::greedy("heavy"),
    ];
    clients[2].who.weight = 2;
    run(&shared, &mut clients, 2).await;
    let got = run(&shared, &mut clients, 4).await;
    let expected = [60, 60, 120];
    for (got, expected) in got.iter().zip(expected) {
        assert!(got.abs_diff(expected) <= expected / 5, "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_larger_than_a_part_passes_an_empty_one() {
    let limits = Limits {
        tokens_per_minute: NonZeroU64::new(1000),
        ..Limits::default()
    };
    let shared = shared(&limits);
    let (a, b) = (tenant("a"), tenant("b"));
    ask(&shared, &b, 10).unwrap();
    let large = ask(&shared, &a, 900).expect("it has used nothing yet");
    assert!(ask(&shared, &a, 1).is_err());
    drop(large);
    assert!(ask(&shared, &a, 1).is_ok());
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_are_shared_too() {
    let limits = Limits {
        concurrent_requests: NonZeroU32::new(18),
        ..Limits::default()
    };
    let shared = shared(&limits);
    let (greedy, modest) = (tenant("greedy"), tenant("modest"));
    let mut running: Vec<(Instant, Admitted)> = Vec::new();
    let (mut got, mut wished, start) = (0, 0, Instant::now());
    while start.elapsed() < 2 * WINDOW {
        running.retain(|(end, _)| *end > Instant::now());
        let mut take = |who: &Asker| {
            let admitted = ask(&shared, who, 0);
            let end = Instant::now() + Duration::from_secs(1);
            admitted
                .map(|admitted| running.push((end, admitted)))
                .is_ok()
        };
        while take(&greedy) {}
        // From the second minute on somebody else wants one each second.
        if let Some(since) = start.elapsed().checked_sub(WINDOW) {
            wished = since.as_secs() + 1;
            if got < wished && take(&modest) {
                got += 1;
            }
        }
        advance(STEP).await;
    }
    assert!(got * 10 >= wished * 9, "{got} of {wished}");
    assert!(running.len() <= 18);
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_are_had_in_turn() {
    let limits = Limits {
        concurrent_upstream_calls: NonZeroU32::new(2),
        ..Limits::default()
    };
    let shared = shared(&limits);
    let (greedy, modest) = (tenant("greedy"), tenant("modest"));
    let admitted = ask(&shared, &greedy, 0).unwrap();
    let none = Estimate::default();
    let first = admitted.call(none).await.unwrap();
    let _second = admitted.call(none).await.unwrap();
    let mut flood: Vec<_> = (0..20).map(|_| Box::pin(admitted.call(none))).collect();
    for waiting in &mut flood {
        assert!(futures_util::poll!(waiting).is_pending());
    }
    let other = ask(&shared, &modest, 0).unwrap();
    let mut turn = Box::pin(other.call(none));
    assert!(futures_util::poll!(&mut turn).is_pending());
    drop(first);
    assert!(futures_util::poll!(&mut turn).is_ready());
}

#[tokio::test(start_paused = true)]
async fn who_asks_no_more_is_forgotten() {
    let [(_, limits), ..] = limited_to(60);
    let shared = shared(&limits);
    for name in 0..50 {
        drop(ask(&shared, &tenant(&name.to_string()), EACH));
        advance(Duration::from_millis(100)).await;
    }
    let known = |shares: &mut Shares| shares.rates[0].1.members.len();
    assert!(shared.with_shares(known) >= 50);
    advance(3 * WINDOW).await;
    ask(&shared, &tenant("last"), EACH).unwrap();
    assert_eq!(shared.with_shares(known), 1);
}

#[tokio::test(start_paused = true)]
async fn what_one_may_never_ask_for_does_not_count_as_asking() {
    let [(_, limits), ..] = limited_to(60);
    let shared = shared(&limits);
    let own = Arc::new(Gate::new(
        Scope::Tenant,
        &Limits {
            tokens_per_minute: NonZeroU64::new(1),
            ..Limits::default()
        },
    ));
    let first = FirstWave {
        calls: 1,
        per_call: Estimate {
            input: 2,
            output: 0,
        },
    };
    let entry = enter_uncounted(&[own]).unwrap().of(tenant("poor"));
    entry
        .reserve(first, PlanBound::default(), &[Arc::clone(&shared)])
        .unwrap_err();
    let got = run(&shared, &mut [Client::greedy("a")], 1).await;
    assert!(got[0] >= 119, "{got:?}");
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

proptest! {
    /// Whatever two tenants did before: a refusal's time is the earliest at which the same request
    /// is admitted if nobody else asks.
    #[test]
    fn a_retry_time_is_exact_beside_others(
        history in proptest::collection::vec((any::<bool>(), 1_u64..40, 0_u64..150, 0_u64..9000),
            1..40),
        tokens in 1_u64..120,
    ) {
        paused().block_on(async {
            let limits = Limits {
                tokens_per_minute: NonZeroU64::new(100),
                ..Limits::default()
            };
            let shared = shared(&limits);
            let (a, b) = (tenant("a"), tenant("b"));
            for (is_a, tokens, percent, millis) in history {
                if let Ok(admitted) = ask(&shared, if is_a { &a } else { &b }, tokens) {
                    let estimate = Estimate { input: 0, output: tokens };
                    if let Ok(call) = admitted.call(estimate).await {
                        call.settle(Usage::new(0, tokens * percent / 100));
                    }
                }
                advance(Duration::from_millis(millis)).await;
            }
            if let Err(refused) = ask(&shared, &a, tokens) {
                let wait = refused.retry_after.expect("output never makes it impossible");
                let ns = Duration::from_nanos(1);
                advance(wait.saturating_sub(ns)).await;
                prop_assert!(ask(&shared, &a, tokens).is_err(), "before {wait:?}");
                advance(ns).await;
                prop_assert!(ask(&shared, &a, tokens).is_ok(), "after {wait:?}");
            }
            Ok(())
        })?;
    }

    /// All that tenants do together stays within the limit, and settles to the unit.
    #[test]
    fn a_shared_limit_holds_and_settles_exactly(
        history in proptest::collection::vec((0_u8..3, 1_u64..40, 0_u64..150, 0_u64..9000),
            1..60),
    ) {
        paused().block_on(async {
            let limits = Limits {
                tokens_per_minute: NonZeroU64::new(100),
                ..Limits::default()
            };
            let shared = shared(&limits);
            let mut level = Duration::ZERO;
            for (who, tokens, percent, millis) in history {
                let who = tenant(&who.to_string());
                if let Ok(admitted) = ask(&shared, &who, tokens) {
                    let used = tokens * percent / 100;
                    let estimate = Estimate { input: 0, output: tokens };
                    let call = admitted.call(estimate).await.unwrap();
                    call.settle(Usage::new(0, used));
                    level += WINDOW * u32::try_from(used).unwrap() / 100;
                }
                prop_assert_eq!(shared.status()[0].reset, level);
                let passed = Duration::from_millis(millis);
                level = level.saturating_sub(passed);
                advance(passed).await;
            }
            Ok(())
        })?;
    }
}
