//! The endpoints beside chat.

use http::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::client::{events as data, question};
use super::start;
use crate::{Dialect, Knobs, Reasoning};

fn content(text: &str) -> Knobs {
    Knobs {
        content: Some(text.to_owned()),
        ..Knobs::default()
    }
}

#[tokio::test]
async fn completions_answer_a_prompt_in_both_forms() {
    let (_sim, client) = start(content("one two three")).await;
    let mut asked = json!({"model": "sim-small", "prompt": "count", "max_tokens": 2});
    let body = client
        .post("/v1/completions", asked.to_string().into_bytes())
        .await
        .json();
    assert_eq!(
        (
            body["choices"][0]["text"].clone(),
            body["choices"][0]["finish_reason"].clone()
        ),
        (json!("one two"), json!("length"))
    );
    asked["stream"] = json!(true);
    let stream = client
        .post("/v1/completions", asked.to_string().into_bytes())
        .await;
    let text: String = data(&stream.body)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(text, "one two");
}

#[tokio::test]
async fn embeddings_depend_on_the_input_alone() {
    let (_sim, client) = start(Knobs::default()).await;
    let asked = json!({"model": "sim-small", "input": ["a", "b", "a"]});
    let body = client
        .post("/v1/embeddings", asked.to_string().into_bytes())
        .await
        .json();
    let vector = |index: usize| body["data"][index]["embedding"].clone();
    assert_eq!(vector(0), vector(2));
    assert_ne!(vector(0), vector(1));
    assert_eq!(body["usage"]["prompt_tokens"], 3);
    let coded = json!({"model": "sim-small", "input": "a", "encoding_format": "base64"});
    let body = client
        .post("/v1/embeddings", coded.to_string().into_bytes())
        .await
        .json();
    assert_eq!(
        body["data"][0]["embedding"].as_str().map(str::len),
        Some(44)
    );
}

#[tokio::test]
async fn responses_answer_in_both_forms() {
    let (_sim, client) = start(content("one two three")).await;
    let mut asked = json!({"model": "sim-small", "input": "count"});
    let body = client
        .post("/v1/responses", asked.to_string().into_bytes())
        .await
        .json();
    assert_eq!(body["output"][0]["content"][0]["text"], "one two three");
    assert_eq!(
        body["usage"],
        json!({"input_tokens": 2, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5})
    );
    asked["stream"] = json!(true);
    asked["max_output_tokens"] = json!(2);
    let stream = client
        .post("/v1/responses", asked.to_string().into_bytes())
        .await;
    let events = data(&stream.body);
    let text: String = events
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(text, "one two");
    let last = events.last().unwrap();
    assert_eq!(
        (
            last["type"].clone(),
            last["response"]["usage"]["output_tokens"].clone()
        ),
        (json!("response.incomplete"), json!(2))
    );
    assert!(
        events
            .iter()
            .enumerate()
            .all(|(number, event)| event["sequence_number"] == number)
    );
}

#[tokio::test]
async fn messages_answer_in_both_forms() {
    let (_sim, client) = start(content("one two three")).await;
    let mut asked = question();
    asked["max_tokens"] = json!(50);
    let body = client
        .post("/v1/messages", asked.to_string().into_bytes())
        .await
        .json();
    assert_eq!(
        (
            body["content"][0]["text"].clone(),
            body["usage"]["output_tokens"].clone()
        ),
        (json!("one two three"), json!(3))
    );
    asked["stream"] = json!(true);
    let stream = client
        .post("/v1/messages", asked.to_string().into_bytes())
        .await;
    let events = data(&stream.body);
    let text: String = events
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str())
        .collect();
    assert_eq!(text, "one two three");
    assert!(
        events
            .iter()
            .any(|event| event["type"] == "message_delta" && event["usage"]["output_tokens"] == 3)
    );
}

#[tokio::test]
async fn a_provider_of_one_dialect_has_no_other_endpoints() {
    let every = [
        (Dialect::Chat, "/v1/chat/completions"),
        (Dialect::Responses, "/v1/responses"),
        (Dialect::Responses, "/v1/responses/input_tokens"),
        (Dialect::Messages, "/v1/messages"),
        (Dialect::Messages, "/v1/messages/count_tokens"),
        (Dialect::Gemini, "/v1beta/models/m:generateContent"),
        (Dialect::Gemini, "/v1/models/m:countTokens"),
    ];
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}],
        "input": "a", "contents": [{"parts": [{"text": "a"}]}]});
    for (speaks, _) in every {
        let (_sim, client) = start(Knobs {
            speaks: Some(speaks),
            ..Knobs::default()
        })
        .await;
        for (dialect, path) in every {
            let answer = client.post(path, body.to_string().into_bytes()).await;
            let is_there = answer.status == StatusCode::OK;
            assert_eq!(
                is_there,
                dialect == speaks,
                "{path} of {speaks:?}: {answer:?}"
            );
        }
        // Its list of models has its own shape, whoever asks.
        let models = client
            .header("anthropic-version", "2023-06-01")
            .get("/v1/models")
            .await;
        assert_eq!(
            models.json().get("has_more").is_some(),
            speaks == Dialect::Messages
        );
    }
}

#[tokio::test]
async fn an_upload_is_echoed_as_size_and_digest() {
    let (sim, client) = start(Knobs::default()).await;
    let body: Vec<u8> = (0..=u8::MAX).cycle().take(3_000_000).collect();
    let file = client
        .header("content-type", "multipart/form-data; boundary=x")
        .post("/v1/files", body.clone())
        .await
        .json();
    assert_eq!(
        (file["bytes"].clone(), file["sha256"].clone()),
        (json!(3_000_000), json!(hex::encode(Sha256::digest(&body))))
    );
    assert_eq!(sim.stats().received, 1);
}

#[tokio::test]
async fn file_content_honours_ranges() {
    let (_sim, client) = start(Knobs::default()).await;
    let whole = client.get("/v1/files/file-100000/content").await;
    assert_eq!((whole.status, whole.body.len()), (StatusCode::OK, 100_000));
    let part = client
        .clone()
        .header("range", "bytes=70000-70009")
        .get("/v1/files/file-100000/content")
        .await;
    assert_eq!(
        (part.status, part.headers["content-range"].to_str().unwrap()),
        (StatusCode::PARTIAL_CONTENT, "bytes 70000-70009/100000")
    );
    assert_eq!(part.body, whole.body[70_000..70_010]);
    let beyond = client
        .clone()
        .header("range", "bytes=100000-")
        .get("/v1/files/file-100000/content")
        .await;
    assert_eq!(
        (
            beyond.status,
            beyond.headers["content-range"].to_str().unwrap()
        ),
        (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */100000")
    );
    assert_eq!(
        client.get("/v1/files/missing/content").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn speech_is_binary_and_chunked() {
    let (_sim, client) = start(Knobs::default()).await;
    let answer = client
        .post(
            "/v1/audio/speech",
            br#"{"model": "sim-small", "input": "hello"}"#.to_vec(),
        )
        .await;
    assert_eq!(
        (
            answer.headers["content-type"].to_str().unwrap(),
            answer.body.len()
        ),
        ("audio/mpeg", 5000)
    );
    assert!(!answer.headers.contains_key("content-length"));
}

#[tokio::test]
async fn images_and_moderations_have_their_shapes() {
    let (_sim, client) = start(Knobs::default()).await;
    let images = client
        .post(
            "/v1/images/generations",
            br#"{"prompt": "a stone", "n": 2}"#.to_vec(),
        )
        .await
        .json();
    assert_eq!(images["data"].as_array().map(Vec::len), Some(2));
    let moderations = client
        .post("/v1/moderations", br#"{"input": ["a", "b"]}"#.to_vec())
        .await
        .json();
    assert_eq!(moderations["results"][1]["flagged"], false);
}

#[tokio::test]
async fn reasoning_is_shown_in_each_way() {
    for (reasoning, opens, closes) in [
        (Reasoning::None, false, false),
        (Reasoning::Tags, true, true),
        (Reasoning::ClosingTag, false, true),
        (Reasoning::Field, false, false),
    ] {
        let (_sim, client) = start(Knobs {
            reasoning,
            ..content("the answer")
        })
        .await;
        let body = client.chat(&question()).await.json();
        let message = &body["choices"][0]["message"];
        let text = message["content"].as_str().unwrap();
        assert_eq!(
            (text.starts_with("<think>"), text.contains("</think>")),
            (opens, closes),
            "{text}"
        );
        assert!(text.ends_with("the answer"));
        assert_eq!(
            message["reasoning_content"].is_string(),
            reasoning == Reasoning::Field
        );
    }
    let (_sim, client) = start(Knobs {
        reasoning: Reasoning::Field,
        ..content("the answer")
    })
    .await;
    let mut asked = question();
    asked["stream"] = json!(true);
    let chunks = data(&client.chat(&asked).await.body);
    let all = |name: &str| {
        chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"][name].as_str())
            .collect::<String>()
    };
    assert_eq!(
        (
            all("content").as_str(),
            all("reasoning_content").split_whitespace().count()
        ),
        ("the answer", 8)
    );
}

#[tokio::test]
async fn a_limit_below_the_reasoning_leaves_no_text() {
    let (_sim, client) = start(Knobs {
        reasoning: Reasoning::Field,
        ..content("the answer")
    })
    .await;
    let mut asked = question();
    asked["max_completion_tokens"] = json!(5);
    let body = client.chat(&asked).await.json();
    assert_eq!(
        (
            body["choices"][0]["message"]["content"].clone(),
            body["choices"][0]["finish_reason"].clone()
        ),
        (json!(""), json!("length"))
    );
    assert_eq!(
        body["usage"]["completion_tokens_details"]["reasoning_tokens"],
        5
    );
}
