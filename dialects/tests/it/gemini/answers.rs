//! Whole answers, read from upstreams and written for clients; counts, lists and errors.

use std::sync::Arc;
use std::time::Duration;

use hone_dialects::marks::Names;
use hone_dialects::{Dialect, ErrorReply, Model, Source, codec};
use hone_strategies::chat::{Choice, Completion, Message, Native, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{frame, source};

const GEMINI: Dialect = Dialect::Gemini;

fn read(body: &Value) -> Result<Completion, Box<ErrorReply>> {
    codec(GEMINI).decode_answer(body.to_string().as_bytes(), &source())
}

fn written(to: Dialect, answer: &Completion) -> Value {
    serde_json::from_str(&codec(to).encode_answer(answer, &frame(to))).unwrap()
}

fn body(parts: &Value, reason: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason,
        "index": 0}], "modelVersion": "g", "responseId": "r"})
}

fn of_message(message: Message, reason: &str) -> Completion {
    Completion {
        choices: vec![Choice::new(message, reason)],
        usage: Some(Usage::new(3, 4)),
        ..Completion::default()
    }
}

fn calling(arguments: &str) -> Message {
    Message::new("assistant", Value::Null).with(
        "tool_calls",
        json!([{"id": "c.1", "type": "function",
            "function": {"name": "f", "arguments": arguments}}]),
    )
}

#[test]
fn an_answer_of_googles_is_the_same_after_the_middle() {
    let parts = json!([
        {"text": "hm", "thought": true},
        {"text": "Hi", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"b": 1, "a": 2.50}, "id": "x"}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
    ]);
    let mut told = body(&parts, "STOP");
    let sources = json!({"webSearchQueries": ["q"]});
    told["candidates"][0]["groundingMetadata"] = sources.clone();
    let answer = read(&told).unwrap();
    let message = &answer.choices[0].message;
    assert_eq!(message.text(), "Hi");
    assert_eq!(message.get("reasoning_content"), Some(&json!("hm")));
    let call = &message.tool_calls().unwrap()[0];
    assert_eq!(call["function"]["arguments"], r#"{"b":1,"a":2.5}"#);
    let again = &written(GEMINI, &answer)["candidates"][0];
    assert_eq!(again["content"]["parts"], parts);
    assert_eq!(again["groundingMetadata"], sources);
    assert_eq!(again["finishReason"], "STOP");
}

#[test]
fn thoughts_and_cached_tokens_are_counted_once_on_their_way_to_anthropics_clients() {
    let mut told = body(&json!([{"text": "Hi"}]), "STOP");
    told["usageMetadata"] = json!({"promptTokenCount": 90, "cachedContentTokenCount": 60,
        "candidatesTokenCount": 5, "thoughtsTokenCount": 20});
    let answer = read(&told).unwrap();
    let usage = answer.usage.unwrap();
    assert_eq!((usage.prompt, usage.completion, usage.total), (90, 25, 115));
    assert_eq!((usage.cached, usage.reasoning), (60, 20));
    let anthropic = &written(Dialect::Anthropic, &answer)["usage"];
    for (name, expected) in [
        ("input_tokens", 30),
        ("cache_read_input_tokens", 60),
        ("cache_creation_input_tokens", 0),
        ("output_tokens", 25),
    ] {
        assert_eq!(anthropic[name], expected, "{name}");
    }
    let again = &written(GEMINI, &answer)["usageMetadata"];
    let mut expected = told["usageMetadata"].clone();
    expected["totalTokenCount"] = 115.into();
    assert_eq!(again, &expected);
}

#[test]
fn every_reason_becomes_the_one_that_it_means() {
    let text = json!([{"text": "a"}]);
    let call = json!([{"functionCall": {"name": "f"}}]);
    for (word, parts, expected) in [
        ("STOP", &text, "stop"),
        ("STOP", &call, "tool_calls"),
        ("MAX_TOKENS", &text, "length"),
        ("MAX_TOKENS", &call, "length"),
        ("SAFETY", &text, "content_filter"),
        ("RECITATION", &text, "content_filter"),
        ("ESCALATION", &text, "content_filter"),
        ("CONTINUATION", &text, "length"),
        ("OTHER", &text, "stop"),
        ("A_NEW_WORD", &text, "stop"),
    ] {
        let answer = read(&body(parts, word)).unwrap();
        assert_eq!(
            answer.choices[0].finish_reason.as_deref(),
            Some(expected),
            "{word}"
        );
    }
    for (word, parts) in [
        ("MALFORMED_FUNCTION_CALL", &text),
        ("UNEXPECTED_TOOL_CALL", &call),
        ("MALFORMED_RESPONSE", &text),
        ("OTHER", &json!([])),
        ("A_NEW_WORD", &json!([])),
    ] {
        let error = read(&body(parts, word)).unwrap_err();
        assert_eq!(error.status, 502, "{word}");
        assert!(error.message.contains(word), "{error:?}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal_and_no_candidates_are_a_failure() {
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT",
        "blockReasonMessage": "Not this."}});
    let answer = read(&blocked).unwrap();
    let choice = &answer.choices[0];
    assert_eq!(choice.finish_reason.as_deref(), Some("content_filter"));
    assert_eq!(choice.message.refusal(), Some("Not this."));
    for nothing in [json!({}), json!({"candidates": []}), json!([])] {
        assert_eq!(read(&nothing).unwrap_err().status, 502, "{nothing}");
    }
}

#[test]
fn a_candidate_that_failed_does_not_spoil_the_others() {
    let mut told = body(&json!([{"text": "a"}]), "STOP");
    let failed = json!({"finishReason": "MALFORMED_FUNCTION_CALL", "index": 1});
    told["candidates"].as_array_mut().unwrap().push(failed);
    let answer = read(&told).unwrap();
    assert_eq!(answer.choices.len(), 1);
    assert_eq!(answer.choices[0].message.text(), "a");
}

#[test]
fn calls_get_ids_that_every_dialect_takes_and_the_clients_names() {
    let names = Names::of(["a.b"]);
    let name = names.there("a.b").into_owned();
    let parts = json!([{"functionCall": {"name": name}},
        {"functionCall": {"name": name, "id": "x:1"}}]);
    let source = Source {
        names: Arc::new(names),
        seed: "s".to_owned(),
        ..source()
    };
    let told = body(&parts, "STOP").to_string();
    let answer = codec(GEMINI)
        .decode_answer(told.as_bytes(), &source)
        .unwrap();
    let calls = answer.choices[0].message.tool_calls().unwrap();
    for (at, start) in [(0, "call_"), (1, "x_1-")] {
        assert_eq!(calls[at]["function"]["name"], "a.b");
        let id = calls[at]["id"].as_str().unwrap();
        assert!(id.starts_with(start) && id.len() <= 64, "{id}");
    }
}

#[test]
fn a_chat_client_finds_the_signature_beside_the_call() {
    let parts = json!([{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]);
    let answer = read(&body(&parts, "STOP")).unwrap();
    let chat = written(Dialect::OpenAiChat, &answer);
    let call = &chat["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["extra_content"]["google"]["thought_signature"], "c2ln");
    assert_eq!(chat["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn an_answer_from_elsewhere_has_a_part_even_if_it_says_nothing() {
    let found = written(GEMINI, &of_message(Message::assistant(""), "stop"));
    let candidate = &found["candidates"][0];
    assert_eq!(
        candidate["content"],
        json!({"role": "model", "parts": [{"text": ""}]})
    );
    assert_eq!(candidate["finishReason"], "STOP");
    assert_eq!(found["modelVersion"], "asked");
    assert_eq!(found["usageMetadata"]["totalTokenCount"], 7);
}

#[test]
fn a_call_that_was_cut_off_is_left_out_and_odd_arguments_are_not() {
    let parts = |arguments: &str, reason: &str| {
        let found = written(GEMINI, &of_message(calling(arguments), reason));
        found["candidates"][0]["content"]["parts"].clone()
    };
    assert_eq!(parts("{\"a\":", "length"), json!([{"text": ""}]));
    let odd = parts("hm", "tool_calls");
    assert_eq!(odd[0]["functionCall"]["args"], json!({"input": "hm"}));
    let whole = parts("{\"a\":1}", "tool_calls");
    assert_eq!(whole[0]["functionCall"]["args"], json!({"a": 1}));
    let id = whole[0]["functionCall"]["id"].as_str().unwrap();
    assert!(id.starts_with("c_1-"), "{id}");
}

#[test]
fn every_choice_is_a_candidate() {
    let mut answer = of_message(Message::assistant("a"), "stop");
    let mut other = Choice::new(Message::assistant("b"), "length");
    other.index = 1;
    answer.choices.push(other);
    let found = written(GEMINI, &answer);
    let of = |at: usize| &found["candidates"][at];
    assert_eq!(of(0)["content"]["parts"][0]["text"], "a");
    assert_eq!(
        (&of(1)["index"], &of(1)["finishReason"]),
        (&json!(1), &json!("MAX_TOKENS"))
    );
}

#[test]
fn only_the_reasoning_of_another_provider_is_kept_for_it_and_on_the_first_call_alone() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let native = Native {
        dialect: Dialect::Anthropic,
        model: "up/claude".to_owned(),
        value: vec![thinking, json!({"type": "text", "text": "a long text"})],
    };
    let message = calling("{}")
        .with("content", "a")
        .with_native(Some(Arc::new(native)));
    let found = written(GEMINI, &of_message(message, "tool_calls"));
    let parts = found["candidates"][0]["content"]["parts"]
        .as_array()
        .unwrap();
    assert_eq!(parts[0], json!({"text": "a"}));
    let slot = parts[1]["thoughtSignature"].as_str().unwrap();
    assert!(slot.starts_with("aG9uZTEu"), "{slot}");
    assert!(slot.len() < 300, "{}", slot.len());
}

#[test]
fn probabilities_of_tokens_are_carried() {
    let logprobs = json!({"chosenCandidates": [{"token": "a", "logProbability": -1.0}],
        "topCandidates": [{"candidates": [{"token": "a", "logProbability": -1.0}]}]});
    let mut told = body(&json!([{"text": "a"}]), "STOP");
    told["candidates"][0]["logprobsResult"] = logprobs.clone();
    let answer = read(&told).unwrap();
    assert_eq!(answer.choices[0].mean_logprob(), Some(-1.0));
    assert_eq!(
        written(GEMINI, &answer)["candidates"][0]["logprobsResult"],
        logprobs
    );
}

#[test]
fn errors_are_told_in_googles_form_with_the_path_at_fault_and_how_long_to_wait() {
    let error = ErrorReply {
        param: Some("contents.0.parts.1".to_owned()),
        retry_after: Some(Duration::from_secs(12)),
        ..ErrorReply::new(429, "Slow down.")
    };
    let spoken = codec(GEMINI).error(&error);
    let told: Value = serde_json::from_str(&spoken.body).unwrap();
    assert_eq!((spoken.status, &told["error"]["code"]), (429, &json!(429)));
    assert_eq!(told["error"]["status"], "RESOURCE_EXHAUSTED");
    assert!(
        spoken.body.contains(r#""retryDelay":"12s""#),
        "{}",
        spoken.body
    );
    let violation = r#""fieldViolations":[{"field":"contents.0.parts.1","#;
    assert!(spoken.body.contains(violation), "{}", spoken.body);
    let back = codec(GEMINI).decode_error(429, spoken.body.as_bytes());
    assert_eq!(
        (back.param, back.retry_after),
        (error.param, error.retry_after)
    );
}

#[test]
fn a_bad_key_is_told_as_one_although_google_says_that_the_request_is_bad() {
    let body = json!({"error": {"code": 400, "message": "API key not valid.", "status":
        "INVALID_ARGUMENT", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID"}]}});
    for body in [body.clone(), json!([body])] {
        let error = codec(GEMINI).decode_error(400, body.to_string().as_bytes());
        assert_eq!(error.status, 401);
        let anthropic = codec(Dialect::Anthropic).error(&error);
        assert!(
            anthropic.body.contains("authentication_error"),
            "{}",
            anthropic.body
        );
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_one() {
    let body = json!({"error": {"code": 429, "message": "No.", "status": "RESOURCE_EXHAUSTED"}});
    assert_eq!(read(&body).unwrap_err().status, 429);
    assert_eq!(read(&json!([body])).unwrap_err().status, 429);
}

#[test]
fn counts_and_lists_of_models_have_googles_names() {
    let codec = codec(GEMINI);
    assert_eq!(codec.encode_count_answer(7), r#"{"totalTokens":7}"#);
    assert_eq!(codec.decode_count(br#"{"totalTokens":7,"x":1}"#), Some(7));
    assert_eq!(codec.decode_count(b"{}"), None);
    let models = codec.encode_models(&[Model {
        id: "m",
        created: 0,
    }]);
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!(models["models"][0]["name"], "models/m");
}

proptest! {
    #[test]
    fn usage_comes_back(
        prompt in 0_u64..1000, completion in 0_u64..1000, cached in 0_u64..1000,
        reasoning in 0_u64..1000,
    ) {
        let usage = Usage {
            cached: cached.min(prompt),
            reasoning: reasoning.min(completion),
            ..Usage::new(prompt, completion)
        };
        let mut answer = of_message(Message::assistant("a"), "stop");
        answer.usage = Some(usage);
        let back = read(&written(GEMINI, &answer)).unwrap();
        prop_assert_eq!(back.usage, Some(usage));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        head in prop::sample::select(vec!["", "[", "{\"candidates\":", "{"]), tail: Vec<u8>,
    ) {
        let body = [head.as_bytes(), &tail].concat();
        prop_assert!(codec(GEMINI).decode_answer(&body, &source()).is_err());
    }
}
