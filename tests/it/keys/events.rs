//! Streams of events that the operator's key paid for, whatever their type is called: of the
//! operator's account their errors tell nothing.

use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::client::CHAT;
use crate::support::head::{self, Head};
use crate::support::raw::{RawUpstream, Then, send};
use crate::support::setup::Listens;
use crate::support::{Hone, chat_with, hone, in_time, text};

const EVENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const ERROR: &str = "event: error\ndata: {\"error\":{\"code\":\"c\",\"message\":\
                     \"Rate limit reached in organization org-OPERATOR1\"}}\n\n";

/// Every type that servers were seen to write, and none.
const LABELS: [Option<&str>; 6] = [
    Some("text/plain"),
    None,
    Some("application/json"),
    Some("application/octet-stream"),
    Some("application/x-ndjson"),
    Some("text/event-stream"),
];

fn labelled(label: Option<&str>) -> Head {
    let head = head::answer("200 OK").close();
    match label {
        Some(label) => head.header("content-type", label),
        None => head,
    }
}

/// hone where the operator's key pays for whoever brings none.
fn for_loopback(upstream: &impl Listens) -> Hone {
    let fallback = hone().upstream_with(upstream, |upstream| upstream.fallback_for("loopback"));
    fallback.start()
}

/// Streams with an error, first and behind others, by every end of a line and beginning.
fn streams() -> Vec<String> {
    let stream = [
        ERROR.to_owned(),
        [EVENT, ERROR].concat(),
        [EVENT, EVENT, ERROR, EVENT].concat(),
        [": at work\n\n", ERROR].concat(),
        ["id: 7\n", ERROR].concat(),
        ["retry: 100\n\n", ERROR].concat(),
        format!("\n \n\n{ERROR}"),
        format!("  {ERROR}"),
        format!("\u{feff}{ERROR}"),
        format!("\u{feff}\n{EVENT}{ERROR}"),
        ERROR.trim_end().to_owned(),
    ];
    let ends = ["\n", "\r", "\r\n"];
    let all = stream
        .iter()
        .flat_map(|text| ends.map(|end| text.replace('\n', end)));
    all.collect()
}

#[tokio::test]
async fn an_error_event_tells_nothing_of_the_account_whatever_the_stream_is_called() {
    for (number, stream) in streams().into_iter().enumerate() {
        // All labels for the first, by each end of its lines; for the others each in its turn.
        let labels = LABELS.into_iter().enumerate();
        let labels = labels.filter(|(turn, _)| number < 3 || number % LABELS.len() == *turn);
        for (_, label) in labels {
            let upstream = RawUpstream::start(labelled(label).body(&stream), Then::Close).await;
            let hone = for_loopback(&upstream);
            let asked = chat_with("m", json!({"stream": true}));
            let answer = hone.keyless().chat(&asked).await;
            answer.assert_ok().assert_hides("OPERATOR1");
            answer.assert_says("operator's to know");
            let (before, _error) = stream.split_once("event: error").expect("an error");
            answer.assert_says(before.trim_start_matches('\u{feff}').trim());
            let own = hone.client("own").chat(&asked).await;
            assert_eq!(own.text(), stream);
        }
    }
}

/// `stream` as chunks: a byte each up to `cut`, and the rest.
fn chunked(stream: &str, cut: usize) -> Vec<u8> {
    let (begin, rest) = stream.as_bytes().split_at(cut);
    let mut body = Vec::new();
    for part in begin.chunks(1).chain([rest, b""]) {
        body.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body
}

#[tokio::test]
async fn a_stream_is_known_however_its_beginning_is_cut() {
    let stream = ["\u{feff}\r\n", ERROR, EVENT].concat();
    let speech = json!({"model": "m", "input": "x"});
    let asked = [
        (CHAT, chat_with("m", json!({"stream": true}))),
        ("/v1/responses", speech.clone()),
        ("/v1/audio/speech", speech),
    ];
    for label in LABELS {
        for cut in 1..14 {
            let answer = labelled(label).chunked().then(chunked(&stream, cut));
            let upstream = RawUpstream::start(answer, Then::Close).await;
            let hone = for_loopback(&upstream);
            for (path, asked) in &asked {
                let answer = hone.keyless().post(path, asked.to_string()).await;
                answer.assert_ok().assert_hides("OPERATOR1");
                answer.assert_says("operator's to know").assert_says(EVENT);
            }
        }
    }
}

/// Nobody waits for more of a stream than its first event.
#[tokio::test]
async fn an_event_passes_as_soon_as_it_is_there() {
    for label in LABELS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let hone = for_loopback(&listener.local_addr().expect("an address"));
        let upstream = async {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut asked = [0; 4096];
            let _read = stream.read(&mut asked).await.expect("a request");
            send(&mut stream, labelled(label).chunked()).await;
            let (begin, rest) = EVENT.split_at(2);
            send(&mut stream, head::chunk(begin)).await;
            send(&mut stream, head::chunk(rest)).await;
            stream
        };
        let client = hone.keyless();
        let asked = chat_with("m", json!({"stream": true}));
        let (upstream, answer) = tokio::join!(upstream, client.open_chat(&asked));
        let mut body = answer.into_body();
        let mut seen = Vec::new();
        while seen.len() < EVENT.len() {
            let frame = in_time(body.frame()).await.expect("an event");
            seen.extend_from_slice(frame.expect("an event").data_ref().expect("an event"));
        }
        assert_eq!(text(seen), EVENT);
        drop(upstream);
    }
}

#[tokio::test]
async fn what_is_no_stream_passes_byte_for_byte() {
    for body in [
        "",
        "d",
        "dat",
        "database: x\n\n",
        "org-OPERATOR1 is a name",
        "idle\n\n",
        "\u{feff}",
        " \n",
        "{\"id\": \"r\"}\n\n",
        "datum: {\"error\":\"org-OPERATOR1\"}\n\n",
    ] {
        for label in LABELS {
            let upstream = RawUpstream::start(labelled(label).body(body), Then::Close).await;
            let hone = for_loopback(&upstream);
            let speech = json!({"model": "m", "input": "x"}).to_string();
            let answer = hone.keyless().post("/v1/audio/speech", speech).await;
            assert_eq!(answer.assert_ok().text(), body, "{label:?}");
        }
    }
}

#[tokio::test]
async fn what_such_a_stream_used_is_read() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":400,\
                 \"total_tokens\":407}}\n\n";
    for label in LABELS {
        let stream = [EVENT, usage].concat();
        let upstream = RawUpstream::start(labelled(label).body(&stream), Then::Close).await;
        let fallback =
            hone().upstream_with(&upstream, |upstream| upstream.fallback_for("loopback"));
        let hone = fallback
            .config("[limits.address]\ntokens_per_minute = 1000\n")
            .start();
        let options = json!({"stream": true, "stream_options": {"include_usage": true}});
        let answer = hone.keyless().chat(&chat_with("m", options)).await;
        assert_eq!(answer.assert_ok().text(), stream);
        let left = hone.keyless().left("tokens").await;
        assert!((590..=600).contains(&left), "{label:?}: {left}");
    }
}

#[tokio::test]
async fn an_approachs_call_that_is_answered_by_such_a_stream_tells_nothing_either() {
    for label in [Some("text/plain"), None] {
        let upstream = RawUpstream::start(labelled(label).body(ERROR), Then::Close).await;
        let hone = for_loopback(&upstream);
        for model in ["re2-m", "bon-m"] {
            for stream in [false, true] {
                let answer = hone
                    .keyless()
                    .ask_with(model, json!({"stream": stream}))
                    .await;
                answer.assert_hides("OPERATOR1");
            }
        }
    }
}
