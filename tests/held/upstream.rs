//! A provider of large answers that takes no memory for them: whatever it says is there before.

use std::borrow::Cow;
use std::net::SocketAddr;

use hone_strategies::contract;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of an answer.
pub(crate) const SIZE: usize = 400_000;
/// The same of what becomes many times as much.
const TREE: usize = SIZE / 8;
/// Bytes of a request at both of its ends that are looked at.
const SEEN: usize = 16 * 1024;

/// A part of an answer, which is sent as it is.
type Piece = Cow<'static, str>;

/// What answers are large by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One long text of words.
    Words,
    /// Many short lines, each a number.
    Lines,
    /// Many choices.
    Choices,
    /// Log probabilities, with 20 alternatives.
    Logprobs,
    /// Many tool calls.
    Calls,
    /// A field that nobody knows, of many small lists.
    Unknown,
}

impl Shape {
    /// What stands in the text, beside the message and beside the choice.
    fn filler(self) -> [&'static str; 3] {
        let text = |text: String| -> &'static str { text.leak() };
        let many = |piece: &str| text(vec![piece; TREE / (piece.len() + 1)].join(","));
        match self {
            Self::Words => [text("word ".repeat(SIZE / 5)), "", ""],
            Self::Lines => {
                let lines = (0..SIZE / 8).map(|line| format!("{line}."));
                [text(lines.collect::<Vec<_>>().join("\\n")), "", ""]
            }
            Self::Choices => {
                let message = r#"{"role":"assistant","content":"B"}"#;
                let choice = format!(r#"{{"index":1,"message":{message}}}"#);
                ["", "", text(format!(",{}", many(&choice)))]
            }
            Self::Logprobs => {
                let top = vec![r#"{"token":"a","logprob":-1.5,"bytes":[97]}"#; 20].join(",");
                let token = format!(
                    r#"{{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{top}]}}"#
                );
                let beside = format!(r#","logprobs":{{"content":[{}]}}"#, many(&token));
                ["", text(beside), ""]
            }
            Self::Calls => {
                let call =
                    r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
                let calls = format!(r#","tool_calls":[{}]"#, many(call));
                ["", text(calls), ""]
            }
            Self::Unknown => ["", text(format!(r#","x":[{}]"#, many("[0]"))), ""],
        }
    }
}

/// Answers every call by `shape`, until the test ends.
pub(crate) async fn start(shape: Shape) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let filler = shape.filler();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, shape, filler));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, shape: Shape, filler: [&'static str; 3]) {
    let Some(request) = ends_of_request(&mut stream).await else {
        return;
    };
    let said = said(&request);
    let pieces = if request.contains("\"stream\":true") {
        events(&said, filler)
    } else {
        document(&said, shape, filler)
    };
    for piece in pieces {
        if stream.write_all(piece.as_bytes()).await.is_err() {
            return;
        }
    }
    let _closed = stream.shutdown().await;
}

fn document(said: &str, shape: Shape, filler: [&'static str; 3]) -> Vec<Piece> {
    let [text, message, choices] = filler;
    let (inside, outside) = match shape {
        Shape::Logprobs => ("", message),
        _ => (message, ""),
    };
    let body = [
        r#"{"id":"a","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":""#
            .into(),
        text.into(),
        format!("{said}\"").into(),
        inside.into(),
        "}".into(),
        outside.into(),
        r#","finish_reason":"stop"}"#.into(),
        choices.into(),
        r#"],"usage":{"prompt_tokens":1,"completion_tokens":9,"total_tokens":10}}"#.into(),
    ];
    let length: usize = body.iter().map(|piece: &Piece| piece.len()).sum();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    std::iter::once(head.into()).chain(body).collect()
}

fn events(said: &str, filler: [&'static str; 3]) -> Vec<Piece> {
    const BEGIN: &str = r#"data: {"choices":[{"index":0,"delta":{"content":""#;
    const END: &str = "\"}}]}\n\n";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let mut pieces = vec![head.into()];
    let mut rest = filler[0];
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(8000));
        let (piece, after) = match piece.strip_suffix('\\') {
            Some(whole) => (whole, rest.split_at(whole.len()).1),
            None => (piece, after),
        };
        pieces.extend([BEGIN.into(), piece.into(), END.into()]);
        rest = after;
    }
    pieces.extend([BEGIN.into(), said.to_owned().into(), END.into()]);
    pieces.push(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
         data: [DONE]\n\n"
            .into(),
    );
    pieces
}

/// What ends an answer as the request wants it, as a part of a JSON text.
fn said(request: &str) -> String {
    let wanted = [
        (contract::SCORE, r"Score: 7"),
        (contract::DIFFICULTY, r"Difficulty: hard"),
        (contract::BEST_CANDIDATE, r"Best candidate: 1"),
        (contract::VERDICT, r"VERDICT: CORRECT"),
        (contract::MARGIN, r"Relevant: yes"),
        (contract::FORMULATION, r"Solver: does not apply"),
        (contract::MODULES, r"Modules: 1, 2"),
        (contract::SUB_QUESTION, r"Sub-question: Which is it?"),
        (contract::APPROACHES, r#"[\"add\", \"count\"]"#),
        (
            contract::OBSERVATIONS,
            r#"[\"it is odd\", \"it is small\"]"#,
        ),
        (contract::ADAPTED, r"1. think\n2. check"),
        (contract::PRINCIPLES, r"1. think\n2. check"),
        (contract::STRUCTURE, r#"{\"first\": \"\"}"#),
        (contract::RECORD, r"Answer: B"),
        (contract::REDUCED, r"Answer: B"),
    ];
    let line = wanted.iter().find(|(line, _)| request.contains(line));
    let line = line.map_or("Final answer: B", |(_, said)| said);
    format!(r"\n{line}")
}

/// The beginning and the end of a request, read whole.
async fn ends_of_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::with_capacity(3 * SEEN);
    let mut buffer = vec![0; SEEN];
    let mut left = None;
    while left != Some(0) {
        let read = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        text.extend_from_slice(&buffer[..read]);
        left = match left {
            Some(left) => Some(usize::saturating_sub(left, read)),
            None => unread(&text),
        };
        if text.len() > 2 * SEEN {
            text.drain(SEEN..text.len() - SEEN);
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// How much is still to come, once the head is there.
fn unread(request: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(request);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "))?;
    let whole = head.len() + 4 + length.parse::<usize>().expect("a number");
    Some(whole.saturating_sub(request.len()))
}
