//! The provider as its clients see it.

use std::time::Duration;

use hone_strategies::contract;
use hone_strategies::simulation::TaskModel;
use hone_strategies::verdict::parse_score;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use client::{Client, question};

mod chat;
mod client;
mod endpoints;
mod faults;
mod gemini;
mod messages;
mod profiles;
mod responses;

async fn start(knobs: Knobs) -> (SimHandle, Client) {
    let sim = Sim::start(SimConfig {
        record: true,
        knobs,
        ..SimConfig::default()
    })
    .await
    .unwrap();
    let client = Client::http1(&sim);
    (sim, client)
}

fn with(fault: Fault) -> Knobs {
    Knobs {
        faults: vec![fault.into()],
        ..Knobs::default()
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served() {
    let (sim, _) = start(Knobs::default()).await;
    let client = Client::http2(&sim);
    let asked = question();
    let (first, second) = tokio::join!(client.chat(&asked), client.chat(&asked));
    assert_eq!(
        (first.status, second.status),
        (StatusCode::OK, StatusCode::OK)
    );
    assert_eq!(sim.stats().connections, 1);
}

#[tokio::test]
async fn equal_requests_get_different_answers_and_equal_seeds_equal_runs() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (_sim, client) = start(Knobs::default()).await;
        let (first, second) = (
            client.chat(&question()).await.body,
            client.chat(&question()).await.body,
        );
        assert_ne!(first, second);
        runs.push((first, second));
    }
    assert_eq!(runs.first(), runs.last());
}

#[tokio::test]
async fn a_task_is_answered_right_as_often_as_it_says() {
    let task = TaskModel {
        accuracy: 0.7,
        ..TaskModel::default()
    };
    let (_sim, client) = start(Knobs {
        task: Some(task.clone()),
        ..Knobs::default()
    })
    .await;
    let mut right = 0;
    for id in 0..400 {
        let question = task.question(id);
        let asked = json!({"model": "sim-small", "messages": [{"role": "user",
            "content": [{"type": "text", "text": question.text}]}]});
        let body = client.chat(&asked).await.json();
        right += u32::from(
            question.is_answered_by(body["choices"][0]["message"]["content"].as_str().unwrap()),
        );
    }
    assert!((240..=320).contains(&right), "{right} of 400");
}

#[tokio::test]
async fn a_judge_is_recognised_by_the_contract_line_alone() {
    let task = TaskModel::default();
    let (_sim, client) = start(Knobs {
        task: Some(task.clone()),
        ..Knobs::default()
    })
    .await;
    for (candidate, scores) in [(task.question(1).answer, 8.0..=10.0), (0, 0.0..=3.0)] {
        let shown = contract::fence(
            &contract::candidate_label(1),
            &format!("The answer is {candidate}."),
            "c0ffee",
        );
        let asked = json!({"model": "sim-small", "messages": [
            {"role": "user", "content": format!("{}\n\n{shown}\n\n{}", task.question(1).text,
                contract::SCORE)},
        ]});
        let body = client.chat(&asked).await.json();
        let score = parse_score(
            body["choices"][0]["message"]["content"].as_str().unwrap(),
            0.0..=10.0,
        )
        .unwrap();
        assert!(scores.contains(&score), "{candidate}: {score}");
    }
}

#[tokio::test]
async fn only_accepted_keys_are_served_and_only_digests_are_kept() {
    let (sim, client) = start(Knobs {
        keys: Some(vec![KeyDigest::of(b"right")]),
        ..Knobs::default()
    })
    .await;
    assert_eq!(
        client.clone().key("right").chat(&question()).await.status,
        StatusCode::OK
    );
    let wrong = client.clone().key("wrong").chat(&question()).await;
    assert_eq!(
        (wrong.status, wrong.json()["error"]["code"].clone()),
        (StatusCode::UNAUTHORIZED, json!("invalid_api_key"))
    );
    let missing = client.chat(&question()).await;
    assert_eq!(
        (missing.status, missing.json()["error"]["code"].clone()),
        (StatusCode::UNAUTHORIZED, Value::Null)
    );
    let stats = sim.stats();
    assert_eq!(
        (
            stats.calls_with(b"right"),
            stats.calls_with(b"wrong"),
            stats.calls_with(b"other")
        ),
        (1, 1, 0)
    );
    let seen = format!("{:?} {stats:?}", sim.requests());
    assert!(seen.contains(&KeyDigest::of(b"right").to_string()));
    assert!(!seen.contains("right"), "{seen}");
}

#[tokio::test]
async fn a_key_in_another_slot_is_no_key() {
    let (_sim, client) = start(Knobs {
        auth: Some(Slot::XApiKey),
        ..Knobs::default()
    })
    .await;
    assert_eq!(
        client.clone().key("any").chat(&question()).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        client
            .header("x-api-key", "any")
            .chat(&question())
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn requests_are_recorded_byte_for_byte() {
    let (sim, client) = start(Knobs::default()).await;
    let body = concat!(
        r#"{ "model":"sim-small","messages" : [{"role":"user","content":"\u0041"}], "#,
        r#""messages2": 1e400 }"#
    );
    let _answer = client
        .header("x-test", "here")
        .post("/v1/chat/completions?a=%20b", body.as_bytes().to_vec())
        .await;
    let requests = sim.requests();
    let [request] = requests.as_slice() else {
        panic!("one request was sent: {requests:?}")
    };
    assert_eq!(request.body, body);
    assert_eq!(request.target, "/v1/chat/completions?a=%20b");
    assert_eq!(request.headers["x-test"], "here");
}

#[tokio::test(start_paused = true)]
async fn latency_and_pace_take_the_time_they_say() {
    let knobs = Knobs {
        latency: Latency::Constant { ms: 300 },
        tokens_per_second: std::num::NonZeroU32::new(10),
        answer_tokens: 20,
        ..Knobs::default()
    };
    let (_sim, client) = start(knobs).await;
    for stream in [false, true] {
        let mut asked = question();
        asked["stream"] = json!(stream);
        let before = Instant::now();
        let _answer = client.chat(&asked).await;
        let took = before.elapsed();
        assert!(
            (Duration::from_millis(2300)..Duration::from_millis(2400)).contains(&took),
            "{took:?} (stream: {stream})"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_head_is_counted_with_what_was_generated() {
    let (sim, client) = start(Knobs {
        tokens_per_second: std::num::NonZeroU32::new(10),
        answer_tokens: 100,
        ..Knobs::default()
    })
    .await;
    let asked = tokio::time::timeout(Duration::from_millis(2050), client.chat(&question())).await;
    assert!(asked.is_err(), "the answer takes 10 s");
    let stats = sim.wait_until(|stats| stats.cancelled == 1).await;
    assert_eq!(
        (stats.in_flight, stats.completed, stats.tokens_served),
        (0, 0, 0)
    );
    assert!((19..=21).contains(&stats.tokens_generated), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_mid_stream_is_counted() {
    for http2 in [false, true] {
        let (sim, client) = start(Knobs {
            tokens_per_second: std::num::NonZeroU32::new(10),
            answer_tokens: 100,
            ..Knobs::default()
        })
        .await;
        let client = if http2 { Client::http2(&sim) } else { client };
        let mut asked = question();
        asked["stream"] = json!(true);
        let answer = client
            .open("/v1/chat/completions", asked.to_string().into_bytes())
            .await;
        sim.wait_until(|stats| stats.tokens_served >= 5).await;
        drop(answer);
        let stats = sim.wait_until(|stats| stats.cancelled == 1).await;
        assert!(stats.tokens_served < 20, "{stats:?} (http2: {http2})");
        assert_eq!((stats.in_flight, stats.completed), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn concurrency_has_a_high_water_mark() {
    let (sim, client) = start(Knobs {
        latency: Latency::Constant { ms: 100 },
        ..Knobs::default()
    })
    .await;
    let one = question();
    let _answers = tokio::join!(client.chat(&one), client.chat(&one), client.chat(&one));
    let _answer = client.chat(&one).await;
    assert_eq!(
        (
            sim.stats().peak_in_flight,
            sim.stats().in_flight,
            sim.stats().completed
        ),
        (3, 0, 4)
    );
}

#[tokio::test]
async fn one_request_can_turn_knobs_for_itself() {
    let (_sim, client) = start(Knobs::default()).await;
    let mut asked = question();
    asked["sim"] = json!({"content": "only here", "usage": false});
    let body = client.chat(&asked).await.json();
    assert_eq!(
        (
            body["choices"][0]["message"]["content"].clone(),
            body["usage"].clone()
        ),
        (json!("only here"), Value::Null)
    );
    asked["sim"] = json!({"contents": "typo"});
    assert_eq!(client.chat(&asked).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn knobs_are_turned_and_shown_over_http() {
    let (sim, client) = start(Knobs::default()).await;
    let turned = client
        .post("/sim/knobs", br#"{"content": "set"}"#.to_vec())
        .await;
    assert_eq!(turned.json()["content"], "set");
    assert_eq!(
        client.chat(&question()).await.json()["choices"][0]["message"]["content"],
        "set"
    );
    assert_eq!(
        client
            .post("/sim/knobs", br#"{"contents": 1}"#.to_vec())
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        client.get("/sim/stats").await.json()["calls"],
        json!({"chat/completions": 1})
    );
    assert_eq!(sim.stats().total_calls(), 1);
}

#[tokio::test]
async fn models_are_listed_and_unknown_paths_are_not_found() {
    let (sim, client) = start(Knobs::default()).await;
    assert_eq!(
        client.get("/v1/models").await.json()["data"][0]["id"],
        "sim-small"
    );
    assert_eq!(
        client.get("/v1/models/sim-large").await.json()["id"],
        "sim-large"
    );
    assert_eq!(
        client.get("/v1/models/gpt-4").await.json()["error"]["code"],
        "model_not_found"
    );
    let unknown = client.get("/v1/nothing").await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["type"].clone()),
        (StatusCode::NOT_FOUND, json!("invalid_request_error"))
    );
    assert_eq!(sim.stats().calls_to("unknown"), 1);
}

#[tokio::test]
async fn everything_ends_with_the_handle() {
    let (sim, client) = start(with(Fault::HangBeforeHead)).await;
    let address = sim.addr();
    let asked = client.try_open("/v1/chat/completions", question().to_string().into_bytes());
    let stopped = async {
        sim.wait_until(|stats| stats.in_flight == 1).await;
        sim.shutdown().await;
    };
    let (answer, ()) = tokio::join!(asked, stopped);
    assert!(answer.is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
