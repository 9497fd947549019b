//! Answers with many header fields: they pass, and what is too large is called by its name.

use super::whole;
use crate::support::head::{Head, answer};
use crate::support::multiplexed::{FIELDS, Multiplexed};
use crate::support::raw::Then;
use crate::support::{Client, hone};

const COMPLETION: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},
    "finish_reason":"stop"}]}"#;

fn with_fields(count: usize, value: &str) -> Head {
    let head = answer("200 OK").json().close();
    (0..count).fold(head, |head, number| {
        head.header(&format!("x-field-{number}"), value)
    })
}

#[tokio::test]
async fn an_answer_of_256_fields_passes_in_a_relay_and_in_a_strategy() {
    for count in [101, 256, 500] {
        let given = || with_fields(count, "v").body(COMPLETION);
        let relayed = whole(given(), Then::Close, "m").await;
        let fields = relayed.assert_ok().headers.keys();
        let fields = fields.filter(|name| name.as_str().starts_with("x-field-"));
        assert_eq!(fields.count(), count);
        whole(given(), Then::Close, "re2-m")
            .await
            .assert_ok()
            .assert_says("hi");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_as_that() {
    for head in [with_fields(513, "v"), with_fields(100, &"v".repeat(40_000))] {
        let given = head.body(COMPLETION);
        for model in ["m", "re2-m"] {
            let refused = whole(given.clone(), Then::Close, model).await;
            refused.assert_refused(502, "upstream_unavailable");
            if model == "m" {
                refused.assert_says("512 header fields");
            }
        }
    }
}

#[tokio::test]
async fn over_http2_it_is_the_same() {
    let upstream = Multiplexed::start(None, 100).await;
    let hone = hone()
        .upstream_with(&upstream, |sim| upstream.spoken(sim))
        .start();
    let client: Client = hone.client("k");
    for prefix in ["", "re2-"] {
        let passed = client.ask(&format!("{prefix}{FIELDS}256")).await;
        passed.assert_ok().assert_says("hi");
        let refused = client.ask(&format!("{prefix}{FIELDS}1000")).await;
        refused.assert_refused(502, "upstream_unavailable");
        if prefix.is_empty() {
            refused.assert_says("the head of its answer");
        }
    }
    client.ask(&format!("{FIELDS}256")).await.assert_ok();
}
