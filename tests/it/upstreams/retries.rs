//! What is sent to an upstream a second time: where the operator allows it, and where hone's own
//! addition was refused.

use std::time::Duration;

use hone::sim::{Fault, Injection, Knobs, SimHandle};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Answer, Client, chat_body, hone, table, upstream};

fn fails(times: Option<u64>, status: u16, retry_after: Option<&str>) -> Knobs {
    let fault = Fault::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
        code: None,
    };
    Knobs {
        faults: vec![Injection {
            limit: times,
            ..fault.into()
        }],
        ..Knobs::default()
    }
}

async fn asked(upstream: &SimHandle, settings: &str, client: impl Fn(Client) -> Client) -> Answer {
    let hone = hone(&format!("{}{settings}", table(upstream)));
    client(Client::new(hone.address()).key("k"))
        .chat(&chat_body("sim-small"))
        .await
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen_where_retries_are_allowed() {
    let upstream = upstream().await;
    for (times, retries, status, calls) in [(2, 2, 200, 3), (2, 1, 500, 2), (1, 0, 500, 1)] {
        upstream.set(fails(Some(times), 500, None));
        let before = upstream.stats().total_calls();
        let answer = asked(&upstream, &format!("retries = {retries}\n"), |client| {
            client
        })
        .await;
        assert_eq!(
            (
                answer.status.as_u16(),
                upstream.stats().total_calls() - before
            ),
            (status, calls),
            "{times} failures, {retries} retries"
        );
    }
}

#[tokio::test]
async fn every_try_is_a_call_that_the_tenant_pays_for() {
    let upstream = upstream().await;
    upstream.set(fails(None, 500, Some("0")));
    let limited = "retries = 9\n[limits]\nupstream_calls_per_minute = 2\n";
    let answer = asked(&upstream, limited, |client| client).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-hone-error")),
        (500, ""),
        "the upstream's own failure, not a refusal"
    );
    assert_eq!(upstream.stats().total_calls(), 2);
}

#[tokio::test]
async fn an_upstream_is_given_the_time_that_it_asks_for_if_that_is_short() {
    let upstream = upstream().await;
    upstream.set(fails(Some(1), 503, Some("0.6")));
    let began = Instant::now();
    assert_eq!(
        asked(&upstream, "retries = 1\n", |client| client)
            .await
            .status,
        200
    );
    assert!(
        began.elapsed() >= Duration::from_millis(600),
        "more than the backoff of a quarter of a second"
    );
    for (after, settings) in [("60", "retries = 1\n"), ("soon", "retries = 0\n")] {
        upstream.set(fails(Some(1), 503, Some(after)));
        let answer = asked(&upstream, settings, |client| client).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("retry-after")),
            (503, after)
        );
    }
}

#[tokio::test]
async fn nobody_waits_for_a_try_that_would_come_after_its_deadline() {
    let upstream = upstream().await;
    upstream.set(fails(None, 503, Some("8")));
    let answer = asked(&upstream, "retries = 3\n", |client| {
        client.header("x-hone-deadline-ms", "5000")
    })
    .await;
    assert_eq!(
        (answer.status.as_u16(), upstream.stats().total_calls()),
        (503, 1),
        "the failure that there is, at once"
    );
}

fn stream() -> Value {
    let mut body = chat_body("sim-small");
    body["stream"] = json!(true);
    body
}

#[tokio::test]
async fn a_refused_question_for_the_usage_is_withdrawn_and_not_asked_again() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        rejects: vec!["stream_options".to_owned()],
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 100000\n",
        table(&upstream)
    ));
    for tenant in ["a", "b"] {
        let client = Client::new(hone.address()).key(tenant);
        let before = upstream.requests().len();
        for _ in 0..2 {
            let answer = client.chat(&stream()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.text().ends_with("data: [DONE]\n\n"));
        }
        let asked: Vec<bool> = upstream.requests()[before..]
            .iter()
            .map(|seen| String::from_utf8_lossy(&seen.body).contains("include_usage"))
            .collect();
        assert_eq!(
            asked,
            [true, false, false],
            "tenant {tenant} learns for itself, once"
        );
    }
    let mut own = stream();
    own["stream_options"] = json!({"include_usage": true});
    assert_eq!(
        Client::new(hone.address()).key("a").chat(&own).await.status,
        400,
        "the client's own question is the client's"
    );
}

#[tokio::test]
async fn a_refusal_of_something_else_arrives_unchanged() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 100000\n",
        table(&upstream)
    ));
    for status in [400, 422, 500] {
        upstream.set(fails(None, status, None));
        let direct = Client::new(upstream.addr()).chat(&stream()).await;
        let before = upstream.stats().total_calls();
        let through = Client::new(hone.address()).key("k").chat(&stream()).await;
        assert_eq!(
            (through.status, &through.body),
            (direct.status, &direct.body)
        );
        assert_eq!(
            through.header("content-length"),
            direct.header("content-length")
        );
        assert_eq!(upstream.stats().total_calls() - before, 1);
    }
}

#[tokio::test]
async fn a_limit_on_calls_holds_for_the_question_too() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        rejects: vec!["stream_options".to_owned()],
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 100000\nupstream_calls_per_minute = 1\n",
        table(&upstream)
    ));
    let answer = Client::new(hone.address()).key("k").chat(&stream()).await;
    assert_eq!(
        (answer.status.as_u16(), upstream.stats().total_calls()),
        (429, 1)
    );
    assert_eq!(
        answer.header("x-ratelimit-remaining-tokens"),
        "100000",
        "what the upstream refused cost no tokens"
    );
}

#[tokio::test]
async fn a_limit_on_tokens_with_room_for_one_answer_has_room_for_a_withdrawn_question() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        rejects: vec!["stream_options".to_owned()],
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 800\n",
        table(&upstream)
    ));
    let answer = Client::new(hone.address()).key("k").chat(&stream()).await;
    assert_eq!(
        (answer.status.as_u16(), upstream.stats().total_calls()),
        (200, 2),
        "{}",
        answer.text()
    );
}
