//! A client that leaves stops costing money: the upstream's connection is closed or its stream
//! reset, at once.

mod behind; // whatever a client has sent behind its request
mod streamed; // calls that hone asks for as streams

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::support::parts::{Fault, SimHandle, Telemetry};
use crate::support::sim::{busy, faulty, paced, stuck};
use crate::support::{Client, chat_with, hone, upstream};

/// How soon after its client a call of an upstream ends.
const PROMPTLY: Duration = Duration::from_millis(100);

/// Waits until the upstream has seen its call cancelled, and says how long that took.
async fn time_to_cancel(upstream: &SimHandle, since: Instant) -> Duration {
    let cancelled = upstream.wait_until(|stats| stats.cancelled > 0 && stats.in_flight == 0);
    timeout(Duration::from_secs(10), cancelled)
        .await
        .expect("the upstream call is cancelled");
    since.elapsed()
}

#[derive(Debug, Clone, Copy)]
struct Case {
    stream: bool,
    client_http2: bool,
    upstream_http2: bool,
    model: &'static str,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let models = ["sim-small", "bon-sim-small", "moa-sim-small"];
        let cases = (0..8).flat_map(move |bits| {
            models.map(|model| Self {
                stream: bits & 1 != 0,
                client_http2: bits & 2 != 0,
                upstream_http2: bits & 4 != 0,
                model,
            })
        });
        // That one streams nothing until it has chosen.
        cases.filter(|case| !(case.stream && case.model == "bon-sim-small"))
    }
}

/// Leaves after the first frame of an answer, and says when.
async fn leave_a_stream(client: Client, model: &str) -> Instant {
    let body = chat_with(model, json!({"stream": true}));
    let mut response = client.open_chat(&body).await;
    let first = response.body_mut().frame().await;
    first.expect("a frame").expect("a first frame");
    Instant::now()
}

/// Leaves while the upstream works on an answer, and says when.
async fn leave_a_call(client: Client, upstream: &SimHandle, model: &str) -> Instant {
    tokio::select! {
        _ = client.ask(model) => panic!("answered too early"),
        () = busy(upstream) => {}
    }
    Instant::now()
}

async fn a_client_leaves(case: Case) -> Duration {
    let upstream = upstream().await;
    upstream.set(if case.stream { paced(20) } else { stuck() });
    let hone = hone()
        .upstream_with(&upstream, |upstream| {
            upstream.set("http2_prior_knowledge", case.upstream_http2)
        })
        .start();
    let client = if case.client_http2 {
        hone.http2()
    } else {
        hone.keyless()
    };
    let client = client.key("k");
    let since = if case.stream {
        leave_a_stream(client, case.model).await
    } else {
        leave_a_call(client, &upstream, case.model).await
    };
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
    for case in Case::all() {
        let took = median(case).await;
        assert!(took <= PROMPTLY, "{case:?}: {took:?}");
    }
}

/// How many calls of `model` ended with `error`, or with none.
fn counted(metrics: &str, model: &str, error: &str) -> u32 {
    let labels = format!(r#"gen_ai_request_model="{model}",error_type="{error}"}}"#);
    let line = metrics.lines().find(|line| {
        line.starts_with("gen_ai_client_operation_duration_seconds_count") && line.contains(&labels)
    });
    line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
        .unwrap_or(0)
}

#[tokio::test]
async fn the_calls_of_a_run_whose_client_left_are_counted() {
    for stream in [false, true] {
        let upstream = upstream().await;
        upstream.set(faulty(Some(1), Fault::HangBeforeHead));
        let hone = hone().upstream(&upstream).start();
        let model = format!("sim-left-{stream}");
        let story = [json!({"role": "user", "content": "a story, not a question"})];
        let fields = json!({"messages": story, "stream": stream});
        let body = chat_with(&format!("majority_voting-{model}"), fields);
        let client = hone.client("k");
        tokio::select! {
            _ = client.chat(&body) => panic!("one of its calls hangs"),
            _ = upstream.wait_until(|stats| stats.completed >= 3) => {}
        }
        drop(client);
        time_to_cancel(&upstream, Instant::now()).await;
        hone.shutdown().await;
        let metrics = Telemetry::install().render();
        let answered = counted(&metrics, &model, "");
        assert!(answered >= 3, "answered calls of {model} in\n{metrics}");
        let cancelled = counted(&metrics, &model, "cancelled");
        assert!(cancelled >= 1, "cancelled calls of {model} in\n{metrics}");
    }
}
