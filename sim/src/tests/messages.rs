//! Anthropic's Messages: their forms, what is refused, and what goes wrong in them.

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{Answer, Client, events};
use super::start;
use crate::{Ending, Fault, KeyDigest, Knobs, Profile, SimHandle};

const PATH: &str = "/v1/messages";

fn anthropic() -> Knobs {
    Knobs {
        profile: Some(Profile::Anthropic),
        content: Some("Seven of nine.".to_owned()),
        cached_tokens: 1,
        cache_write_tokens: 2,
        ..Knobs::default()
    }
}

fn asked() -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 2000,
        "messages": [{"role": "user", "content": "What is seven?"}]})
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!([{"name": "weather", "input_schema": schema}, {"name": "time", "input_schema": schema}])
}

async fn served(knobs: Knobs) -> (SimHandle, Client) {
    let (sim, client) = start(knobs).await;
    (sim, client.header("anthropic-version", "2023-06-01"))
}

async fn post(client: &Client, body: &Value) -> Answer {
    client.post(PATH, body.to_string().into_bytes()).await
}

/// What a stream's blocks add up to, if its events are in order.
fn assembled(events: &[Value]) -> Value {
    assert_eq!(events[0]["type"], "message_start", "{events:?}");
    let mut message = events[0]["message"].clone();
    let mut open = None;
    for event in &events[1..] {
        match event["type"].as_str().unwrap() {
            "ping" | "message_stop" => {}
            "content_block_start" => {
                let blocks = message["content"].as_array_mut().unwrap();
                assert_eq!((event["index"].clone(), open), (json!(blocks.len()), None));
                open = Some(String::new());
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = message["content"]
                    .as_array_mut()
                    .unwrap()
                    .last_mut()
                    .unwrap();
                for (field, text) in event["delta"].as_object().unwrap() {
                    let text = text.as_str().unwrap();
                    match field.as_str() {
                        "type" => {}
                        "partial_json" => open.as_mut().unwrap().push_str(text),
                        _ => block[field] = json!(block[field].as_str().unwrap().to_owned() + text),
                    }
                }
            }
            "content_block_stop" => {
                let block = message["content"]
                    .as_array_mut()
                    .unwrap()
                    .last_mut()
                    .unwrap();
                let input = open.take().unwrap();
                if block["type"] == "tool_use" {
                    block["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => {
                let delta = event["delta"].as_object().unwrap().clone();
                message.as_object_mut().unwrap().extend(delta);
                message["usage"] = event["usage"].clone();
            }
            other => panic!("an event of the type {other}"),
        }
    }
    message
}

#[tokio::test]
async fn a_stream_of_messages_adds_up_to_the_whole_message() {
    let (_sim, client) = served(Knobs {
        tool_calls: true,
        calls: 2.try_into().unwrap(),
        ..anthropic()
    })
    .await;
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    for (change, kinds, stop) in [
        (json!({}), json!(["text"]), "end_turn"),
        (
            json!({"thinking": thinking}),
            json!(["thinking", "text"]),
            "end_turn",
        ),
        (
            json!({"tools": tools()}),
            json!(["tool_use", "tool_use"]),
            "tool_use",
        ),
        (json!({"max_tokens": 2}), json!(["text"]), "max_tokens"),
        (
            json!({"stop_sequences": ["of"]}),
            json!(["text"]),
            "stop_sequence",
        ),
    ] {
        let mut body = asked();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let whole = post(&client, &body).await.json();
        assert_eq!(whole["stop_reason"], stop, "{whole}");
        let blocks = whole["content"].as_array().unwrap();
        let found: Vec<&Value> = blocks.iter().map(|block| &block["type"]).collect();
        assert_eq!(json!(found), kinds, "{whole}");
        body["stream"] = json!(true);
        let streamed = events(&post(&client, &body).await.body);
        assert_eq!(streamed.last().unwrap()["type"], "message_stop");
        let mut streamed = assembled(&streamed);
        let drawn = ["id", "signature", "thinking"];
        for (index, block) in blocks.iter().enumerate() {
            for field in drawn.iter().filter(|field| !block[field].is_null()) {
                streamed["content"][index][field] = block[field].clone();
            }
        }
        streamed["id"] = whole["id"].clone();
        assert_eq!(streamed, whole);
    }
}

#[tokio::test]
async fn the_counters_of_messages_are_disjoint() {
    let (sim, client) = served(anthropic()).await;
    let usage = post(&client, &asked()).await.json()["usage"].clone();
    let counted = [
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ];
    let sum: u64 = counted
        .iter()
        .map(|name| usage[name].as_u64().unwrap())
        .sum();
    assert_eq!(sum, sim.stats().prompt_tokens);
    assert_eq!(
        (
            usage["cache_read_input_tokens"].clone(),
            usage["output_tokens"].clone()
        ),
        (json!(1), json!(3))
    );
    let mut body = asked();
    body.as_object_mut().unwrap().remove("max_tokens");
    let path = "/v1/messages/count_tokens?beta=true";
    let counted = client
        .post(path, body.to_string().into_bytes())
        .await
        .json();
    assert_eq!(counted, json!({"input_tokens": sum}));
    assert_eq!(sim.stats().calls_to("messages/count_tokens"), 1);
}

/// A question, a turn of the model with these blocks, and what follows.
fn turns(blocks: &Value, follows: &Value) -> Value {
    json!([{"role": "user", "content": "Where?"}, {"role": "assistant", "content": blocks},
        {"role": "user", "content": follows}])
}

#[tokio::test]
async fn reasoning_is_taken_back_from_the_model_that_made_it_alone() {
    let (_sim, client) = served(Knobs {
        tool_calls: true,
        ..anthropic()
    })
    .await;
    let mut body = asked();
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    body["tools"] = tools();
    let turn = post(&client, &body).await.json()["content"].clone();
    assert_eq!(turn[0]["type"], "thinking");
    let results = json!([{"type": "tool_result", "tool_use_id": turn[1]["id"], "content": "7"}]);
    body["messages"] = turns(&turn, &results);
    let answer = post(&client, &body).await;
    assert_eq!(answer.json()["stop_reason"], "end_turn", "{answer:?}");
    let mut other = body.clone();
    other["model"] = json!("claude-opus-4-5");
    refused(&client, &other, "Invalid `signature`").await;
    let mut altered = body.clone();
    altered["messages"][1]["content"][0]["thinking"] = json!("altered");
    refused(&client, &altered, "Invalid `signature`").await;
    body["messages"] = turns(&json!([turn[1]]), &results);
    refused(&client, &body, "Expected `thinking` or `redacted_thinking`").await;
    let mut hidden = asked();
    hidden["thinking"] = json!({"type": "enabled", "budget_tokens": 1024, "display": "omitted"});
    let block = post(&client, &hidden).await.json()["content"][0].clone();
    assert_eq!(block["thinking"], "");
    assert!(block["signature"].is_string());
}

async fn refused(client: &Client, body: &Value, words: &str) {
    let answer = post(client, body).await;
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["type"], &told["error"]["type"]),
        (
            StatusCode::BAD_REQUEST,
            &json!("error"),
            &json!("invalid_request_error")
        ),
        "{words}: {told}"
    );
    assert_eq!(
        told["request_id"],
        answer.headers["request-id"].to_str().unwrap()
    );
    assert!(
        told["error"]["message"].as_str().unwrap().contains(words),
        "{words}: {told}"
    );
}

/// Each row is a field, a value for it and what is said of that.
async fn refusals(rows: Value) {
    let (_sim, client) = served(anthropic()).await;
    assert_eq!(post(&client, &asked()).await.status, StatusCode::OK);
    for row in rows.as_array().unwrap() {
        let mut body = asked();
        body[row[0].as_str().unwrap()] = row[1].clone();
        refused(&client, &body, row[2].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn anthropic_refuses_fields_that_mean_nothing_to_it() {
    let cached = json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}});
    let empty = json!({"type": "text", "text": ""});
    let open = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
    let clears = json!({"edits": [{"type": "clear_thinking_20251015"}]});
    refusals(json!([
        ["max_tokens", null, "max_tokens: Field required"],
        ["n", 2, "n: Extra inputs are not permitted"],
        ["temperature", 1.5, "temperature: range: 0..1"],
        ["thinking", {"type": "enabled", "budget_tokens": 9}, "greater than or equal"],
        ["thinking", {"type": "enabled", "budget_tokens": 2000}, "`max_tokens` must be"],
        ["thinking", {"type": "adaptive"}, "adaptive thinking is not supported"],
        ["system", [empty], "system: text content blocks"],
        ["system", [cached, cached, cached, cached, cached], "maximum of 4 blocks"],
        ["stop_sequences", [" "], "stop_sequences.0"],
        ["output_config", open, "'additionalProperties' must be"],
        ["context_management", clears, "requires `thinking`"],
    ]))
    .await;
}

#[tokio::test]
async fn anthropic_refuses_conversations_out_of_order() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "7"});
    let text = json!({"type": "text", "text": "go"});
    let empty = json!({"type": "text", "text": ""});
    let said = |role: &str, content: Value| json!([{"role": role, "content": content}]);
    let odd = json!([{"type": "tool_use", "id": "a.1", "name": "weather", "input": {}}]);
    let list = json!([{"type": "tool_use", "id": "a", "name": "weather", "input": []}]);
    refusals(json!([
        ["messages", said("robot", json!("x")), "Unexpected role"],
        [
            "messages",
            said("assistant", json!("x")),
            "first message must use the \"user\" role"
        ],
        [
            "messages",
            said("system", json!("x")),
            "must follow a \"user\" message"
        ],
        [
            "messages",
            said("user", json!([empty])),
            "text content blocks must be non-empty"
        ],
        ["messages", said("user", json!("")), "non-empty content"],
        [
            "messages",
            said("user", json!([{"type": "input_text"}])),
            "Input tag 'input_text'"
        ],
        [
            "messages",
            said("user", json!([result])),
            "unexpected `tool_use_id`"
        ],
        [
            "messages",
            turns(&json!([call]), &json!("no")),
            "`tool_use` ids were found without"
        ],
        [
            "messages",
            turns(&json!([call]), &json!([text, result])),
            "ids were found without"
        ],
        [
            "messages",
            turns(&json!([call]), &json!([result, result])),
            "a single result"
        ],
        ["messages", turns(&odd, &json!("x")), "should match pattern"],
        ["messages", turns(&list, &json!("x")), "a valid dictionary"],
    ]))
    .await;
}

#[tokio::test]
async fn anthropic_refuses_tools_in_openais_form() {
    refusals(json!([
        ["tools", [{"type": "custom", "function": {}}], "name: Field required"],
        ["tools", [{"name": "a b", "input_schema": {"type": "object"}}], "should match pattern"],
        ["tools", [{"name": "a", "parameters": {}}], "parameters: Extra inputs"],
        ["tools", [{"name": "a", "input_schema": {}}], "input_schema.type: Field"],
        ["tool_choice", {"type": "any"}, "while providing tools"],
    ]))
    .await;
}

#[tokio::test]
async fn a_prefill_is_refused_by_models_that_take_none() {
    let (_sim, client) = served(anthropic()).await;
    let mut prefilled = asked();
    prefilled["messages"] = json!([{"role": "user", "content": "x"},
        {"role": "assistant", "content": "It is "}]);
    refused(&client, &prefilled, "trailing whitespace").await;
    prefilled["model"] = json!("claude-opus-4-6");
    refused(&client, &prefilled, "prefill").await;
}

#[tokio::test]
async fn a_version_is_required_and_the_newest_refuses_sampling() {
    let (_sim, client) = start(anthropic()).await;
    refused(&client, &asked(), "anthropic-version: header is required").await;
    let newest = client.header("anthropic-version", "2026-10-21");
    assert_eq!(post(&newest, &asked()).await.status, StatusCode::OK);
    for field in ["temperature", "top_p", "top_k"] {
        let mut body = asked();
        body[field] = json!(1);
        refused(&newest, &body, field).await;
    }
}

#[tokio::test]
async fn keys_of_messages_come_in_either_header() {
    let (_sim, client) = served(Knobs {
        keys: Some(vec![KeyDigest::of(b"right")]),
        ..anthropic()
    })
    .await;
    for (name, value, status) in [
        ("x-api-key", "right", StatusCode::OK),
        ("authorization", "Bearer right", StatusCode::OK),
        ("x-api-key", "wrong", StatusCode::UNAUTHORIZED),
        ("x-goog-api-key", "right", StatusCode::UNAUTHORIZED),
    ] {
        let answer = post(&client.clone().header(name, value), &asked()).await;
        assert_eq!(answer.status, status, "{name}");
        if status != StatusCode::OK {
            assert_eq!(answer.json()["error"]["type"], "authentication_error");
        }
    }
}

#[tokio::test]
async fn errors_of_messages_are_bodies_or_events() {
    let (sim, client) = served(anthropic()).await;
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (529, "overloaded_error"),
    ] {
        let fault = Fault::Status {
            status,
            retry_after: Some("7".to_owned()),
            code: None,
        };
        sim.set(Knobs {
            faults: vec![fault.into()],
            ..anthropic()
        });
        let answer = post(&client, &asked()).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.headers["retry-after"].to_str().unwrap()
            ),
            (status, "7")
        );
        assert_eq!(answer.json()["error"]["type"], kind);
        let fault = Fault::StatusEvent { status, code: None };
        sim.set(Knobs {
            faults: vec![fault.into()],
            ..anthropic()
        });
        let mut body = asked();
        body["stream"] = json!(true);
        let answer = post(&client, &body).await;
        assert_eq!(answer.status, StatusCode::OK);
        let told = events(&answer.body);
        let last = told.last().unwrap();
        assert_eq!(
            (&last["type"], &last["error"]["type"]),
            (&json!("error"), &json!(kind))
        );
        assert!(told.iter().all(|event| event["type"] != "message_stop"));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains("event: error\n"), "{text}");
    }
}

#[tokio::test]
async fn messages_end_as_they_are_told_to() {
    let (sim, client) = served(anthropic()).await;
    for (ending, stop) in [(Ending::Refusal, "refusal"), (Ending::Pause, "pause_turn")] {
        sim.set(Knobs {
            ending: Some(ending),
            ..anthropic()
        });
        let body = post(&client, &asked()).await.json();
        assert_eq!(body["stop_reason"], stop);
        assert_eq!(body["stop_details"].is_object(), ending == Ending::Refusal);
    }
    sim.set(Knobs {
        window: Some(3),
        ..anthropic()
    });
    refused(
        &client,
        &asked(),
        "prompt is too long: 8 tokens > 3 maximum",
    )
    .await;
    sim.set(Knobs {
        faults: vec![Fault::EndMidBody.into()],
        ..anthropic()
    });
    let mut body = asked();
    body["stream"] = json!(true);
    let cut = events(&post(&client, &body).await.body);
    assert!(
        cut.iter().all(|event| event["type"] != "message_delta"),
        "{cut:?}"
    );
}

#[tokio::test]
async fn models_are_listed_in_the_form_of_whoever_asks() {
    let (_sim, client) = start(Knobs::default()).await;
    let anthropics = client.clone().header("anthropic-version", "2023-06-01");
    let list = anthropics.get("/v1/models").await.json();
    assert_eq!(
        (&list["data"][0]["type"], &list["last_id"]),
        (&json!("model"), &json!("sim-large"))
    );
    let unknown = anthropics.get("/v1/models/none").await.json();
    assert_eq!(unknown["error"]["type"], "not_found_error");
    let googles = client.clone().header("x-goog-api-key", "k");
    for list in [
        googles.get("/v1/models").await,
        client.get("/v1beta/models").await,
    ] {
        assert_eq!(list.json()["models"][0]["name"], "models/sim-small");
    }
    let unknown = client.get("/v1beta/models/none").await.json();
    assert_eq!(unknown["error"]["status"], "NOT_FOUND");
}
