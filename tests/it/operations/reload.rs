//! Another configuration for a hone that runs.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::support::process::Process;
use crate::support::raw::read_to_end;
use crate::support::setup::Upstream;
use crate::support::sim::{calls, slow};
use crate::support::{chat_with, hone, upstream};

#[tokio::test]
async fn a_reload_swaps_the_configuration_whole_and_keeps_the_counters() {
    let (first, second) = (upstream().await, upstream().await);
    let limited = hone().limit("requests_per_minute", 2);
    let hone = limited.clone().upstream(&first).start();
    let client = hone.client("k");
    client.ask("sim-small").await.assert_ok();
    let other = limited.upstream(&second).model("new", "sim-small", "none");
    hone.reload(&other);
    client.ask("new").await.assert_ok();
    assert_eq!(calls([&first, &second]), [1, 1]);
    // What was spent before counts after.
    client.ask("new").await.assert_status(429);
}

#[tokio::test]
async fn a_limit_on_calls_that_is_taken_out_and_put_back_remembers_what_runs() {
    let shared = |key: &'static str| {
        move |upstream: Upstream, limited: bool| {
            if limited {
                upstream.limit(key, 2)
            } else {
                upstream
            }
        }
    };
    let own = |upstream: Upstream, limited: bool| {
        if limited {
            upstream.set("concurrency", 2)
        } else {
            upstream
        }
    };
    check_that_what_runs_is_remembered(own).await;
    check_that_what_runs_is_remembered(shared("concurrent_upstream_calls")).await;
}

async fn check_that_what_runs_is_remembered(limit: impl Fn(Upstream, bool) -> Upstream) {
    let upstream = upstream().await;
    upstream.set(slow(500));
    let setup = |limited| hone().upstream_with(&upstream, |upstream| limit(upstream, limited));
    let hone = setup(true).start();
    let client = hone.client("k");
    let asks = || join_all((0..2).map(|_| client.ask("sim-small")));
    let two_more = async {
        upstream.wait_until(|stats| stats.in_flight == 2).await;
        hone.reload(&setup(false));
        hone.reload(&setup(true));
        asks().await
    };
    let (first, second) = tokio::join!(asks(), two_more);
    for answer in first.iter().chain(&second) {
        answer.assert_ok();
    }
    assert_eq!(upstream.stats().peak_in_flight, 2);
    hone.reload(&setup(false));
    join_all((0..3).map(|_| client.ask("sim-small"))).await;
    assert_eq!(upstream.stats().peak_in_flight, 3);
}

#[tokio::test]
async fn a_reload_changes_bounds_of_what_begins_after_it() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream);
    let small = setup.clone().bound("body_bytes", 1024);
    let hone = small.bound("connections", 50).start();
    let client = hone.client("k");
    let large = chat_with("sim-small", json!({"padding": "x".repeat(2000)}));
    client.chat(&large).await.assert_status(413);
    let other = setup.clone().bound("connections", 20);
    let restart = hone.reload(&other.bound("header_read", "200ms"));
    assert_eq!(restart, Vec::<&str>::new());
    assert_eq!(hone.connections(), 20);
    client.chat(&large).await.assert_ok();
    let start = Instant::now();
    read_to_end(hone.connect().await).await;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "a new connection has the new time for its head"
    );
    let small = setup.clone().bound("buffered_bytes", 1500);
    hone.reload(&small.bound("body_bytes", 1500));
    client.chat(&large).await.assert_status(413);
    hone.reload(&setup.bound("connections_per_minute", 1));
    hone.keyless().get("/livez").await.assert_ok();
    let second_within_the_minute = read_to_end(hone.connect().await).await;
    assert_eq!(second_within_the_minute, "");
}

#[tokio::test]
async fn a_reload_that_shrinks_the_caps_on_connections_keeps_those_that_are_open() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream);
    let hone = setup.start();
    let clients = [hone.keyless(), hone.keyless()];
    for client in &clients {
        client.get("/livez").await.assert_ok();
    }
    hone.reload(&setup.bound("connections_per_address", 1));
    for client in &clients {
        client.get("/livez").await.assert_ok();
    }
    assert_eq!(read_to_end(hone.connect().await).await, "", "a third");
}

#[tokio::test]
async fn a_reload_names_what_takes_a_restart_and_does_the_rest() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream);
    let hone = setup.start();
    let changed = setup
        .set("listen", "127.0.0.1:1")
        .admin()
        .config("[log]\nformat = 'json'")
        .limit("requests_per_minute", 1);
    for _ in 0..2 {
        let restart = hone.reload(&changed);
        assert_eq!(restart, ["listen", "admin", "log"], "as long as it is so");
    }
    let client = hone.client("k");
    client.ask("sim-small").await.assert_ok();
    client.ask("sim-small").await.assert_status(429);
}

#[tokio::test]
async fn a_reload_that_fails_keeps_the_old_configuration() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let bad = crate::support::hone().upstream_with(&upstream, |upstream| {
        upstream.set("ca_file", "/does/not/exist.pem")
    });
    let reloaded = bad
        .parse()
        .is_ok_and(|config| (*hone).reload(config).is_ok());
    assert!(!reloaded);
    hone.client("k").ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn a_changed_file_is_taken_by_itself_and_a_wrong_one_is_told() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream).admin();
    let process = Process::serve(&setup).await;
    let (client, admin) = (process.client("k"), process.admin());
    let up = "hone_upstream_up{upstream=\"sim\"} 1";
    let metrics = admin.get("/metrics").await;
    for zero in [
        up,
        "hone_config_reload_success 1",
        "hone_client_disconnects_total 0",
    ] {
        metrics.assert_says(zero);
    }
    process.rewrite("listen = 1\n");
    let refused = process.logs("the old one stays").await;
    assert_eq!(refused["level"], "ERROR");
    admin
        .get("/metrics")
        .await
        .assert_says("hone_config_reload_success 0");
    client.ask("sim-small").await.assert_ok();
    process.rewrite(&setup.model("new", "sim-small", "none").text());
    process.logs("configuration reloaded").await;
    client.ask("new").await.assert_ok();
    admin
        .get("/metrics")
        .await
        .assert_says("hone_config_reload_success 1");
    process.signal("HUP").await;
    process.logs_times("configuration reloaded", 2).await;
}
