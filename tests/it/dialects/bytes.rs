//! Between equal dialects nothing is rewritten.

use crate::support::head::{self, Head};
use crate::support::hone;
use crate::support::raw::{RawUpstream, Then};

/// A body with what a parser and printer would change, for every dialect.
const ODD: &str = concat!(
    r#"{ "model":"m","contents":[ {"role":"user","parts":[{"text":"\u00e9\/"}]} ] ,"#,
    "\n\t",
    r#""messages":[{"role":"user","content":"\u00e9\/\ud83d\ude00"}],"input":"x","#,
    r#""zzz":{"b":1,"a":[1.0,1.10,-0]},"max_tokens":9,"x":1e400,"x":2 }"#,
);

/// Each way to ask for an answer, of clients and upstreams of one dialect.
const ROUTES: [(&str, &str); 10] = [
    ("openai-chat", "/v1/chat/completions"),
    ("openai-responses", "/v1/responses"),
    ("openai-responses", "/v1/responses/input_tokens"),
    ("anthropic", "/v1/messages?beta=true"),
    ("anthropic", "/v1/messages/count_tokens?beta=true"),
    ("gemini", "/v1/models/m:generateContent"),
    ("gemini", "/v1beta/models/m:generateContent?x=%20y&z"),
    (
        "gemini",
        "/v1beta/models/a/b%3AstreamGenerateContent?alt=sse",
    ),
    ("gemini", "/v1/models/m:streamGenerateContent"),
    ("gemini", "/v1beta/models/m:countTokens"),
];

/// Answers with what a parser and printer would change, and their bodies: documents, events, a list
/// of documents.
fn odd_answers() -> Vec<(Vec<u8>, String)> {
    let document = r#"{ "a":1.10,"usage":{},"usageMetadata":{"promptTokenCount":"x"} }"#;
    let events = [
        "event: x\r\ndata:  {\"a\":1e1}\r\n\r\n",
        ": y\n\ndata: {\n\n",
    ];
    let list = ["[{ }\n", ",\r\n{\"a\":1.0}]\n"];
    let whole = |status: &str| {
        let answer = head::answer(status).json().close();
        (answer.body(document), document.to_owned())
    };
    let streamed = |head: Head, parts: [&str; 2]| {
        let answer = head.chunked().close();
        (answer.then(head::chunks(parts)), parts.concat())
    };
    vec![
        whole("200 OK"),
        whole("400 Bad Request"),
        streamed(head::answer("200 OK").event_stream(), events),
        streamed(head::answer("200 OK").json(), list),
    ]
}

#[tokio::test]
async fn requests_and_answers_pass_byte_for_byte_between_equal_dialects() {
    for (answer, body) in odd_answers() {
        let raw = RawUpstream::start(answer, Then::Close).await;
        for (dialect, target) in ROUTES {
            let plain = hone().upstream_with(&raw, |raw| raw.dialect(dialect));
            for setup in [plain.clone(), plain.limit("tokens_per_minute", 1_000_000)] {
                let hone = setup.start();
                let told = hone.client("k").post(target, ODD).await;
                assert_eq!(told.text(), body, "{target}");
                let heard = raw.heard().pop().expect("a request");
                let (head, sent) = heard.split_once("\r\n\r\n").expect("a head");
                assert!(
                    head.starts_with(&format!("POST {target} HTTP/1.1")),
                    "{head}"
                );
                assert_eq!(sent, ODD, "{target}");
            }
        }
    }
}
