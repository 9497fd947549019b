//! A client that leaves stops costing money: the upstream's connection is closed or its stream
//! reset, at once.

use std::num::NonZeroU32;
use std::time::Duration;

use hone::sim::{Fault, Injection, Knobs, Latency, SimHandle};
use hone::telemetry::Telemetry;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::support::{Client, chat_body, hone, table, upstream};

/// How soon the upstream must see that the client has left.
const PROMPTLY: Duration = Duration::from_millis(100);

/// Waits until the upstream has seen its call cancelled, and says how long that took.
async fn time_to_cancel(upstream: &SimHandle, since: Instant) -> Duration {
    timeout(
        Duration::from_secs(10),
        upstream.wait_until(|stats| stats.cancelled > 0 && stats.in_flight == 0),
    )
    .await
    .expect("the upstream call is cancelled");
    since.elapsed()
}

#[derive(Clone, Copy)]
struct Case {
    stream: bool,
    client_http2: bool,
    upstream_http2: bool,
    model: &'static str,
}

async fn a_client_leaves(case: Case) -> Duration {
    let upstream = upstream().await;
    let knobs = if case.stream {
        Knobs {
            tokens_per_second: NonZeroU32::new(20),
            ..Knobs::default()
        }
    } else {
        Knobs {
            latency: Latency::Constant { ms: 60_000 },
            ..Knobs::default()
        }
    };
    upstream.set(knobs);
    let hone = hone(&format!(
        "{}http2_prior_knowledge = {}\n",
        table(&upstream),
        case.upstream_http2
    ));
    let client = if case.client_http2 {
        Client::http2(hone.address())
    } else {
        Client::new(hone.address())
    }
    .key("k");
    let mut body = chat_body(case.model);
    body["stream"] = json!(case.stream);
    let since;
    if case.stream {
        let mut response = client.open_chat(&body).await;
        response
            .body_mut()
            .frame()
            .await
            .expect("a first frame")
            .expect("a first frame");
        since = Instant::now();
        drop(response);
        drop(client);
    } else {
        let call = client.open_chat(&body);
        let waiting = upstream.wait_until(|stats| stats.in_flight > 0);
        tokio::select! {
            _ = call => panic!("answered too early"),
            _ = waiting => {}
        }
        since = Instant::now();
        drop(client);
    }
    time_to_cancel(&upstream, since).await
}

/// The median of three tries, so that one hiccup of a busy machine decides nothing.
async fn median(case: Case) -> Duration {
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push(a_client_leaves(case).await);
    }
    times.sort();
    times[1]
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream_call_on_every_kind_of_connection() {
    for stream in [false, true] {
        for client_http2 in [false, true] {
            for upstream_http2 in [false, true] {
                for model in ["sim-small", "bon-sim-small", "moa-sim-small"] {
                    if stream && model == "bon-sim-small" {
                        continue; // it streams nothing until it has chosen
                    }
                    let took = median(Case {
                        stream,
                        client_http2,
                        upstream_http2,
                        model,
                    })
                    .await;
                    assert!(
                        took <= PROMPTLY,
                        "{model}, stream: {stream}, client h2: {client_http2}, upstream h2: \
                            {upstream_http2}: {took:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn the_calls_of_a_run_whose_client_left_are_counted() {
    for stream in [false, true] {
        let upstream = upstream().await;
        upstream.set(Knobs {
            faults: vec![Injection {
                limit: Some(1),
                ..Fault::HangBeforeHead.into()
            }],
            ..Knobs::default()
        });
        let hone = hone(&table(&upstream));
        let model = format!("sim-left-{stream}");
        let mut body = chat_body(&format!("majority_voting-{model}"));
        body["messages"][0]["content"] = json!("a story, not a question");
        body["stream"] = json!(stream);
        let client = Client::new(hone.address()).key("k");
        let call = async {
            client.chat(&body).await;
        };
        tokio::select! {
            () = call => panic!("one of its calls hangs"),
            _ = upstream.wait_until(|stats| stats.completed >= 3) => {}
        }
        drop(client);
        time_to_cancel(&upstream, Instant::now()).await;
        hone.shutdown().await;
        let metrics = Telemetry::install().render();
        let count = |error: &str| {
            let name = format!("gen_ai_request_model=\"{model}\",error_type=\"{error}\"}}");
            let is_count = |line: &&str| {
                line.starts_with("gen_ai_client_operation_duration_seconds_count")
                    && line.contains(&name)
            };
            metrics
                .lines()
                .find(is_count)
                .and_then(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok())
                .unwrap_or(0)
        };
        assert!(count("") >= 3, "answered calls of {model} in\n{metrics}");
        assert!(
            count("cancelled") >= 1,
            "cancelled calls of {model} in\n{metrics}"
        );
    }
}
