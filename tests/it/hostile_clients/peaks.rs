//! How much memory hone takes at its peak for requests, whatever their bodies: never more than the
//! sum that `hone check` prints, and 64 MiB.

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::net::TcpListener;

use super::process::{CHAT, MIB, Process, bounded};

/// Three of them as trees are twice what hone may take.
const BODY: usize = MIB;

/// Sends `bodies` to `process`, three at a time, each with a key of its own. Gives the statuses.
async fn send(process: &Process, bodies: Vec<Bytes>, headers: &[(&str, &str)]) -> Vec<u16> {
    let ask = |(index, body): (usize, &Bytes)| {
        let client = process.client(&format!("made-up-{index}"));
        let client = headers
            .iter()
            .fold(client, |client, (name, value)| client.header(name, value));
        let body = body.clone();
        async move { client.post(CHAT, body).await.status.as_u16() }
    };
    let mut statuses = Vec::new();
    for three in bodies.chunks(3) {
        statuses.extend(join_all(three.iter().enumerate().map(ask)).await);
    }
    statuses
}

/// A chat request of [`BODY`] bytes, most of them `piece` again and again where `around` has a
/// hole.
fn bomb(model: &str, around: &str, piece: &str, separator: &str) -> Bytes {
    let mut filling = String::with_capacity(BODY + 64);
    while filling.len() < BODY {
        if !filling.is_empty() {
            filling.push_str(separator);
        }
        filling.push_str(piece);
    }
    let body = around.replace("MODEL", model).replace("HOLE", &filling);
    Bytes::from(body)
}

const FIELD: &str =
    r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],"tools":[HOLE]}"#;
const UNREAD: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],"x":[HOLE]}"#;
const FIELDS: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],HOLE}"#;
const MESSAGES: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":"x"},HOLE]}"#;
const CONTENT: &str = r#"{"model":"MODEL","messages":[{"role":"user","content":[HOLE]}]}"#;
const TEXT: &str = concat!(
    r#"{"model":"MODEL","messages":[{"role":"user","content":"#,
    r#""<optillm_approach>re2</optillm_approach> HOLE"}]}"#
);
const PARAM: &str =
    r#"{"model":"MODEL","messages":[{"role":"user","content":"x"}],"moa_models":[HOLE]}"#;

fn bombs(model: &str) -> Vec<Bytes> {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let call = r#"{"role":"assistant","tool_calls":[{"id":"","function":{"arguments":""}}]}"#;
    let pieces = ["[0]", r#"{"":0}"#, "0", "[]", "\"\"", "1e9", deep.as_str()];
    let mut bombs = Vec::new();
    for piece in pieces {
        bombs.extend([FIELD, UNREAD, CONTENT].map(|around| bomb(model, around, piece, ",")));
    }
    bombs.push(bomb(model, PARAM, "\"m\"", ","));
    bombs.push(bomb(model, FIELDS, "\"a\":0", ","));
    bombs.push(bomb(model, MESSAGES, r#"{"role":"user"}"#, ","));
    bombs.push(bomb(model, MESSAGES, call, ","));
    bombs.push(bomb(model, TEXT, "words ", ""));
    bombs.push(bomb(model, TEXT, "\\u0001", ""));
    let nested = "[".repeat(BODY / 2) + &"]".repeat(BODY / 2);
    bombs.push(bomb(model, UNREAD, &nested, ","));
    bombs.push(Bytes::from(format!("{{\"x\":{}", "[".repeat(BODY))));
    bombs
}

/// hone before an upstream that cannot be reached.
async fn alone() -> Process {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let upstream = closed.local_addr().expect("an address");
    drop(closed);
    Process::start(&bounded(upstream)).await
}

#[tokio::test]
async fn no_body_takes_more_than_is_counted() {
    let mut process = alone().await;
    for model in ["re2-m", "m"] {
        let statuses = send(&process, bombs(model), &[("x-hone-dry-run", "1")]).await;
        for status in statuses {
            assert!([200, 400, 413, 429, 503].contains(&status), "{status}");
        }
        process.assert_small(model);
    }
}

/// Without a dry run bodies are held longer, and their calls are made.
#[tokio::test]
async fn no_run_takes_more_for_its_body_than_is_counted() {
    let mut process = alone().await;
    send(&process, bombs("bon-m"), &[]).await;
    process.assert_small("calls");
}
