//! Every client dialect in front of every upstream dialect.

use super::speak::{ALL, Speaks};
use crate::support::parts::SimHandle;
use crate::support::{Hone, hone, upstream};

/// hone in front of a provider that speaks `dialect`.
async fn before(dialect: Speaks) -> (SimHandle, Hone) {
    let sim = upstream().await;
    let setup = hone().upstream_with(&sim, |upstream| dialect.upstream(&sim, upstream));
    (sim, setup.start())
}

#[tokio::test]
async fn a_client_of_each_dialect_gets_an_answer_from_an_upstream_of_each() {
    for upstream in ALL {
        let (sim, hone) = before(upstream).await;
        for client in ALL {
            let body = client.body("sim-small", "Say hello.", false).to_string();
            let path = client.path("sim-small", false);
            let answer = hone.client("k").post(&path, body).await;
            answer.assert_ok();
            assert!(
                !client.said(&answer).is_empty(),
                "{client:?} by {upstream:?}: {answer}"
            );
            let (input, output) = client.usage(&answer);
            assert!(
                input > 0 && output > 0,
                "{client:?} by {upstream:?}: {answer}"
            );
            let sent = sim.requests().pop().expect("a request");
            let place = upstream.place("sim-small", false);
            assert!(sent.target.starts_with(&place), "{}", sent.target);
        }
    }
}

#[tokio::test]
async fn a_client_of_each_dialect_gets_a_stream_from_an_upstream_of_each() {
    for upstream in ALL {
        let (_sim, hone) = before(upstream).await;
        for client in ALL {
            let body = client.body("sim-small", "Say hello.", true).to_string();
            let path = client.path("sim-small", true);
            let answer = hone.client("k").post(&path, body).await;
            answer.assert_ok();
            assert!(
                !client.streamed(&answer).is_empty() && client.is_whole(&answer),
                "{client:?} by {upstream:?}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn googles_client_gets_no_events_that_it_has_not_asked_for() {
    for upstream in ALL {
        let (_sim, hone) = before(upstream).await;
        let body = Speaks::Gemini
            .body("sim-small", "Say hello.", true)
            .to_string();
        let path = Speaks::Gemini.place("sim-small", true);
        let answer = hone.client("k").post(&path, body).await;
        let kind = answer.assert_ok().header("content-type");
        assert!(kind.starts_with("application/json"), "{upstream:?}: {kind}");
        let chunks = answer.json();
        let last = chunks.as_array().and_then(|chunks| chunks.last());
        let last = last.unwrap_or_else(|| panic!("{upstream:?}: {answer}"));
        assert_eq!(
            last["candidates"][0]["finishReason"], "STOP",
            "{upstream:?}: {answer}"
        );
    }
}

/// Each of them asks, for an answer and for a stream.
fn ways() -> impl Iterator<Item = (Speaks, bool)> {
    ALL.into_iter()
        .flat_map(|client| [(client, false), (client, true)])
}

#[tokio::test]
async fn an_approach_answers_clients_of_each_dialect_by_upstreams_of_each() {
    for upstream in ALL {
        let (sim, hone) = before(upstream).await;
        for (client, streams) in ways() {
            let before = sim.stats().total_calls();
            let body = client.body("sim-small", "Say hello.", streams).to_string();
            let path = client.path("sim-small", streams);
            let asked = hone.client("k").header("x-hone-approach", "bon");
            let answer = asked.post(&path, body).await;
            answer.assert_ok().assert_header("x-hone-approach", "bon");
            let said = client.told(&answer, streams);
            assert!(!said.is_empty(), "{client:?} by {upstream:?}: {answer}");
            assert!(sim.stats().total_calls() > before + 1);
        }
    }
}
