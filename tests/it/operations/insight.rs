//! Probes and metrics: where they are, what they tell, and what they must not show.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::parts::Knobs;
use crate::support::sim::busy;
use crate::support::sim::{paced, slow};
use crate::support::{chat_with, hone, in_time, upstream};

#[tokio::test]
async fn probes_and_metrics_are_the_operators_and_the_api_is_the_tenants() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).admin().start();
    for path in ["/readyz", "/livez", "/metrics"] {
        hone.admin().get(path).await.assert_ok();
    }
    hone.keyless().get("/metrics").await.assert_status(404);
    hone.admin().get("/v1/models").await.assert_status(404);
}

#[tokio::test]
async fn metrics_and_logs_never_hold_a_key_or_a_word_of_content() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).admin().start();
    let client = hone.client("sk-very-secret-key");
    let private = [json!({"role": "user", "content": "a most private sentence"})];
    let body = chat_with("bon-sim-small", json!({"messages": private}));
    client.chat(&body).await.assert_ok();
    let two_keys = client.clone().header("x-api-key", "sk-other-secret");
    let wrong = two_keys.chat(&body).await;
    wrong.assert_status(400);
    for text in [
        hone.metrics().await,
        wrong.text(),
        client.get("/hone/whoami").await.text(),
        format!("{hone:?}"),
        format!("{:?}", hone.proxy().snapshot()),
    ] {
        assert!(!text.contains("sk-") && !text.contains("private"), "{text}");
    }
}

#[tokio::test]
async fn what_is_under_way_and_what_a_queue_refuses_is_counted() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: slow(700).latency,
        ..paced(10)
    });
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .bound("queue_length", 1)
        .bound("queue_wait", "100ms")
        .admin()
        .start();
    let client = hone.client("k");
    let body = chat_with("sim-small", json!({"stream": true}));
    let refused = r#"hone_limit_decisions_total{limit="queue",decision="refused"}"#;
    let before = hone.metric(refused).await;
    let queued = async {
        while hone.metric(r#"hone_inflight{kind="queued"}"#).await < 1.0 {
            tokio::task::yield_now().await;
        }
    };
    let (stream, late) = tokio::join!(client.open_chat(&body), async {
        busy(&upstream).await;
        tokio::join!(client.ask("sim-small"), queued).0
    });
    assert_eq!(stream.status(), 200);
    late.assert_status(503);
    assert!(hone.metric(refused).await > before);
    for kind in ["connections", "requests", "streams", "upstream_calls"] {
        let series = format!(r#"hone_inflight{{kind="{kind}"}}"#);
        assert!(hone.metric(&series).await >= 1.0, "{kind}");
    }
}

#[tokio::test]
async fn a_process_that_holds_keys_leaves_no_core_file() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hone"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("fixture: hone starts");
    let log = child.stderr.take().expect("fixture: its log");
    let mut lines = BufReader::new(log).lines();
    let first = in_time(lines.next_line()).await;
    first.expect("fixture: a log").expect("fixture: a line");
    let id = child.id().expect("fixture: it runs");
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).expect("its limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "soft and hard: {words:?}");
    child.kill().await.expect("fixture: hone ends");
}
