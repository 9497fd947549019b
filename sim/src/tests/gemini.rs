//! Gemini: its streams, what is refused, and what goes wrong in them.

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{Answer, Client, events};
use super::start;
use crate::{Ending, Fault, KeyDigest, Knobs, Profile};

fn gemini() -> Knobs {
    Knobs {
        profile: Some(Profile::Gemini),
        content: Some("Seven of nine.".to_owned()),
        ..Knobs::default()
    }
}

fn user(text: &str) -> Value {
    json!({"role": "user", "parts": [{"text": text}]})
}

fn asked() -> Value {
    json!({"contents": [user("What is seven?")]})
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!([{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema}]}])
}

async fn post(client: &Client, target: &str, body: &Value) -> Answer {
    let target = format!("/v1beta/models/{target}");
    client.post(&target, body.to_string().into_bytes()).await
}

async fn generate(client: &Client, body: &Value) -> Answer {
    post(client, "gemini-3-pro:generateContent", body).await
}

async fn refused(client: &Client, body: &Value, words: &str) {
    let answer = generate(client, body).await;
    let error = answer.json()["error"].clone();
    assert_eq!(
        (answer.status, &error["code"], &error["status"]),
        (
            StatusCode::BAD_REQUEST,
            &json!(400),
            &json!("INVALID_ARGUMENT")
        ),
        "{words}: {error}"
    );
    assert!(
        error["message"].as_str().unwrap().contains(words),
        "{words}: {error}"
    );
}

#[tokio::test]
async fn a_stream_is_events_or_an_array_and_says_the_same_as_the_whole() {
    let (sim, client) = start(gemini()).await;
    let texts = |chunks: &[Value]| -> String {
        let parts = chunks
            .iter()
            .map(|chunk| &chunk["candidates"][0]["content"]["parts"]);
        parts
            .filter_map(|parts| parts[0]["text"].as_str())
            .collect()
    };
    let whole = generate(&client, &asked()).await.json();
    assert_eq!(
        whole["candidates"][0]["content"]["parts"][0]["text"],
        "Seven of nine."
    );
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    let target = "gemini-3-pro:streamGenerateContent";
    let sse = post(&client, &format!("{target}?alt=sse"), &asked()).await;
    assert!(
        sse.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/event-stream")
    );
    let array = post(&client, target, &asked()).await;
    assert!(
        array.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/json")
    );
    for chunks in [events(&sse.body), array.json().as_array().unwrap().clone()] {
        assert_eq!(texts(&chunks), "Seven of nine.");
        let last = chunks.last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    }
    let usage = &whole["usageMetadata"];
    assert_eq!(
        (&usage["candidatesTokenCount"], &usage["thoughtsTokenCount"]),
        (&json!(3), &json!(8))
    );
    assert_eq!(sim.stats().calls_to("streamGenerateContent"), 2);
    let counted = client.post("/v1/models/m:countTokens", asked().to_string().into_bytes());
    assert_eq!(
        counted.await.json()["totalTokens"],
        usage["promptTokenCount"]
    );
}

#[tokio::test]
async fn thoughts_are_shown_where_they_are_asked_for() {
    let (_sim, client) = start(gemini()).await;
    let mut body = asked();
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    let parts = generate(&client, &body).await.json()["candidates"][0]["content"]["parts"].clone();
    assert_eq!(
        (&parts[0]["thought"], &parts[1]["text"]),
        (&json!(true), &json!("Seven of nine."))
    );
    assert!(parts[1]["thoughtSignature"].is_string());
}

#[tokio::test]
async fn a_call_of_the_current_turn_needs_its_signature_or_the_word_for_none() {
    let (_sim, client) = start(Knobs {
        tool_calls: true,
        calls: 2.try_into().unwrap(),
        ..gemini()
    })
    .await;
    let mut body = asked();
    body["tools"] = tools();
    let turn = generate(&client, &body).await.json()["candidates"][0]["content"].clone();
    let signature = turn["parts"][0]["thoughtSignature"].clone();
    assert!(signature.is_string() && turn["parts"][1].get("thoughtSignature").is_none());
    let result = json!({"functionResponse": {"name": "weather", "response": {"output": "7"}}});
    let results = json!({"role": "user", "parts": [result, result]});
    body["contents"] = json!([user("Where?"), turn, results]);
    let coded = KeyDigest::of(b"").to_string();
    for (signature, words) in [
        (signature, ""),
        (json!("skip_thought_signature_validator"), ""),
        (json!("c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="), ""),
        (json!("A".repeat(54)), "Corrupted thought signature"),
        (json!(coded), "Base64 decoding failed"),
        (Value::Null, "missing a thought_signature"),
    ] {
        body["contents"][1]["parts"][0]["thoughtSignature"] = signature;
        if words.is_empty() {
            let answer = generate(&client, &body).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        } else {
            refused(&client, &body, words).await;
        }
    }
    // What is over needs none.
    body["contents"].as_array_mut().unwrap().extend([
        json!({"role": "model", "parts": [{"text": "There."}]}),
        user("And when?"),
    ]);
    assert_eq!(generate(&client, &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_chunks_of_a_stream_can_be_sent_back_as_they_came() {
    let (_sim, client) = start(Knobs {
        tool_calls: true,
        ..gemini()
    })
    .await;
    let mut body = asked();
    body["tools"] = tools();
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    let target = "gemini-3-pro:streamGenerateContent?alt=sse";
    let stream = post(&client, target, &body).await;
    let mut contents = vec![user("Where?")];
    let chunks = events(&stream.body);
    contents.extend(chunks.iter().map(|chunk| {
        let content = &chunk["candidates"][0]["content"];
        assert!(content["parts"].is_array(), "{chunk}");
        content.clone()
    }));
    assert!(contents.len() > 3);
    let result = json!({"functionResponse": {"name": "weather", "response": {"output": "7"}}});
    contents.push(json!({"role": "user", "parts": [result]}));
    body["contents"] = json!(contents);
    let answer = generate(&client, &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    contents.pop();
    contents.push(user("And?"));
    body["contents"] = json!(contents);
    refused(&client, &body, "number of function response parts").await;
}

#[tokio::test]
async fn gemini_refuses_what_it_does_not_know() {
    let (_sim, client) = start(gemini()).await;
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "weather"},
        "thoughtSignature": "skip_thought_signature_validator"}]});
    let result = json!({"functionResponse": {"name": "weather", "response": {}}});
    let results = |parts: Value| json!({"role": "user", "parts": parts});
    let open =
        json!({"name": "a", "parameters": {"type": "OBJECT", "additionalProperties": false}});
    let both = json!({"thinkingConfig": {"thinkingBudget": 9, "thinkingLevel": "LOW"}});
    let any = json!({"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["a"]}});
    let rows = json!([
        ["messages", [], "Unknown name \"messages\": Cannot find field"],
        ["contents", [], "contents is not specified"],
        ["contents", [{"role": "assistant", "parts": [{"text": "x"}]}], "Please use a valid role"],
        ["contents", [{"role": "user", "parts": []}], "contents[0].parts: contents.parts must not"],
        ["contents", [{"role": "user", "parts": [{"type": "text"}]}], "Unknown name \"type\""],
        ["contents", [{"role": "user", "parts": [{"thought": true}]}], "required oneof field"],
        ["contents", [call], "function call turn comes immediately after a user turn"],
        ["contents", [user("x"), call, results(json!([result, result]))], "is equal to the number"],
        ["contents", [user("x"), call, results(json!([result, {"text": "x"}]))], "is equal to"],
        ["contents", [user("x"), call, user("x")], "is equal to the number of function call"],
        ["contents", [results(json!([result]))], "immediately after a function call turn"],
        ["tools", [{"functionDeclarations": [open]}], "Unknown name \"additionalProperties\""],
        ["tools", [{"functionDeclarations": [{"name": "1"}]}], "Invalid function name"],
        ["toolConfig", any, "only when function calling mode is ANY"],
        ["generationConfig", {"max_tokens": 1}, "Unknown name \"max_tokens\""],
        ["generationConfig", {"temperature": 3}, "temperature value of 3"],
        ["generationConfig", {"stopSequences": ["1", "2", "3", "4", "5", "6"]}, "at most 5"],
        ["generationConfig", {"responseJsonSchema": {}}, "response_mime_type is application/json"],
        ["generation_config", both, "only one of thinking budget"],
        ["generationConfig", {"thinkingConfig": {"thinkingLevel": "XHIGH"}}, "\"XHIGH\""],
    ]);
    assert_eq!(generate(&client, &asked()).await.status, StatusCode::OK);
    for row in rows.as_array().unwrap() {
        let mut body = asked();
        body[row[0].as_str().unwrap()] = row[1].clone();
        refused(&client, &body, row[2].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn keys_of_gemini_come_in_a_header_or_the_query_and_are_kept_as_digests() {
    let (sim, client) = start(Knobs {
        keys: Some(vec![KeyDigest::of(b"right")]),
        ..gemini()
    })
    .await;
    let target = "m:generateContent";
    let headed = client.clone().header("x-goog-api-key", "right");
    assert_eq!(post(&headed, target, &asked()).await.status, StatusCode::OK);
    let queried = post(&client, "m:generateContent?key=right&a=b", &asked()).await;
    assert_eq!(queried.status, StatusCode::OK);
    let wrong = post(&client, "m:generateContent?key=wrong", &asked()).await;
    let error = wrong.json()["error"].clone();
    assert_eq!(
        (
            wrong.status,
            &error["status"],
            &error["details"][0]["reason"]
        ),
        (
            StatusCode::BAD_REQUEST,
            &json!("INVALID_ARGUMENT"),
            &json!("API_KEY_INVALID")
        )
    );
    let none = post(&client, target, &asked()).await;
    assert_eq!(
        (none.status, &none.json()["error"]["status"]),
        (StatusCode::FORBIDDEN, &json!("PERMISSION_DENIED"))
    );
    assert_eq!(sim.stats().calls_with(b"right"), 2);
    let seen = format!("{:?} {:?}", sim.requests(), sim.stats());
    assert!(!seen.contains("right") && !seen.contains("wrong"), "{seen}");
    assert!(sim.requests()[1].target.ends_with("&a=b"));
}

#[tokio::test]
async fn errors_of_gemini_say_when_to_try_again_and_close_an_array() {
    let fault = |status| Fault::Status {
        status,
        retry_after: Some("7".to_owned()),
        code: None,
    };
    let (sim, client) = start(gemini()).await;
    sim.set(Knobs {
        faults: vec![fault(429).into()],
        ..gemini()
    });
    let error = generate(&client, &asked()).await.json()["error"].clone();
    assert_eq!(
        (&error["status"], &error["details"][0]["retryDelay"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!("7s"))
    );
    let fault = Fault::StatusEvent {
        status: 503,
        code: None,
    };
    sim.set(Knobs {
        faults: vec![fault.into()],
        ..gemini()
    });
    let target = "gemini-3-pro:streamGenerateContent";
    let array = post(&client, target, &asked()).await.json();
    let sse = post(&client, &format!("{target}?alt=sse"), &asked()).await;
    for chunks in [array.as_array().unwrap().clone(), events(&sse.body)] {
        assert!(chunks.len() > 1);
        assert_eq!(chunks.last().unwrap()["error"]["status"], "UNAVAILABLE");
    }
}

#[tokio::test]
async fn answers_of_gemini_end_as_they_are_told_to() {
    let (sim, client) = start(gemini()).await;
    for (ending, reason) in [
        (Ending::Refusal, "SAFETY"),
        (Ending::Filter, "RECITATION"),
        (Ending::MalformedCall, "MALFORMED_FUNCTION_CALL"),
    ] {
        sim.set(Knobs {
            ending: Some(ending),
            ..gemini()
        });
        let candidate = generate(&client, &asked()).await.json()["candidates"][0].clone();
        assert_eq!(candidate["finishReason"], reason);
        assert!(candidate["content"].get("parts").is_none());
    }
    sim.set(Knobs {
        ending: Some(Ending::Blocked),
        ..gemini()
    });
    let blocked = generate(&client, &asked()).await.json();
    assert_eq!(
        blocked["promptFeedback"]["blockReason"],
        "PROHIBITED_CONTENT"
    );
    assert!(blocked.get("candidates").is_none());
    sim.set(Knobs {
        window: Some(1),
        ..gemini()
    });
    refused(&client, &asked(), "exceeds the maximum number of tokens").await;
    sim.set(gemini());
    let mut body = asked();
    body["generationConfig"] = json!({"maxOutputTokens": 9, "candidateCount": 2});
    let candidates = generate(&client, &body).await.json()["candidates"].clone();
    assert_eq!(
        (&candidates[1]["finishReason"], &candidates[1]["index"]),
        (&json!("MAX_TOKENS"), &json!(1))
    );
}
