//! Chat completions: their form, and what a request can ask for.

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{self, contents, question};
use super::start;
use crate::{Knobs, Strictness};

#[tokio::test]
async fn an_answer_is_a_chat_completion_with_usage() {
    let (sim, client) = start(Knobs {
        content: Some("Seven of nine.".to_owned()),
        ..Knobs::default()
    })
    .await;
    let answer = client.chat(&question()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "sim-small");
    assert_eq!(body["choices"][0]["message"]["content"], "Seven of nine.");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["completion_tokens"], 3);
    let stats = sim.stats();
    assert_eq!(
        (
            stats.calls_to("chat/completions"),
            stats.completed,
            stats.tokens_served
        ),
        (1, 1, 3)
    );
    assert_eq!(body["usage"]["prompt_tokens"], stats.prompt_tokens);
}

#[tokio::test]
async fn a_stream_says_the_same_as_the_json_answer() {
    let (_sim, client) = start(Knobs {
        content: Some("Seven of nine.".to_owned()),
        ..Knobs::default()
    })
    .await;
    let mut asked = question();
    asked["stream"] = json!(true);
    asked["stream_options"] = json!({"include_usage": true});
    let answer = client.chat(&asked).await;
    assert_eq!(
        answer.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    let events = answer.events();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> = events
        .iter()
        .take(events.len() - 1)
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    assert_eq!(contents(&chunks), "Seven of nine.");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let [.., finish, usage] = chunks.as_slice() else {
        panic!("too few chunks: {chunks:?}")
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 3);
    assert!(
        chunks
            .iter()
            .rev()
            .skip(1)
            .all(|chunk| chunk["usage"].is_null())
    );
}

#[tokio::test]
async fn n_is_honoured_ignored_or_rejected() {
    let (sim, client) = start(Knobs::default()).await;
    let mut asked = question();
    asked["n"] = json!(3);
    let choices = |answer: client::Answer| answer.json()["choices"].as_array().map_or(0, Vec::len);
    assert_eq!(choices(client.chat(&asked).await), 3);
    sim.set(Knobs {
        ignores: vec!["n".to_owned()],
        ..Knobs::default()
    });
    assert_eq!(choices(client.chat(&asked).await), 1);
    sim.set(Knobs {
        rejects: vec!["n".to_owned()],
        ..Knobs::default()
    });
    let refused = client.chat(&asked).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["param"].clone()),
        (StatusCode::BAD_REQUEST, json!("n"))
    );
    asked["n"] = json!(1);
    assert_eq!(choices(client.chat(&asked).await), 1);
}

#[tokio::test]
async fn a_token_limit_cuts_the_answer_and_says_so() {
    let (_sim, client) = start(Knobs::default()).await;
    let mut asked = question();
    asked["max_tokens"] = json!(9);
    asked["max_completion_tokens"] = json!(4);
    let body = client.chat(&asked).await.json();
    assert_eq!(
        (
            body["choices"][0]["finish_reason"].clone(),
            body["usage"]["completion_tokens"].clone()
        ),
        (json!("length"), json!(4))
    );
}

#[tokio::test]
async fn a_tool_is_called_with_the_arguments_its_schema_wants() {
    let (_sim, client) = start(Knobs {
        tool_calls: true,
        ..Knobs::default()
    })
    .await;
    let mut asked = question();
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"},
        "unit": {"enum": ["celsius"]}}});
    asked["tools"] =
        json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}}]);
    let body = client.chat(&asked).await.json();
    let call = &body["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(
        (
            call["name"].clone(),
            body["choices"][0]["finish_reason"].clone()
        ),
        (json!("weather"), json!("tool_calls"))
    );
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "simulated", "unit": "celsius"}));
}

#[tokio::test]
async fn logprobs_come_one_for_each_token() {
    let (_sim, client) = start(Knobs {
        answer_tokens: 5,
        ..Knobs::default()
    })
    .await;
    let mut asked = question();
    asked["logprobs"] = json!(true);
    asked["top_logprobs"] = json!(2);
    let body = client.chat(&asked).await.json();
    let content = body["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(content.len(), 5);
    assert!(
        content
            .iter()
            .all(|token| token["logprob"].as_f64().unwrap() < 0.0
                && token["top_logprobs"].as_array().unwrap().len() == 2)
    );
}

#[tokio::test]
async fn strict_providers_refuse_odd_conversations() {
    let shapes = [
        (
            Strictness::SystemInMiddle,
            json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]),
        ),
        (
            Strictness::RepeatedRoles,
            json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
        ),
        (
            Strictness::EmptySystem,
            json!([{"role": "system", "content": " "}, {"role": "user", "content": "b"}]),
        ),
        (
            Strictness::NullContent,
            json!([{"role": "user", "content": null}]),
        ),
    ];
    for (strictness, messages) in shapes {
        let (_sim, client) = start(Knobs {
            strict: vec![strictness],
            ..Knobs::default()
        })
        .await;
        assert_eq!(
            client.chat(&question()).await.status,
            StatusCode::OK,
            "{strictness:?}"
        );
        let mut asked = question();
        asked["messages"] = messages;
        assert_eq!(
            client.chat(&asked).await.status,
            StatusCode::BAD_REQUEST,
            "{strictness:?}"
        );
    }
}
