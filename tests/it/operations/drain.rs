//! A drain finishes what runs and takes nothing new; what it cannot finish it ends honestly.

use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::head::{answer, post_chat};
use crate::support::parts::{Drained, Knobs, SimHandle};
use crate::support::process::Process;
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::Setup;
use crate::support::sim::{busy, idle, paced, slow, stuck};
use crate::support::{chat_body, chat_with, hone, in_time, text, upstream};

#[tokio::test]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let upstream = upstream().await;
    upstream.set(slow(400));
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let (answer, drained) = tokio::join!(client.ask("sim-small"), async {
        busy(&upstream).await;
        hone.shutdown().await
    });
    answer.assert_ok();
    assert_eq!(drained, Drained::Clean);
    assert!(
        TcpStream::connect(hone.address()).await.is_err(),
        "nothing listens any more"
    );
}

/// Drains within no time at all.
fn hurried(upstream: &SimHandle) -> Setup {
    hone().upstream(upstream).bound("drain", "100ms").admin()
}

#[tokio::test]
async fn a_drain_ends_by_force_when_its_grace_period_is_over() {
    let upstream = upstream().await;
    upstream.set(stuck());
    for (http2, model) in [
        (false, "sim-small"),
        (false, "bon-sim-small"),
        (true, "sim-small"),
        (true, "bon-sim-small"),
    ] {
        let hone = hurried(&upstream).start();
        let client = if http2 { hone.http2() } else { hone.keyless() };
        let client = client.key("k");
        let (answer, drained) = tokio::join!(client.ask(model), async {
            busy(&upstream).await;
            hone.shutdown().await
        });
        answer.assert_refused(503, "shutting_down");
        answer.assert_header("retry-after", "1");
        assert!(matches!(drained, Drained::Forced { .. }), "{model}");
        idle(&upstream).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_ended_by_force_says_so() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        content: Some("word ".repeat(2000)),
        ..paced(20)
    });
    for http2 in [false, true] {
        let hone = hurried(&upstream).start();
        let client = if http2 { hone.http2() } else { hone.keyless() };
        let body = chat_with("sim-small", json!({"stream": true}));
        let stream = client.key("k").open_chat(&body).await.into_body();
        let (whole, drained) = tokio::join!(in_time(stream.collect()), hone.shutdown());
        let said = text(whole.expect("no broken connection").to_bytes());
        let (before, last) = said.trim_end().rsplit_once("data: ").expect("events");
        let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(last["error"]["code"], "shutting_down", "{said}");
        assert!(
            before.contains("\"choices\"") && !said.contains("[DONE]"),
            "{said}"
        );
        assert!(matches!(drained, Drained::Forced { .. }));
        idle(&upstream).await;
    }
}

#[tokio::test]
async fn a_strategys_stream_that_is_ended_by_force_is_cut_off_and_says_so() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        content: Some("word ".repeat(2000)),
        ..paced(20)
    });
    let hone = hurried(&upstream).start();
    let body = chat_with("re2-sim-small", json!({"stream": true}));
    let stream = hone.client("k").open_chat(&body).await.into_body();
    let (whole, _) = tokio::join!(in_time(stream.collect()), hone.shutdown());
    let said = text(whole.expect("no broken connection").to_bytes());
    for part in [
        "\"finish_reason\":\"length\"",
        "\"degraded\":[\"shutdown\"]",
        "[DONE]",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    idle(&upstream).await;
}

#[tokio::test]
async fn an_answer_that_is_no_stream_breaks_when_it_is_ended_by_force() {
    // A shorter one would be awaited whole, and so could still be answered.
    let head = answer("200 OK").json().content_length(100_000);
    let upstream = RawUpstream::start(head.then("{"), Then::Hang).await;
    let hone = hone().upstream(&upstream).bound("drain", "100ms").start();
    let body = chat_body("m").to_string();
    let mut stream = hone.dial(post_chat("k").body(&body)).await;
    let mut rest = Vec::new();
    let begun = stream.read_buf(&mut rest).await;
    begun.expect("the beginning of the answer");
    hone.shutdown().await;
    let _cut = stream.read_to_end(&mut rest).await;
    assert!(
        text(&rest).ends_with("\r\n\r\n{"),
        "nothing is added: {}",
        text(&rest)
    );
}

#[tokio::test]
async fn a_run_that_is_ended_by_force_gives_the_best_answer_so_far() {
    let upstream = upstream().await;
    upstream.set(slow(1000));
    // Over when there are candidates, and no verdict yet.
    let hone = hone().upstream(&upstream).bound("drain", "1500ms").start();
    let client = hone.client("k");
    let (answer, drained) = tokio::join!(client.ask("bon-sim-small"), async {
        busy(&upstream).await;
        hone.shutdown().await
    });
    let degraded = answer.assert_ok().header("x-hone-degraded");
    assert!(degraded.contains("shutdown"), "{degraded}");
    assert!(matches!(drained, Drained::Forced { .. }));
}

#[tokio::test]
async fn a_hone_that_will_stop_says_so_while_it_accepts() {
    let upstream = upstream().await;
    let setup = hone()
        .upstream(&upstream)
        .bound("drain_delay", "1h")
        .admin();
    let mut hone = Process::serve(&setup).await;
    let (client, admin) = (hone.client("k"), hone.admin());
    client.get("/readyz").await.assert_ok();
    hone.signal("TERM").await;
    hone.logs("leaving").await;
    for probe in [client.get("/readyz").await, admin.get("/readyz").await] {
        probe.assert_status(503).assert_says("draining");
    }
    TcpStream::connect(hone.address()).await.expect("accepts");
    client.ask("sim-small").await.assert_ok();
    client.get("/livez").await.assert_ok();
    // A second signal: enough.
    hone.signal("TERM").await;
    assert_eq!(hone.ends().await.code(), Some(0));
    assert_eq!(hone.lines("drained").len(), 1);
}

#[tokio::test]
async fn a_person_who_interrupts_hone_waits_for_no_delay() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream).bound("drain_delay", "1h");
    let mut hone = Process::serve(&setup).await;
    hone.signal("INT").await;
    assert_eq!(hone.ends().await.code(), Some(130));
}

#[tokio::test]
async fn the_admin_listener_stays_to_the_end_and_the_exit_code_tells_of_force() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let setup = hone().upstream(&upstream).bound("drain", "1h").admin();
    let mut hone = Process::serve(&setup).await;
    let (client, admin) = (hone.client("k"), hone.admin());
    let asking = tokio::task::spawn(async move { client.ask("sim-small").await });
    busy(&upstream).await;
    hone.signal("TERM").await;
    hone.logs("draining").await;
    let refused = async { while TcpStream::connect(hone.address()).await.is_ok() {} };
    in_time(refused).await;
    admin.get("/readyz").await.assert_status(503);
    admin.get("/metrics").await.assert_says("hone_inflight");
    hone.signal("TERM").await;
    let refused = in_time(asking).await.expect("an answer");
    refused.assert_refused(503, "shutting_down");
    assert_eq!(hone.ends().await.code(), Some(3));
    let line = hone.lines("\"hone::request\"").remove(0);
    let told = ["status", "error", "outcome"].map(|field| line[field].clone());
    assert_eq!(
        told,
        [json!(503), json!("shutting_down"), json!("shutdown")]
    );
}
