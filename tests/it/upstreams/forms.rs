//! The same answer in all the forms that servers give it, and the failures and cuts that look like
//! answers: what is whole is told as whole, whatever it is called, and nothing else is.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{through, whole};
use crate::support::head::{self, answer};
use crate::support::raw::{Then, send};
use crate::support::{Answer, hone, in_time};

const ANSWER: &str = "The answer is 42.";

fn completion() -> String {
    let message = json!({"role": "assistant", "content": ANSWER});
    json!({"id": "c", "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    .to_string()
}

fn chunk(delta: &Value, finish: &Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).to_string()
}

/// The answer's chunks, of which all but the last have the finish reason `open`.
fn chunks(open: &Value, last: &Value) -> Vec<String> {
    let mut chunks: Vec<String> = ["The ", "answer ", "is 42."]
        .iter()
        .map(|text| chunk(&json!({"content": text}), open))
        .collect();
    chunks.push(chunk(&json!({}), last));
    chunks
}

fn usual() -> Vec<String> {
    chunks(&Value::Null, &json!("stop"))
}

fn events(data: impl IntoIterator<Item = String>) -> String {
    let events: Vec<String> = data
        .into_iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    events.concat()
}

fn done(data: Vec<String>) -> String {
    events(data) + "data: [DONE]\n\n"
}

/// `usual` with `between` after its first chunk.
fn with(between: &str) -> String {
    let mut data = usual();
    data.insert(1, between.to_owned());
    done(data)
}

fn labelled(kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK")
        .header("content-type", kind)
        .close()
        .body(body)
}

/// The text that a streamed answer spells.
fn told(answer: &Answer) -> String {
    let text = answer.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    chunks
        .filter_map(|chunk| {
            let delta = &chunk["choices"][0]["delta"];
            delta["content"].as_str().map(str::to_owned)
        })
        .collect()
}

/// Every whole answer, by what is special about it.
fn whole_answers() -> Vec<(&'static str, String)> {
    let unfinished = chunks(&Value::Null, &Value::Null);
    let mut many = usual();
    many.push(
        r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5,"total_tokens":6}}"#
            .to_owned(),
    );
    vec![
        ("a document", completion()),
        (
            "a document behind white space",
            format!("\n \n{}", completion()),
        ),
        (
            "a document behind a mark",
            format!("\u{feff}{}", completion()),
        ),
        (
            "a document whose reason is null",
            completion().replace("\"stop\"", "null"),
        ),
        ("events", done(usual())),
        ("events behind a mark", format!("\u{feff}{}", done(usual()))),
        (
            "events behind a comment",
            format!(": hello\n\n{}", done(usual())),
        ),
        ("events without a last word", events(usual())),
        (
            "events without a last blank line",
            events(usual()).trim_end().to_owned(),
        ),
        ("events without a reason, but a last word", done(unfinished)),
        ("empty reasons", done(chunks(&json!(""), &json!("stop")))),
        ("usage without choices", done(many)),
        (
            "choices that are null",
            with(r#"{"id":"c","choices":null}"#),
        ),
        (
            "no choices at all",
            with(r#"{"id":"c","object":"chat.completion.chunk"}"#),
        ),
        ("a ping", with(r#"{"type":"ping"}"#)),
        ("a word", with("PROCESSING")),
        ("a number", with("7")),
        ("an empty error", with(r#"{"error":null,"choices":[]}"#)),
        (
            "an error that says that there is none",
            with(r#"{"error":{"code":0,"message":""},"choices":[]}"#),
        ),
        (
            "half of a character",
            done(usual()).replace("is 42", r"is \ud83d42"),
        ),
    ]
}

#[tokio::test]
async fn a_whole_answer_is_told_whatever_its_form_and_label() {
    for (name, body) in whole_answers() {
        for kind in [
            "application/json",
            "Text/Event-Stream; charset=UTF-8",
            "text/plain",
        ] {
            let wanted = if name.starts_with("half") {
                "The answer is \u{fffd}42."
            } else {
                ANSWER
            };
            let seen = through(labelled(kind, &body), Then::Close, "re2-m", true).await;
            let seen = seen.expect("a whole answer");
            seen.assert_ok().assert_done();
            assert_eq!(told(&seen), wanted, "{name} as {kind}, streamed: {seen}");
            let reasons = seen.text().matches(r#""finish_reason":"stop""#).count();
            assert_eq!(reasons, 1, "{name} as {kind}: {seen}");
            let seen = whole(labelled(kind, &body), Then::Close, "re2-m").await;
            let choice = &seen.assert_ok().json()["choices"][0];
            assert_eq!(choice["message"]["content"], wanted, "{name} as {kind}");
            assert_eq!(choice["finish_reason"], "stop", "{name} as {kind}");
        }
    }
}

/// Every failure and cut, with what is told of it.
fn failures() -> Vec<(&'static str, String, &'static str)> {
    let open = |last: &str| {
        let mut data = usual();
        data.pop();
        data.push(last.to_owned());
        data
    };
    let failure = r#"{"error":{"code":503,"message":"no worker is free"}}"#;
    let choice = r#"{"index":0,"delta":{},"finish_reason":"error""#;
    let beside = format!(r#"{{"choices":[{choice}}}],"error":"no worker is free"}}"#);
    let inside = format!(r#"{{"choices":[{choice},"error":{{"message":"no worker is free"}}}}]}}"#);
    vec![
        (
            "an error in place of a document",
            failure.to_owned(),
            "no worker is free",
        ),
        (
            "an error in a list",
            format!("[{failure}]"),
            "no worker is free",
        ),
        (
            "an error as a text",
            r#"{"error":"no worker is free"}"#.to_owned(),
            "no worker is free",
        ),
        (
            "an error as an event",
            done(open(failure)),
            "no worker is free",
        ),
        (
            "an error event and an end",
            events(open(failure)),
            "no worker is free",
        ),
        (
            "an error beside the choice",
            done(open(&beside)),
            "no worker is free",
        ),
        (
            "an error inside of the choice",
            done(open(&inside)),
            "no worker is free",
        ),
        (
            "the reason error",
            done(chunks(&Value::Null, &json!("error"))),
            "broke off its answer",
        ),
        (
            "no end at all",
            events(open("7")),
            "ended before the answer did",
        ),
        (
            "an event that is cut",
            events(open(r#"{"choices":[{"ind"#)),
            "upstream_malformed",
        ),
        ("nothing", String::new(), "upstream_malformed"),
        ("a page", "<html>busy</html>".to_owned(), "HTML"),
        ("a list", r#"[{"id":"m"}]"#.to_owned(), "array"),
    ]
}

#[tokio::test]
async fn nothing_that_failed_or_was_cut_is_told_as_whole() {
    for (name, body, words) in failures() {
        for kind in ["application/json", "text/event-stream"] {
            let given = labelled(kind, &body);
            let seen = through(given.clone(), Then::Close, "re2-m", true).await;
            let seen = seen.expect("an answer that says what happened");
            assert!(!seen.text().contains("[DONE]"), "{name} as {kind}: {seen}");
            seen.assert_says("\"error\"").assert_says(words);
            let seen = whole(given, Then::Close, "re2-m").await;
            assert!(seen.status.as_u16() >= 400, "{name} as {kind}: {seen}");
            seen.assert_says(words);
        }
    }
}

/// An upstream that answers one request and says nothing more but `after`, again and again, until
/// it is left.
async fn never_done(after: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("fixture: binds");
    let address = listener.local_addr().expect("fixture: an address");
    let head = answer("200 OK").event_stream().chunked();
    let begin = head.then(head::chunk(&events(usual())));
    let serves = tokio::task::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("fixture: a caller");
        send(&mut stream, begin).await;
        let (mut requests, mut answers) = stream.into_split();
        let left = async {
            let mut request = [0; 4096];
            while requests.read(&mut request).await.is_ok_and(|read| read > 0) {}
        };
        let speaks = async {
            let beat = head::chunk(after);
            while after.is_empty() || answers.write_all(beat.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = left => {}
            () = speaks => {}
        }
    });
    (address, serves)
}

/// The text that a client gets of an answer with such an end.
async fn told_of(after: &'static str, stream: bool) -> String {
    let (upstream, serves) = never_done(after).await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let seen = client.ask_with("re2-m", json!({"stream": stream})).await;
    in_time(serves).await.expect("it is left");
    if stream {
        return told(seen.assert_done());
    }
    let said = &seen.assert_ok().json()["choices"][0]["message"]["content"];
    said.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_upstream_that_says_nothing_after_the_last_reason_has_answered_and_is_left() {
    let ends = ["", ": ping\n\n", "\n"];
    let whole = ends.map(|after| told_of(after, false));
    let streamed = ends.map(|after| told_of(after, true));
    let told = join_all(whole).await;
    assert_eq!(told, [ANSWER; 3]);
    assert_eq!(join_all(streamed).await, [ANSWER; 3]);
}

#[tokio::test]
async fn an_upstream_whose_connection_breaks_after_the_last_reason_has_answered() {
    let given = answer("200 OK").event_stream().chunked();
    let given = given.then(head::chunk(&events(usual())));
    for then in [Then::Close, Then::Hang] {
        let seen = through(given.clone(), then, "re2-m", true).await;
        let seen = seen.expect("a whole answer");
        seen.assert_ok().assert_done();
        assert_eq!(told(&seen), ANSWER);
    }
}

#[tokio::test]
async fn a_compressed_answer_is_called_by_its_name() {
    let given = answer("200 OK")
        .json()
        .header("content-encoding", "gzip")
        .body("\u{1f}zip");
    let seen = whole(given, Then::Close, "re2-m").await;
    seen.assert_refused(502, "upstream_malformed")
        .assert_says("gzip");
}

#[tokio::test]
async fn what_stands_beside_the_choices_belongs_to_the_answer() {
    let beside = r#""citations":["https://a.example"],"service_tier":"default","choices""#;
    let body = completion().replace("\"choices\"", beside);
    for slug in ["re2", "bon", "moa", "self_consistency"] {
        let model = format!("{slug}-m");
        let seen = whole(labelled("application/json", &body), Then::Close, &model).await;
        let document = seen.assert_ok().json();
        assert_eq!(
            document["citations"],
            json!(["https://a.example"]),
            "{slug}"
        );
        assert_eq!(document["service_tier"], "default", "{slug}");
        let seen = through(
            labelled("application/json", &body),
            Then::Close,
            &model,
            true,
        )
        .await;
        seen.expect("a whole answer")
            .assert_ok()
            .assert_says("https://a.example");
    }
}
