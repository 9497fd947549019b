//! The log: what a line of a request tells, and how loud it is.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::parts::KeyDigest;
use crate::support::process::Process;
use crate::support::sim::{fails, slow};
use crate::support::{chat_with, hone, in_time, upstream};

const REQUEST: &str = "\"hone::request\"";

fn milliseconds(line: &Value, field: &str) -> f64 {
    line[field]
        .as_f64()
        .unwrap_or_else(|| panic!("{field} in {line}"))
}

#[tokio::test]
async fn a_line_tells_where_the_time_went_who_asked_and_by_which_key() {
    let upstream = upstream().await;
    upstream.set(slow(150));
    let setup = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .tenant("alice", |tenant| {
            tenant.key("hone-a").provider_key("sk-alice")
        });
    let hone = Process::serve(&setup).await;
    let client = hone.client("sk-alice");
    let stream = chat_with("sim-small", json!({"stream": true}));
    join_all((0..2).map(|_| client.chat(&stream))).await;
    let lines = hone.logs_times(REQUEST, 2).await;
    let waited = |line: &&Value| line["queued_ms"].is_number();
    let waiting: Vec<_> = lines.iter().filter(waited).collect();
    assert_eq!(waiting.len(), 1, "one was served at once: {lines:#?}");
    assert!(
        milliseconds(waiting[0], "queued_ms") > 50.0,
        "{}",
        waiting[0]
    );
    let digest = KeyDigest::of(b"sk-alice").to_string();
    let digits = digest.strip_prefix("sha256:").expect("a digest");
    for line in &lines {
        assert!(milliseconds(line, "upstream_ms") > 100.0, "{line}");
        let first = milliseconds(line, "first_token_ms");
        assert!(first >= milliseconds(line, "to_head_ms"), "{line}");
        assert!(first <= milliseconds(line, "duration_ms"), "{line}");
        let key = line["key"].as_str().expect("a key");
        assert!(key.len() == 8 && digits.starts_with(key), "{line}");
        assert_eq!(
            (&line["client"], &line["level"]),
            (&json!("127.0.0.1"), &json!("INFO"))
        );
    }
    let strategys = chat_with("re2-sim-small", json!({"stream": true}));
    client.chat(&strategys).await.assert_ok();
    let lines = hone.logs_times(REQUEST, 3).await;
    milliseconds(&lines[2], "first_token_ms");
}

#[tokio::test]
async fn a_refusal_tells_its_model_and_failures_are_louder_than_the_rest() {
    let upstream = upstream().await;
    let setup = hone()
        .upstream_with(&upstream, |upstream| upstream.fallback_for("anyone"))
        .tenant("alice", |tenant| {
            tenant.key("hone-a").models(&["sim-small"])
        });
    let hone = Process::serve(&setup).await;
    let alice = hone.client("hone-a");
    alice.ask("gpt-9").await.assert_status(403);
    alice.get("/livez").await.assert_ok();
    upstream.set(fails(401));
    alice
        .ask("sim-small")
        .await
        .assert_refused(502, "fallback_key_rejected");
    let lines = hone.logs_times(REQUEST, 2).await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| json!([line["level"], line["status"], line["model"]]))
        .collect();
    let expected = [
        json!(["INFO", 403, "gpt-9"]),
        json!(["ERROR", 502, "sim-small"]),
    ];
    assert_eq!(told, expected, "and no line of the probe");
}

#[tokio::test]
async fn a_peer_that_forwards_in_vain_is_warned_of_once() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream).limit("requests_per_minute", 3);
    let process = Process::serve(&setup).await;
    let client = process.client("k").header("x-forwarded-for", "203.0.113.9");
    for _ in 0..3 {
        client.ask("sim-small").await.assert_ok();
    }
    let warning = process.logs("trusted_proxies").await;
    assert_eq!(warning["level"], "WARN");
    client.ask("sim-small").await.assert_status(429);
    let whoami = client.get("/hone/whoami").await;
    assert_eq!(
        whoami.assert_ok().json()["address"],
        "127.0.0.1",
        "at the limit"
    );
    assert_eq!(process.lines("trusted_proxies").len(), 1);
    let trusting = hone()
        .upstream(&upstream)
        .config("trusted_proxies = ['127.0.0.1']");
    let trusting = trusting.start();
    let client = trusting
        .client("k")
        .header("x-forwarded-for", "203.0.113.9");
    let whoami = client.get("/hone/whoami").await;
    assert_eq!(whoami.json()["address"], "203.0.113.9");
}

#[tokio::test]
async fn whoami_has_a_limit_of_its_own() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    for _ in 0..120 {
        client.get("/hone/whoami").await.assert_ok();
    }
    let refused = client.get("/hone/whoami").await;
    refused.assert_refused(429, "rate_limit_exceeded");
    client.ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn the_metrics_name_tenants_that_the_operator_has_named_and_no_others() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .admin()
        .tenant("measured", |tenant| {
            let one = toml::Table::from_iter([("requests_per_minute".to_owned(), 1.into())]);
            tenant.provider_key("sk-alice").set("limits", one)
        })
        .start();
    hone.client("sk-alice").ask("sim-small").await.assert_ok();
    hone.client("sk-alice")
        .ask("sim-small")
        .await
        .assert_status(429);
    let stranger = hone.client("sk-stranger");
    stranger.ask("sim-small").await.assert_ok();
    let tenant = "{tenant=\"measured\"";
    for (series, expected) in [
        (format!("hone_tenant_requests_total{tenant}}}"), 2.0),
        (
            format!("hone_tenant_refusals_total{tenant},limit=\"requests\"}}"),
            1.0,
        ),
    ] {
        // A request is counted when its answer has ended on this side, too.
        in_time(async {
            while hone.metric(&series).await < expected {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let output = format!("hone_tenant_tokens_total{tenant},direction=\"output\"}}");
    assert!(hone.metric(&output).await > 0.0);
    // The metrics are the process's, in which other tests name tenants of their own.
    let asked = stranger.get("/hone/whoami").await.json();
    let tag = asked["tenant"].as_str().expect("a tag");
    assert!(!hone.metrics().await.contains(tag), "{tag}");
}
