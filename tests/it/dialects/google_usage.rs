//! What Google's clients are charged against limits on tokens, and what they reserve.

use serde_json::{Value, json};

use crate::support::head;
use crate::support::parts::SimHandle;
use crate::support::raw::{RawUpstream, Then};
use crate::support::sim::{busy, calls, slow};
use crate::support::{Client, Hone, hone, upstream};

const GENERATE: &str = "/v1beta/models/m:generateContent";
const STREAM: &str = "/v1beta/models/m:streamGenerateContent";

fn client(hone: &Hone) -> Client {
    hone.keyless().header("x-goog-api-key", "k")
}

fn body() -> String {
    let config = json!({"maxOutputTokens": 300});
    json!({"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": config}).to_string()
}

/// hone before `sim`, with a limit on tokens.
fn limited(sim: &SimHandle) -> Hone {
    hone()
        .upstream_with(sim, |sim| sim.dialect("gemini"))
        .limit("tokens_per_minute", 10_000)
        .start()
}

/// A document with this text and this report.
fn document(text: &str, usage: &Value) -> String {
    let content = json!({"role": "model", "parts": [{"text": text}]});
    json!({"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage})
        .to_string()
}

/// What a request is charged that is answered with `answer`.
async fn charged(path: &str, answer: Vec<u8>) -> u64 {
    let raw = RawUpstream::start(answer, Then::Close).await;
    let hone = hone()
        .upstream_with(&raw, |raw| raw.dialect("gemini"))
        .limit("tokens_per_minute", LIMIT)
        .start();
    let client = client(&hone);
    client.post(path, body()).await.assert_ok();
    let left = client.left("tokens").await;
    u64::from(LIMIT) - left
}

/// Tokens a minute, so few that next to nothing comes back while a test looks.
const LIMIT: u32 = 9000;

/// Whether what was charged is `tokens`, but for what has come back since.
fn is_charged(charged: u64, tokens: u64) -> bool {
    // A second's worth.
    charged <= tokens && charged + u64::from(LIMIT) / 60 >= tokens
}

#[tokio::test]
async fn the_last_report_is_charged_in_every_form_of_an_answer() {
    let early = document(
        "x",
        &json!({"promptTokenCount": 1000, "candidatesTokenCount": 1}),
    );
    let usage = json!({"promptTokenCount": 1000, "toolUsePromptTokenCount": 200,
        "cachedContentTokenCount": 900, "candidatesTokenCount": 50, "thoughtsTokenCount": 30});
    let last = document("y", &usage);
    let json = || head::answer("200 OK").json().close();
    let events = format!("data: {early}\n\ndata: {last}\n\n");
    let sse = format!("{STREAM}?alt=sse");
    for (path, answer) in [
        (GENERATE, json().body(&last)),
        (STREAM, json().body(format!("[{early}\n,\r\n{last}]"))),
        (
            &sse,
            head::answer("200 OK").event_stream().close().body(events),
        ),
    ] {
        let charged = charged(path, answer).await;
        assert!(is_charged(charged, 1280), "{path}: {charged}");
    }
}

#[tokio::test]
async fn zeroes_beside_a_text_are_no_report() {
    let text = "word ".repeat(4000);
    let zero = json!({"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0});
    for usage in [zero, Value::Null] {
        let answer = head::answer("200 OK")
            .json()
            .close()
            .body(document(&text, &usage));
        let charged = charged(GENERATE, answer).await;
        assert!(is_charged(charged, 5021), "{charged}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_reserved_in_both_spellings() {
    let sim = upstream().await;
    sim.set(slow(700));
    let contents = json!([{"parts": [{"text": "Hi"}]}]);
    for mut body in [
        json!({"generationConfig": {"maxOutputTokens": 6000}}),
        json!({"generation_config": {"max_output_tokens": 6000}}),
        json!({"generationConfig": {"max_output_tokens": 2000, "candidateCount": 3}}),
        json!({"generation_config": {"maxOutputTokens": 2000, "candidate_count": 3}}),
        json!({"GenerationConfig": {"maxOutputTokens": 6000}}),
    ] {
        body["contents"] = contents.clone();
        let hone = limited(&sim);
        let client = client(&hone);
        let (answer, left) = tokio::join!(client.post(GENERATE, body.to_string()), async {
            busy(&sim).await;
            client.left("tokens").await
        });
        answer.assert_ok();
        // Without it nearly all would be left; some has come back by the time it is asked.
        assert!(left < 8000, "{left}: {body}");
    }
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_and_counting_is_free() {
    let sim = upstream().await;
    let hone = limited(&sim);
    let contents = r#"[{"parts": [{"text": "Hi"}]}]"#;
    for (config, code) in [
        (
            r#"{"maxOutputTokens": 1, "max_output_tokens": 9}"#,
            "duplicate_field",
        ),
        (r#"{"candidateCount": [9]}"#, "invalid_type"),
        (r#"{"maxOutputTokens": "9_9"}"#, "invalid_type"),
    ] {
        let body = format!(r#"{{"contents": {contents}, "generationConfig": {config}}}"#);
        let answer = client(&hone).post(GENERATE, body).await;
        answer
            .assert_status(400)
            .assert_header("x-hone-error", code);
    }
    assert_eq!(calls([&sim]), [0]);
    let count = "/v1beta/models/m:countTokens";
    let body = format!(r#"{{"contents": {contents}}}"#);
    client(&hone).post(count, body).await.assert_ok();
    assert_eq!(client(&hone).left("tokens").await, 10_000);
}
