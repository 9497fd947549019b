//! OpenAI's Responses: their events, what is refused, and what goes wrong in them.

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{Answer, Client, events};
use super::start;
use crate::{Ending, Fault, Knobs, Profile};

const PATH: &str = "/v1/responses";

fn openai() -> Knobs {
    Knobs {
        profile: Some(Profile::Responses),
        content: Some("Seven of nine.".to_owned()),
        cached_tokens: 1,
        ..Knobs::default()
    }
}

fn asked() -> Value {
    json!({"model": "sim-small", "input": "What is seven?"})
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let function = json!({"type": "function", "name": "weather", "parameters": schema});
    json!([function, {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "ns", "tools": [function]}])
}

async fn post(client: &Client, body: &Value) -> Answer {
    client.post(PATH, body.to_string().into_bytes()).await
}

/// The events of a stream, if each is numbered and its item's and response's ids stay the same.
async fn stream(client: &Client, body: &Value) -> Vec<Value> {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let told = events(&post(client, &body).await.body);
    let id = &told[0]["response"]["id"];
    for (number, event) in told.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        assert!(
            event
                .get("response")
                .is_none_or(|response| response["id"] == *id)
        );
    }
    told
}

#[tokio::test]
async fn a_stream_of_a_response_has_every_item_as_the_whole_object_does() {
    let (_sim, client) = start(Knobs {
        tool_calls: true,
        calls: 3.try_into().unwrap(),
        ..openai()
    })
    .await;
    let reasoning = json!({"effort": "low", "summary": "auto"});
    let include = json!(["reasoning.encrypted_content"]);
    let calls = json!(["function_call", "custom_tool_call", "function_call"]);
    for (change, kinds, last) in [
        (json!({}), json!(["message"]), "response.completed"),
        (json!({"tools": tools()}), calls, "response.completed"),
        (
            json!({"reasoning": reasoning, "include": include}),
            json!(["reasoning", "message"]),
            "response.completed",
        ),
    ] {
        let mut body = asked();
        let change = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(change);
        let told = stream(&client, &body).await;
        assert_eq!(told[0]["type"], "response.created");
        let end = told.last().unwrap();
        assert_eq!(end["type"], last);
        let output = end["response"]["output"].as_array().unwrap();
        let found: Vec<&Value> = output.iter().map(|item| &item["type"]).collect();
        assert_eq!(json!(found), kinds);
        let done = told
            .iter()
            .filter(|event| event["type"] == "response.output_item.done");
        assert_eq!(
            done.map(|event| &event["item"]).collect::<Vec<_>>(),
            output.iter().collect::<Vec<_>>()
        );
        for (index, item) in output.iter().enumerate() {
            let own = told.iter().filter(|event| event["output_index"] == index);
            let deltas: String = own.filter_map(|event| event["delta"].as_str()).collect();
            let texts = ["/arguments", "/input", "/content/0/text", "/summary/0/text"];
            let text = texts.iter().find_map(|place| item.pointer(place));
            assert_eq!(text.unwrap(), &json!(deltas));
        }
    }
}

#[tokio::test]
async fn a_namespace_comes_back_with_its_call() {
    let (_sim, client) = start(openai()).await;
    let mut body = asked();
    body["tools"] = json!([tools()[2]]);
    body["tool_choice"] = json!("required");
    let call = post(&client, &body).await.json()["output"][0].clone();
    assert_eq!(
        (&call["name"], &call["namespace"]),
        (&json!("weather"), &json!("ns"))
    );
}

#[tokio::test]
async fn reasoning_is_taken_back_with_what_it_was_and_what_it_was_for() {
    let (_sim, client) = start(Knobs {
        tool_calls: true,
        ..openai()
    })
    .await;
    let mut body = asked();
    body["store"] = json!(false);
    body["tools"] = tools();
    body["reasoning"] = json!({"effort": "low"});
    body["include"] = json!(["reasoning.encrypted_content"]);
    let output = post(&client, &body).await.json()["output"].clone();
    let (reasoning, call) = (output[0].clone(), output[1].clone());
    let user = json!({"role": "user", "content": "Where?"});
    let result = json!({"type": "function_call_output", "call_id": call["call_id"],
        "output": "7"});
    body["input"] = json!([user, reasoning, call, result]);
    assert_eq!(post(&client, &body).await.status, StatusCode::OK);
    let mut bare = reasoning.clone();
    bare.as_object_mut().unwrap().remove("encrypted_content");
    let mut foreign = reasoning.clone();
    foreign["encrypted_content"] = json!("A".repeat(54));
    for (input, status, words) in [
        (
            json!([user, call, result]),
            400,
            "without its required 'reasoning' item",
        ),
        (
            json!([user, reasoning]),
            400,
            "without its required following item",
        ),
        (json!([user, bare, call, result]), 404, "not found"),
        (
            json!([user, foreign, call, result]),
            400,
            "could not be verified",
        ),
        (json!([user, reasoning, call]), 400, "No tool output found"),
        (json!([user, result]), 400, "No tool call found"),
    ] {
        body["input"] = input;
        let answer = post(&client, &body).await;
        let told = answer.json();
        assert_eq!(answer.status.as_u16(), status, "{told}");
        assert!(
            told["error"]["message"].as_str().unwrap().contains(words),
            "{told}"
        );
    }
}

#[tokio::test]
async fn responses_are_refused_as_openai_refuses_them() {
    let (_sim, client) = start(openai()).await;
    let long = "x".repeat(80);
    let said = |role: &str, kind: &str| {
        json!([{"role": role, "content": [{"type": kind,
        "text": "x"}]}])
    };
    let nested = json!([{"type": "function", "function": {"name": "weather"}}]);
    let flat = json!([{"type": "function", "name": "weather", "parametres": {}}]);
    let strict = json!([{"type": "function", "name": "weather", "strict": true,
        "parameters": {"type": "object"}}]);
    let call = json!({"type": "function_call", "call_id": long, "name": "a", "arguments": "{}"});
    let item = json!({"type": "function_call", "id": "item_1", "call_id": "c", "name": "a",
        "arguments": "{}"});
    let rows = json!([
        ["seed", 1, "seed", "unknown_parameter"],
        ["max_tokens", 20, "max_tokens", "unsupported_parameter"],
        ["response_format", {}, "response_format", "unsupported_parameter"],
        ["max_output_tokens", 2, "max_output_tokens", "integer_below_min_value"],
        ["previous_response_id", "resp_1", "previous_response_id", "previous_response_not_found"],
        ["include", ["all"], "include[0]", "invalid_value"],
        ["reasoning", {"effort": "max"}, "reasoning.effort", "unsupported_value"],
        ["text", {"format": {"type": "json_schema"}}, "text.format.name",
            "missing_required_parameter"],
        ["tools", nested, "tools[0].name", "missing_required_parameter"],
        ["tools", flat, "tools[0].parametres", "unknown_parameter"],
        ["tools", strict, "tools[0].parameters", "invalid_function_parameters"],
        ["tool_choice", {"type": "function", "function": {}}, "tool_choice.name",
            "missing_required_parameter"],
        ["input", said("user", "text"), "input[0].content[0]", "invalid_value"],
        ["input", said("assistant", "input_text"), "input[0].content[0]", "invalid_value"],
        ["input", said("robot", "input_text"), "input[0].role", "invalid_value"],
        ["input", [call], "input[0].call_id", "string_above_max_length"],
        ["input", [item], "input[0].id", "invalid_value"],
        ["input", [{"type": "reasoning", "id": "rs_1"}], "input[0].summary",
            "missing_required_parameter"],
    ]);
    assert_eq!(post(&client, &asked()).await.status, StatusCode::OK);
    for row in rows.as_array().unwrap() {
        let mut body = asked();
        body[row[0].as_str().unwrap()] = row[1].clone();
        let answer = post(&client, &body).await;
        let error = answer.json()["error"].clone();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{row}");
        assert_eq!(
            (&error["param"], &error["code"]),
            (&row[2], &row[3]),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_response_that_fails_in_mid_stream_says_so_with_its_own_id() {
    let fault = |status, code: Option<&str>| Fault::StatusEvent {
        status,
        code: code.map(str::to_owned),
    };
    for (fault, code) in [
        (Fault::ErrorEvent, "server_error"),
        (fault(429, None), "rate_limit_exceeded"),
        (
            fault(400, Some("context_length_exceeded")),
            "context_length_exceeded",
        ),
    ] {
        let (_sim, client) = start(Knobs {
            faults: vec![fault.into()],
            ..openai()
        })
        .await;
        let told = stream(&client, &asked()).await;
        let end = told.last().unwrap();
        assert_eq!(end["type"], "response.failed");
        assert_eq!(
            (
                &end["response"]["status"],
                &end["response"]["error"]["code"]
            ),
            (&json!("failed"), &json!(code))
        );
    }
}

#[tokio::test]
async fn responses_end_as_they_are_told_to() {
    let (sim, client) = start(openai()).await;
    for (ending, status) in [
        (Ending::Refusal, "completed"),
        (Ending::Filter, "incomplete"),
        (Ending::Failed, "failed"),
    ] {
        sim.set(Knobs {
            ending: Some(ending),
            ..openai()
        });
        let whole = post(&client, &asked()).await.json();
        assert_eq!(whole["status"], status);
        let told = stream(&client, &asked()).await;
        assert_eq!(told.last().unwrap()["type"], format!("response.{status}"));
        let refusal = whole.pointer("/output/0/content/0/refusal");
        assert_eq!(refusal.is_some(), ending == Ending::Refusal);
        assert_eq!(whole["error"].is_object(), ending == Ending::Failed);
    }
    sim.set(Knobs {
        window: Some(1),
        ..openai()
    });
    let error = post(&client, &asked()).await.json()["error"].clone();
    assert_eq!(error["code"], "context_length_exceeded");
    sim.set(openai());
    let counted = client.post(
        "/v1/responses/input_tokens",
        asked().to_string().into_bytes(),
    );
    let expected = json!({"object": "response.input_tokens", "input_tokens": 4});
    assert_eq!(counted.await.json(), expected);
}
