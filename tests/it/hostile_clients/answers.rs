//! How much memory hone takes at its peak for answers, whatever they are and whatever works with
//! them: never more than the sum that `hone check` prints, and 64 MiB.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hone_strategies::STRATEGIES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::process::{CHAT, MIB, Process, bounded};
use crate::support::head::answer as answer_head;
use crate::support::in_time;

/// Just below the bound of one answer.
const LARGE: usize = 950_000;
const QUESTION: &str = r#"{"role":"user","content":"A or B?"}"#;
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    connection: close\r\n\r\n";

/// An upstream whose answers are as hostile as they can be, each another one in turn: streams that
/// do not end, and documents.
async fn hostile_upstream(documents: Vec<Bytes>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut turn = 0;
        while let Ok((stream, _)) = listener.accept().await {
            turn += 1;
            let document = documents[turn % documents.len()].clone();
            tokio::spawn(answer(stream, document, turn));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, document: Bytes, turn: usize) {
    let Some(request) = whole_request(&mut stream).await else {
        return;
    };
    if !request.contains("\"stream\":true") {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            document.len()
        );
        if stream.write_all(head.as_bytes()).await.is_ok() {
            let _gone = stream.write_all(&document).await;
        }
        return;
    }
    let event = endless(turn);
    if stream.write_all(STREAM.as_bytes()).await.is_ok() {
        while stream.write_all(event.as_bytes()).await.is_ok() {}
    }
}

/// A request to its end, of whose body only the beginning and the end are kept.
async fn whole_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut left = None;
    let mut buffer = vec![0; 65_536];
    while left != Some(0) {
        let count = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        text.extend_from_slice(&buffer[..count]);
        left = match left {
            Some(left) => Some(usize::saturating_sub(left, count)),
            None => unread(&text),
        };
        if text.len() > 1 << 20 {
            text.drain(65_536..text.len() - 65_536);
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// How much of a request is still to come, if that can be told from what has come.
fn unread(request: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(request);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    let whole = head.len() + 4 + length.parse::<usize>().expect("a number");
    Some(whole.saturating_sub(request.len()))
}

/// One event of a stream that repeats it.
fn endless(turn: usize) -> String {
    let delta =
        |fields: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{fields}}}]}}\n\n");
    match turn % 4 {
        0 => delta(&format!(r#"{{"content":"{}"}}"#, "word ".repeat(2000))),
        1 => delta(&format!(r#"{{"x":[{}0]}}"#, "[0],".repeat(2000))),
        2 => delta(r#"{"tool_calls":[{"function":{"arguments":"aaaaaaaaaaaaaaaaaaaa"}}]}"#)
            .repeat(50),
        _ => delta(&format!(
            r#"{{"reasoning_content":"{}"}}"#,
            "hm ".repeat(60_000)
        )),
    }
}

fn choice(message: &str, more: &str) -> String {
    format!(
        r#"{{"index":0,"message":{{"role":"assistant",{message}}}{more},"finish_reason":"stop"}}"#
    )
}

fn document(choices: &str) -> Bytes {
    let usage = r#""usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}"#;
    Bytes::from(format!(r#"{{"choices":[{choices}],{usage}}}"#))
}

/// `piece` again and again, up to `bytes`.
fn many(piece: &str, bytes: usize) -> String {
    vec![piece; bytes / (piece.len() + 1)].join(",")
}

/// The log probabilities of one token, with 20 alternatives.
fn token() -> String {
    let top = r#"{"token":"a","logprob":-1.5,"bytes":[97]}"#;
    format!(
        r#"{{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{}]}}"#,
        many(top, 20 * (top.len() + 1))
    )
}

fn with_logprobs(bytes: usize) -> Bytes {
    let logprobs = format!(r#","logprobs":{{"content":[{}]}}"#, many(&token(), bytes));
    document(&choice(r#""content":"B""#, &logprobs))
}

fn hostile_documents() -> Vec<Bytes> {
    let content = |content: &str| format!(r#""content":"{content}""#);
    let beside = |more: &str| document(&choice(&format!(r#""content":"B",{more}"#), ""));
    vec![
        beside(&format!(r#""x":[{}]"#, many("[0]", LARGE))),
        document(&choice(&content(&"word ".repeat(LARGE / 5)), "")),
        with_logprobs(LARGE),
        beside(&format!(r#""x":[{}]"#, many("0", LARGE))),
        document(&choice(&content(&"\\u0001".repeat(LARGE / 6)), "")),
        document(&many(&choice(&content("B"), ""), LARGE)),
        beside(&format!(r#""reasoning_content":"{}""#, "x".repeat(LARGE))),
        document(&choice(&content(&"1 + (".repeat(LARGE / 5)), "")),
        document(&choice(&content("B"), "")),
    ]
}

/// Has `slugs` work with hostile answers, whole ones and streams.
async fn attack(slugs: impl Iterator<Item = &'static str>) {
    let upstream = hostile_upstream(hostile_documents()).await;
    let setup = bounded(upstream).bound("answer_bytes", 1_048_576);
    let mut process = Process::start(&setup).await;
    for slug in slugs {
        let ask = |index: usize| {
            let client = process.client(&format!("made-up-{index}"));
            let client = client.header("x-hone-detail", "trace");
            let stream = ["", r#","stream":true"#][index % 2];
            let body = format!(r#"{{"model":"{slug}-m","messages":[{QUESTION}]{stream}}}"#);
            async move {
                let asked = client.post(CHAT, body);
                // An endless answer is left after a while.
                let answer = tokio::time::timeout(Duration::from_millis(1500), asked).await;
                answer.map_or(0, |answer| answer.status.as_u16())
            }
        };
        let statuses = join_all((0..4).map(ask)).await;
        process.assert_small(&format!("{slug}: {statuses:?}"));
    }
}

/// Every approach but `z3`, which needs a program, that stands at an even or an odd place.
fn approaches(remainder: usize) -> impl Iterator<Item = &'static str> {
    let slugs = STRATEGIES.iter().map(|entry| entry.slug);
    let slugs = slugs.filter(|slug| *slug != "z3").enumerate();
    slugs.filter_map(move |(index, slug)| (index % 2 == remainder).then_some(slug))
}

#[tokio::test]
async fn no_answer_takes_more_than_is_counted() {
    attack(approaches(0)).await;
}

#[tokio::test]
async fn no_answer_takes_more_than_is_counted_for_the_other_approaches() {
    attack(approaches(1)).await;
}

/// Answers that fit, of which many prompts are made that would not.
#[tokio::test]
async fn no_prompts_made_of_answers_take_more_than_is_counted() {
    let documents = (0..16).map(|index| {
        let text = format!("word {} {index}", "w".repeat(600_000));
        document(&choice(&format!(r#""content":"{text}""#), ""))
    });
    let upstream = hostile_upstream(documents.collect()).await;
    let mut process = Process::start(&bounded(upstream)).await;
    let fields = r#""rsa_population":8,"rsa_subset":8,"shown_bytes":67108864"#;
    let body = format!(r#"{{"model":"rsa-m","messages":[{QUESTION}],{fields}}}"#);
    let ask = async |key: &str| process.client(key).post(CHAT, body.clone()).await;
    let (one, other) = tokio::join!(ask("one"), ask("other"));
    for answer in [one, other] {
        assert!([200, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }
    process.assert_small("rsa");
}

/// An upstream that counts what it could send of its answers.
struct CountingUpstream {
    address: SocketAddr,
    sent: watch::Receiver<Sent>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sent {
    answers: usize,
    bytes: usize,
}

impl CountingUpstream {
    async fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let (sends, sent) = watch::channel(Sent::default());
        let document = Bytes::from(document);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(send_counted(stream, document.clone(), sends.clone()));
            }
        });
        Self { address, sent }
    }

    /// Waits until it has begun so many answers and hone takes no more of them, though it answers
    /// others meanwhile.
    async fn is_stuck_with(&self, answers: usize, process: &Process) {
        in_time(async {
            loop {
                let before = *self.sent.borrow();
                for _ in 0..10 {
                    process.client("k").get("/livez").await.assert_ok();
                }
                if before.answers == answers && *self.sent.borrow() == before {
                    return;
                }
            }
        })
        .await;
    }
}

async fn send_counted(mut stream: TcpStream, document: Bytes, sends: watch::Sender<Sent>) {
    if whole_request(&mut stream).await.is_none() {
        return;
    }
    sends.send_modify(|sent| sent.answers += 1);
    let head = answer_head("200 OK").json().content_length(document.len());
    let _begun = stream.write_all(&head.then("")).await;
    for piece in document.chunks(65_536) {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        sends.send_modify(|sent| sent.bytes += piece.len());
    }
}

#[tokio::test]
async fn clients_that_do_not_read_hold_no_answer_twice() {
    const ANSWER: usize = 8 * MIB;
    let numbers = "0.25,".repeat(ANSWER / 5) + "0";
    let usage = r#""usage":{"prompt_tokens":3,"total_tokens":3}"#;
    let document = format!(r#"{{"data":[{{"embedding":[{numbers}]}}],{usage}}}"#);
    let upstream = CountingUpstream::start(document).await;
    let setup = bounded(upstream.address)
        .bound("answer_bytes", 16_777_216)
        .bound("connections", 64)
        .bound("connections_per_address", 64);
    let mut process = Process::start(&setup).await;
    let request = "POST /v1/embeddings HTTP/1.1\r\nhost: h\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\ncontent-length: 25\r\n\r\n\
        {\"model\":\"m\",\"input\":\"x\"}";
    let mut stuck = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(process.address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sends");
        stuck.push(stream);
    }
    upstream.is_stuck_with(60, &process).await;
    let peak = process.peak() / MIB;
    assert!(peak <= 128, "{peak} MiB for 60 answers that nobody reads");
}
