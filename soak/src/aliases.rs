//! Known endpoints by other names and methods: each is refused, or metered like the endpoint.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::client::{Ask, Client, Ending, Exchange};
use crate::stage::METERED;
use crate::traffic::{Tally, reported};
use crate::verdict::stated;

/// Who tries them.
pub(crate) const REFUSED: &str = "alias-refused";

const PATIENCE: Duration = Duration::from_secs(30);
/// Tokens of an answer to a name that is metered: few of them make a minute's limit.
const ANSWER: u32 = 500;
/// So many requests by that name would pass a limit that is not kept.
const ENOUGH: u64 = 8;
/// Spellings that some server takes for an endpoint that hone meters.
const SPELLINGS: [&str; 12] = [
    "/v1/Chat/Completions",
    "/v1/%63hat/completions",
    "/v1/chat%2Fcompletions",
    "/v1/chat/completions;x",
    "/v1/chat;x=1/completions",
    "/v1/chat/completions%20",
    "/v1/chat/completions.",
    "/v1//chat/completions",
    "/v1/./chat/completions",
    "/v1/x/../chat/completions",
    "/v1/RESPONSES",
    "/v1/Embeddings",
];
/// Methods that the endpoint does not have, and some that nothing has.
const METHODS: [&str; 8] = [
    "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "post", "Post", "PROPFIND",
];

/// All rows, again and again, at least once.
pub(crate) async fn refused(address: SocketAddr, until: Instant) -> Tally {
    let (mut client, mut tally) = (Client::new(address), Tally::default());
    loop {
        let spelled = SPELLINGS.map(|path| ("POST", path, "400 invalid_path"));
        let method = |method| (method, "/v1/chat/completions", "405 method_not_allowed");
        for (method, path, outcome) in spelled.into_iter().chain(METHODS.map(method)) {
            let Ok(known) = Method::from_bytes(method.as_bytes()) else {
                continue;
            };
            let exchange = client.send(&ask(known, path, REFUSED), PATIENCE).await;
            tally.enter(
                as_stated(&exchange, outcome)
                    .map_err(|seen| format!("{method} {path}: {seen} where {outcome} is stated")),
            );
        }
        if Instant::now() >= until {
            return tally;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// A name that hone does not know and the provider serves: it counts for limits on tokens. The
/// tally's tokens are those that were served.
pub(crate) async fn metered(address: SocketAddr, until: Instant) -> Tally {
    let (mut client, mut tally) = (Client::new(address), Tally::default());
    loop {
        let path = "/v1/engines/sim-small/completions";
        let exchange = client
            .send(&ask(Method::POST, path, METERED), PATIENCE)
            .await;
        tally.tokens += reported(&exchange);
        let judged = match exchange.status {
            200 if exchange.ending == Ending::Whole => Ok("200".to_owned()),
            _ => as_stated(&exchange, "429 rate_limit_exceeded"),
        };
        tally.enter(judged.map_err(|seen| format!("{path}: {seen}")));
        if Instant::now() >= until && tally.requests >= ENOUGH {
            return tally;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

fn ask(method: Method, path: &'static str, key: &str) -> Ask {
    let sim = json!({"content": null, "answer_tokens": ANSWER});
    let body = json!({"model": "sim-small", "max_tokens": ANSWER, "sim": sim,
        "prompt": "How many stones?", "input": "How many stones?",
        "messages": [{"role": "user", "content": "How many stones?"}]});
    Ask {
        method,
        path,
        key: key.to_owned(),
        body: body.to_string(),
    }
}

fn as_stated(exchange: &Exchange, outcome: &str) -> Result<String, String> {
    let seen = match exchange.ending {
        Ending::Whole if exchange.status == 200 => "200".to_owned(),
        Ending::Whole => stated(exchange)?,
        _ => format!("{:?} with status {}", exchange.ending, exchange.status),
    };
    if seen == outcome { Ok(seen) } else { Err(seen) }
}
