//! Upstreams that allow few streams on a connection: others are opened, and beyond that everybody
//! waits in turn.

use tokio::task::JoinSet;

use crate::support::multiplexed::{HOLD, Multiplexed};
use crate::support::tls::Identity;
use crate::support::{Answer, Hone, hone, in_time};

/// Streams that the upstream allows on a connection.
const STREAMS: u32 = 10;
const CALLS: usize = 60;

/// Asks so often for answers that take long, each on a connection of its own.
fn greedy(hone: &Hone, calls: usize) -> JoinSet<Answer> {
    let mut asking = JoinSet::new();
    for _ in 0..calls {
        let client = hone.client("greedy");
        asking.spawn(async move { client.ask(HOLD).await });
    }
    asking
}

async fn all_answered(mut asking: JoinSet<Answer>) {
    while let Some(answer) = in_time(asking.join_next()).await {
        answer.expect("fixture: it ends").assert_ok();
    }
}

async fn another_connection_is_opened(identity: Option<&Identity>) {
    for workers in [false, true] {
        let upstream = Multiplexed::start(identity, STREAMS).await;
        let setup = hone().upstream_with(&upstream, |upstream_of| upstream.spoken(upstream_of));
        let hone = if workers {
            setup.start_with_workers()
        } else {
            setup.start()
        };
        let asking = greedy(&hone, CALLS);
        upstream.holds(CALLS).await;
        hone.client("modest").ask("m").await.assert_ok();
        let connections = upstream.seen().connections;
        assert!((7..=64).contains(&connections), "{connections} connections");
        upstream.let_go(CALLS);
        all_answered(asking).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_connection_has_another_opened_beside_it() {
    another_connection_is_opened(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_connection_has_another_opened_beside_it_with_tls() {
    another_connection_is_opened(Some(&Identity::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_connection_can_take_waits_in_turn_though_no_concurrency_is_set() {
    let upstream = Multiplexed::start(None, STREAMS).await;
    let hone = hone()
        .upstream_with(&upstream, |upstream_of| {
            upstream.spoken(upstream_of).set("http2_connections", 2)
        })
        // Made-up keys of one address would share a turn.
        .tenant("greedy", |tenant| tenant.provider_key("greedy"))
        .tenant("modest", |tenant| tenant.provider_key("modest"))
        .admin()
        .start_with_workers();
    let places = 2 * STREAMS as usize;
    let queued = f64::from(u32::try_from(CALLS - places + 1).expect("fixture: few"));
    let asking = greedy(&hone, CALLS);
    upstream.holds(places).await;
    let modest = hone.client("modest");
    let modest = tokio::task::spawn(async move { modest.ask("m").await });
    in_time(async {
        let waiting = r#"hone_inflight{kind="queued"}"#;
        while hone.metric(waiting).await < queued {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The next place that comes free is not the 21st call's of somebody who has 20.
    upstream.let_go(1);
    let answer = in_time(modest).await.expect("fixture: it ends");
    answer.assert_ok();
    assert_eq!(upstream.seen().connections, 2);
    upstream.let_go(CALLS);
    all_answered(asking).await;
}
