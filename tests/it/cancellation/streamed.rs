//! Calls of an approach that hone asks for as streams end with their client: llama.cpp sees a
//! client leave only while it streams.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{PROMPTLY, time_to_cancel};
use crate::support::parts::{Knobs, Profile, SimHandle};
use crate::support::setup::Upstream;
use crate::support::sim::{bodies, paced};
use crate::support::{Client, Hone, hone, in_time, upstream};

/// How hone knows that it is to ask for streams.
#[derive(Debug, Clone, Copy)]
enum Known {
    Configured,
    /// From what the provider has answered the same caller.
    Learnt,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    known: Known,
    upstream_http2: bool,
    /// Whether the client has asked for a stream itself.
    stream: bool,
    model: &'static str,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let models = ["bon-sim-small", "moa-sim-small", "usc-sim-small"];
        (0..8).flat_map(move |bits| {
            models.map(|model| Self {
                known: [Known::Configured, Known::Learnt][bits & 1],
                upstream_http2: bits & 2 != 0,
                stream: bits & 4 != 0,
                model,
            })
        })
    }

    fn start(self, upstream: &SimHandle) -> Hone {
        let set = |upstream: Upstream| {
            let upstream = upstream.set("http2_prior_knowledge", self.upstream_http2);
            match self.known {
                Known::Configured => upstream.set("stream_calls", true),
                Known::Learnt => upstream,
            }
        };
        hone().upstream_with(upstream, set).start()
    }

    /// Leaves while the provider streams, and says how long its calls go on.
    async fn try_once(self) -> Duration {
        let upstream = upstream().await;
        let of = |knobs: Knobs| Knobs {
            profile: Some(Profile::LlamaCpp),
            ..knobs
        };
        upstream.set(of(Knobs::default()));
        let hone = self.start(&upstream);
        if matches!(self.known, Known::Learnt) {
            hone.client("k").ask(self.model).await.assert_ok();
        }
        upstream.set(of(paced(20)));
        let (calls, tokens) = (bodies(&upstream).len(), upstream.stats().tokens_served);
        let since = self.leave(hone.client("k"), &upstream, tokens).await;
        let took = time_to_cancel(&upstream, since).await;
        let asked = bodies(&upstream).split_off(calls);
        let streams = asked
            .iter()
            .filter(|body| body.contains(r#""stream":true"#));
        assert_eq!(streams.count(), asked.len(), "{self:?}: {asked:?}");
        took
    }

    /// Leaves once the provider has begun its answers: it has served more than `tokens`.
    async fn leave(self, client: Client, upstream: &SimHandle, tokens: u64) -> Instant {
        let fields = json!({"stream": self.stream, "max_tokens": 500});
        let streams = upstream.wait_until(|stats| stats.tokens_served > tokens);
        tokio::select! {
            _ = client.ask_with(self.model, fields) => panic!("{self:?}: answered too early"),
            _ = in_time(streams) => {}
        }
        Instant::now()
    }
}

#[tokio::test]
async fn a_client_that_leaves_stops_calls_that_are_asked_for_as_streams() {
    for case in Case::all() {
        // One hiccup of a busy machine decides nothing.
        let mut times = [Duration::ZERO; 3];
        for time in &mut times {
            *time = case.try_once().await;
        }
        times.sort();
        assert!(times[1] <= PROMPTLY, "{case:?}: {times:?}");
    }
}
