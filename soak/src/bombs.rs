//! JSON that takes whoever parses it a hundred times its length in memory: in bodies, and in
//! answers that an approach reads. What comes of each is an answer or a stated error.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Ask, Client, Ending, Exchange};
use crate::traffic::{Tally, gather};
use crate::verdict::stated;

/// Who sends them. Their parts of the memory are half of all, so that others keep the rest.
pub(crate) const BOMBERS: [&str; 4] = ["bomber-0", "bomber-1", "bomber-2", "bomber-3"];

const PATIENCE: Duration = Duration::from_secs(30);
/// Clients of each of them.
const CLIENTS: usize = 3;
/// Lengths in bytes; a body may have 256 KiB.
const BODIES: [usize; 3] = [8_000, 60_000, 250_000];
/// The same of answers, which may have 8 MiB.
const ANSWERS: [usize; 3] = [60_000, 500_000, 2_000_000];
const SHAPES: [&str; 4] = ["deep", "wide", "names", "numbers"];

/// All of them, again and again, each at least once.
pub(crate) async fn throw(address: SocketAddr, until: Instant) -> Tally {
    let mut clients = JoinSet::new();
    for key in BOMBERS {
        for _ in 0..CLIENTS {
            clients.spawn(client(address, key, clients.len(), until));
        }
    }
    gather(clients).await
}

async fn client(address: SocketAddr, key: &'static str, number: usize, until: Instant) -> Tally {
    let (mut client, mut tally) = (Client::new(address), Tally::default());
    let all = all();
    // Each client begins elsewhere, so that all of them are thrown in a short run, too.
    let part = all.len().div_ceil(CLIENTS * BOMBERS.len());
    for (thrown, (name, body)) in all.iter().cycle().skip(number * part).enumerate() {
        if thrown >= part && Instant::now() >= until {
            break;
        }
        let ask = Ask {
            method: Method::POST,
            path: "/v1/chat/completions",
            key: key.to_owned(),
            body: body.clone(),
        };
        let exchange = client.send(&ask, PATIENCE).await;
        tally.enter(judge(&exchange).map_err(|mistake| format!("{name}: {mistake}")));
        sleep(Duration::from_millis(10)).await;
    }
    tally
}

/// Names of bombs, and the bodies.
fn all() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for model in ["sim-small", "re2-sim-small"] {
        for shape in SHAPES {
            for bytes in BODIES {
                for place in ["field", "content", "message"] {
                    let name = format!("{bytes} bytes, {shape} in a {place} for {model}");
                    all.push((name, body(model, place, &bomb(shape, bytes))));
                }
            }
        }
    }
    for approach in ["re2", "bon"] {
        for shape in ["deep", "wide", "names"] {
            for (bytes, stream) in ANSWERS
                .map(|bytes| [(bytes, false), (bytes, true)])
                .concat()
            {
                let name = format!("{bytes} bytes, {shape} in an answer to {approach}");
                let fault = json!({"json_bomb": {"shape": shape, "bytes": bytes}});
                let body = json!({"model": format!("{approach}-sim-small"), "stream": stream,
                    "max_tokens": 16, "best_of_n": 2, "sim": {"faults": [{"fault": fault}]},
                    "messages": [{"role": "user", "content": "Seven?"}]});
                all.push((name, body.to_string()));
            }
        }
    }
    all
}

/// A body with a bomb. Its answer takes a while, so that several are under way at once.
fn body(model: &str, place: &str, bomb: &str) -> String {
    let (field, content, message) = match place {
        "field" => (bomb, "\"Seven?\"", "0"),
        "content" => ("0", bomb, "0"),
        _ => ("0", "\"Seven?\"", bomb),
    };
    let latency = r#"{"latency":{"constant":{"ms":200}}}"#;
    format!(
        "{{\"model\":\"{model}\",\"max_tokens\":16,\"sim\":{latency},\"extra\":{field},\
        \"messages\":[{{\"role\":\"user\",\"content\":{content},\"extra\":{message}}}]}}"
    )
}

/// About so many bytes of JSON.
fn bomb(shape: &str, bytes: usize) -> String {
    match shape {
        "deep" => format!("{}{}", "[".repeat(bytes / 2), "]".repeat(bytes / 2)),
        "wide" => format!("[{}0]", "[0],".repeat(bytes / 4)),
        "numbers" => format!("[{}0]", "0,".repeat(bytes / 2)),
        _ => {
            let names = (0..bytes / 10).map(|number| format!("\"{number:05x}\":0,"));
            format!("{{{}\"\":0}}", names.collect::<String>())
        }
    }
}

fn judge(exchange: &Exchange) -> Result<String, String> {
    match (&exchange.ending, exchange.status) {
        (Ending::Whole, 200) => Ok("200".to_owned()),
        // What cannot be understood, here or at the provider, is too large, or is too much.
        (Ending::Whole, 400 | 413 | 429 | 502 | 503) => stated(exchange),
        (ending, status) => Err(format!("{ending:?} with status {status}")),
    }
}
