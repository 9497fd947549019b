//! Providers by name: what each refuses, in which words and form, and the forms of its answers.

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{Client, contents, question};
use super::start;
use crate::{Fault, Knobs, Profile, SimHandle};

async fn of(profile: Profile) -> (SimHandle, Client) {
    start(Knobs {
        profile: Some(profile),
        content: Some("Seven of nine.".to_owned()),
        ..Knobs::default()
    })
    .await
}

fn asked(fields: &Value) -> Value {
    let mut asked = question();
    let fields = fields.as_object().unwrap();
    asked.as_object_mut().unwrap().extend(fields.clone());
    asked
}

async fn told(profile: Profile, fields: Value) -> (u16, Value) {
    let (_sim, client) = of(profile).await;
    let answer = client.chat(&asked(&fields)).await;
    (answer.status.as_u16(), answer.json())
}

/// A request's fields, and the status and document that refuse it.
type Refused = (Value, u16, Value);

fn openai(message: &str, param: &str, code: &str) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": param,
        "code": code}})
}

fn conversation(roles: &[&str]) -> Value {
    let message = |role: &&str| json!({"role": role, "content": "What is seven?"});
    json!({"messages": roles.iter().map(message).collect::<Vec<_>>()})
}

fn by_openai_and_azure() -> [(Profile, Refused); 3] {
    let old = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
        'max_completion_tokens' instead.";
    let warm = "Unsupported value: 'temperature' does not support 0.5 with this model. Only the \
        default (1) value is supported.";
    let unknown = openai("Unknown parameter: 'top_k'.", "top_k", "unknown_parameter");
    let old = openai(old, "max_tokens", "unsupported_parameter");
    let warm = openai(warm, "temperature", "unsupported_value");
    [
        (Profile::OpenAi, (json!({"top_k": 4}), 400, unknown)),
        (Profile::Azure, (json!({"max_tokens": 4}), 400, old)),
        (Profile::Azure, (json!({"temperature": 0.5}), 400, warm)),
    ]
}

fn by_vllm() -> [Refused; 3] {
    let said = |message: &str| {
        json!({"object": "error", "message": message, "type": "BadRequestError", "param": null,
            "code": 400})
    };
    let unknown = "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), \
        'msg': 'Extra inputs are not permitted', 'input': 9}]";
    let greedy = "n must be 1 when using greedy sampling, got 3.";
    let long = "This model's maximum context length is 4096 tokens. However, you requested 4104 \
        tokens (8 in the messages, 4096 in the completion). Please reduce the length of the \
        messages or completion.";
    [
        (json!({"max_completion_tokens": 9}), 400, said(unknown)),
        (json!({"n": 3, "temperature": 0}), 400, said(greedy)),
        (json!({"max_tokens": 4096}), 400, said(long)),
    ]
}

fn by_llama_cpp() -> [Refused; 2] {
    let said = |message: &str| {
        let error = json!({"code": 400, "message": message, "type": "invalid_request_error"});
        json!({"error": error})
    };
    let streamed = json!({"stream": true, "logprobs": true, "tools": [{}]});
    let refused = said("logprobs is not supported with tools + stream");
    let one = said("Only one completion choice is allowed");
    [(json!({"n": 2}), 400, one), (streamed, 400, refused)]
}

fn by_gemma() -> [Refused; 3] {
    let said = |kind: &str, message: &str| json!({"error": message, "error_type": kind});
    let template = |words: &str| {
        let message = format!("Template error: syntax error: {words} (in <string>:1)");
        said("template_error", &message)
    };
    let order = template("Conversation roles must alternate user/assistant/user/assistant/...");
    let long = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. \
        Given: 8 `inputs` tokens and 8192 `max_new_tokens`";
    let system = template("System role not supported");
    [
        (conversation(&["system", "user"]), 422, system),
        (conversation(&["user", "user"]), 422, order),
        (json!({"max_tokens": 8192}), 422, said("validation", long)),
    ]
}

fn by_mistral() -> [Refused; 4] {
    let detail = |kind: &str, name: &str, message: &str| {
        let detail = json!([{"type": kind, "loc": ["body", name], "msg": message}]);
        json!({"object": "error", "message": {"detail": detail},
            "type": "invalid_request_error", "param": null, "code": null})
    };
    let said = |message: &str| {
        json!({"object": "error", "message": message, "type": "invalid_request_error",
            "param": null, "code": "3230"})
    };
    let unknown = "Extra inputs are not permitted";
    let hot = "Input should be less than or equal to 1.5";
    let last = "Expected last role User or Tool (or Assistant with prefix True) for serving but \
        got assistant";
    let late = said("Unexpected role 'system' after role 'user'");
    let name = "max_completion_tokens";
    [
        (
            json!({name: 9}),
            422,
            detail("extra_forbidden", name, unknown),
        ),
        (
            json!({"temperature": 1.6}),
            422,
            detail("less_than_equal", "temperature", hot),
        ),
        (conversation(&["user", "assistant"]), 400, said(last)),
        (conversation(&["user", "system"]), 400, late),
    ]
}

fn by_google() -> [Refused; 1] {
    let message = "Invalid JSON payload received. Unknown name \"logprobs\": Cannot find field.";
    let error = json!({"code": 400, "message": message, "status": "INVALID_ARGUMENT"});
    [(json!({"logprobs": true}), 400, json!([{"error": error}]))]
}

fn by_bedrock() -> [Refused; 4] {
    let said = |message: &str| json!({"message": message});
    let tools = "The toolConfig field must be defined when using toolUse and toolResult content \
        blocks.";
    let long = "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens for \
        claude-3-5-sonnet-20241022";
    let begun = "This model does not support assistant message prefill. The conversation must end \
        with a user message.";
    [
        (
            json!({"temperature": 1.5}),
            400,
            said("temperature: range: 0..1"),
        ),
        (conversation(&["user", "tool"]), 400, said(tools)),
        (json!({"max_tokens": 9000}), 400, said(long)),
        (conversation(&["user", "assistant"]), 400, said(begun)),
    ]
}

/// What each refuses.
fn refusals() -> Vec<(Profile, Refused)> {
    let by = |profile| move |refused| (profile, refused);
    let mut all = by_openai_and_azure().to_vec();
    all.extend(by_vllm().map(by(Profile::Vllm)));
    all.extend(by_llama_cpp().map(by(Profile::LlamaCpp)));
    all.extend(by_gemma().map(by(Profile::Gemma)));
    all.extend(by_mistral().map(by(Profile::Mistral)));
    all.extend(by_google().map(by(Profile::Google)));
    all.extend(by_bedrock().map(by(Profile::Bedrock)));
    all
}

#[tokio::test]
async fn each_refuses_in_its_own_words_and_form() {
    for (profile, (fields, status, document)) in refusals() {
        let name = profile.name();
        let told = told(profile, fields.clone()).await;
        assert_eq!(told, (status, document), "{name} {fields}");
    }
}

#[tokio::test]
async fn what_it_ignores_does_nothing() {
    let fields = json!({"n": 3, "logprobs": true, "max_completion_tokens": 1, "top_k": 4});
    let (status, answer) = told(Profile::Ollama, fields).await;
    assert_eq!(status, 200);
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(1));
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], "Seven of nine.");
    assert_eq!(choice["logprobs"], Value::Null);
}

async fn streamed(profile: Profile, fields: &Value) -> (Vec<Value>, String) {
    let (_sim, client) = of(profile).await;
    let mut asked = asked(fields);
    asked["stream"] = json!(true);
    let answer = client.chat(&asked).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str(data).ok());
    (chunks.collect(), text)
}

#[tokio::test]
async fn every_stream_tells_the_answer_and_its_end() {
    for profile in Profile::ALL {
        let (chunks, text) = streamed(profile, &json!({})).await;
        assert_eq!(contents(&chunks), "Seven of nine.", "{}", profile.name());
        let ends = text.matches(r#""finish_reason":"stop""#).count();
        assert_eq!(ends, 1, "{}", profile.name());
        let (status, answer) = told(profile, json!({})).await;
        let message = &answer["choices"][0]["message"];
        assert_eq!(
            (status, &message["content"]),
            (200, &json!("Seven of nine."))
        );
        assert_eq!(answer["usage"]["completion_tokens"], 3);
    }
}

#[tokio::test]
async fn streams_have_the_shapes_of_their_servers() {
    let usage = json!({"stream_options": {"include_usage": true}});
    let (_, text) = streamed(Profile::Ollama, &json!({})).await;
    assert!(
        text.contains(r#""finish_reason":"""#) && !text.contains("usage"),
        "{text}"
    );
    let (_, text) = streamed(Profile::Gemma, &json!({})).await;
    assert!(!text.contains("[DONE]") && text.contains("usage"), "{text}");
    let (chunks, _) = streamed(Profile::Bedrock, &usage).await;
    assert_eq!(
        chunks.last().map(|chunk| &chunk["choices"]),
        Some(&Value::Null)
    );
    let (_, text) = streamed(Profile::LlamaCpp, &json!({})).await;
    assert!(
        text.starts_with(":\n\n") && text.contains("timings"),
        "{text}"
    );
    let (chunks, _) = streamed(Profile::Azure, &json!({})).await;
    assert_eq!(
        chunks.first().map(|chunk| &chunk["choices"]),
        Some(&json!([]))
    );
    let last = chunks.last().map(|chunk| &chunk["choices"][0]);
    assert_eq!(last.and_then(|choice| choice.get("delta")), None);
    let (chunks, _) = streamed(Profile::Google, &json!({})).await;
    let last = chunks.last().map(|chunk| &chunk["choices"][0]);
    assert_eq!(
        last.map(|choice| &choice["delta"]["content"]),
        Some(&json!(" nine."))
    );
}

#[tokio::test]
async fn injected_errors_have_the_form_too() {
    let status = Fault::Status {
        status: 503,
        retry_after: None,
        code: None,
    };
    let (_sim, client) = start(Knobs {
        profile: Some(Profile::Bedrock),
        faults: vec![status.into()],
        ..Knobs::default()
    })
    .await;
    let answer = client.chat(&question()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.json()["message"].is_string());
}

#[test]
fn what_is_written_as_json_is_json() {
    for profile in Profile::ALL {
        let shape = &profile.manners().shape;
        let parts = [shape.beside, shape.choice, shape.message];
        for json in parts.into_iter().chain(shape.first).chain(shape.last) {
            let read = serde_json::from_str::<Value>(json);
            assert!(
                read.is_ok_and(|json| json.is_object()),
                "{}",
                profile.name()
            );
        }
        let name = serde_json::to_value(profile).unwrap();
        assert_eq!(name, profile.name());
    }
}
