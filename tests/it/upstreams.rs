//! What becomes of what upstreams answer.

mod broken; // malformed, cut and lying ones
mod forms; // answers in all the forms that servers give them
mod heads; // answers with many header fields
mod loops; // a hone that is its own upstream
mod model_list; // one list of models over several
mod profiles; // every approach behind every provider that can be simulated
mod retries; // what is sent to one a second time
mod servers; // refusals, lists, counts and dates as real servers write them
mod silent; // those that do not answer, or stop in the middle
mod streams; // streams of HTTP/2: refused, left, reset
mod trailers; // fields behind a body, which nobody gets
mod uploads; // forms, by the model in them

use serde_json::json;

use crate::support::raw::{RawUpstream, Then};
use crate::support::{Answer, chat_with, hone};

/// What a client of hone gets from an upstream that answers with these bytes; of an answer that is
/// cut, its status and what the client notices. The process serves the next request.
async fn through(
    answer: impl Into<Vec<u8>>,
    then: Then,
    model: &str,
    stream: bool,
) -> Result<Answer, String> {
    let upstream = RawUpstream::start(answer, then).await;
    let hone = hone()
        .upstream(&upstream)
        .bound("upstream_head", "300ms")
        .bound("stream_idle", "300ms")
        .bound("sse_event_bytes", 1024)
        .bound("answer_bytes", 4096)
        .start();
    let body = chat_with(model, json!({"stream": stream}));
    let answer = hone.client("k").try_chat(&body).await;
    hone.keyless().get("/livez").await.assert_ok();
    answer
}

/// The same for a whole answer.
async fn whole(answer: impl Into<Vec<u8>>, then: Then, model: &str) -> Answer {
    let answer = through(answer, then, model, false).await;
    answer.expect("a whole answer")
}
