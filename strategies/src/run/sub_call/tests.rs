use super::*;

fn request() -> ChatRequest {
    let body = json!({
        "model": "m", "messages": [{"role": "user", "content": "q"}], "stream": true,
            "stream_options": {"include_usage": true}, "n": 4,
        "store": true, "metadata": {"a": "b"}, "tools": [{}],
            "response_format": {"type": "json_object"}, "stop": ["x"],
        "temperature": 0, "seed": 5, "top_k": 3,
    });
    ChatRequest::parse(body.to_string().as_bytes()).unwrap()
}

fn names(call: &SubCall) -> Vec<String> {
    let value: Value = serde_json::from_slice(&call.request.to_bytes()).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

fn refusal(param: &str) -> Rejection {
    Rejection {
        status: 400,
        param: Some(param.to_owned()),
        ..Rejection::default()
    }
}

#[test]
fn a_candidate_keeps_what_shapes_the_answer_and_a_judge_does_not() {
    let candidate = SubCall::answer(&request(), Purpose::Candidate);
    assert_eq!(
        names(&candidate),
        [
            "model",
            "messages",
            "tools",
            "response_format",
            "stop",
            "temperature",
            "seed",
            "top_k"
        ]
    );
    let judge = SubCall::internal(&request(), Purpose::Judge, vec![Message::user("rate")], 99);
    assert_eq!(
        names(&judge),
        [
            "model",
            "messages",
            "temperature",
            "seed",
            "top_k",
            "max_completion_tokens"
        ]
    );
}

#[test]
fn an_internal_ceiling_uses_the_clients_own_field() {
    let mut request = request();
    request.set("max_tokens", 3);
    let judge = SubCall::internal(&request, Purpose::Judge, Vec::new(), 99);
    assert_eq!(
        (
            judge.request.get("max_tokens"),
            judge.request.get(NEW_LIMIT)
        ),
        (Some(&json!(99)), None)
    );
}

#[test]
fn a_refused_ceiling_is_renamed_once_and_then_left_out() {
    let mut call = SubCall::internal(&request(), Purpose::Judge, Vec::new(), 99);
    assert_eq!(
        call.adapt(&refusal(NEW_LIMIT)),
        Some(Adapted::Without(NEW_LIMIT))
    );
    assert_eq!(
        (call.request.get(NEW_LIMIT), call.request.get(OLD_LIMIT)),
        (None, Some(&json!(99)))
    );
    assert_eq!(
        call.adapt(&refusal(OLD_LIMIT)),
        Some(Adapted::Without(OLD_LIMIT))
    );
    assert_eq!(call.request.get(OLD_LIMIT), None);
    assert_eq!(call.adapt(&refusal(NEW_LIMIT)), None);
}

#[test]
fn a_refused_change_gives_the_client_its_own_value_back() {
    let mut call = SubCall::answer(&request(), Purpose::Candidate).diverse(1.0);
    assert_eq!(call.request.get("temperature"), Some(&json!(1.0)));
    assert_eq!(
        call.adapt(&refusal("temperature")),
        Some(Adapted::Without("temperature"))
    );
    assert_eq!(call.request.get("temperature"), Some(&json!(0)));
    assert_eq!(
        call.adapt(&refusal("top_k")),
        None,
        "what the client sent is the client's mistake"
    );
}

#[test]
fn candidates_get_different_seeds_only_from_a_client_that_sent_one() {
    let call = SubCall::answer(&request(), Purpose::Candidate);
    assert_eq!(call.numbered(2).request.get("seed"), Some(&json!(7)));
    let mut unseeded = request();
    unseeded.take("seed");
    assert_eq!(
        SubCall::answer(&unseeded, Purpose::Candidate)
            .numbered(2)
            .request
            .get("seed"),
        None
    );
}

#[test]
fn only_a_temperature_of_0_is_replaced() {
    for (own, sent) in [
        (json!(0), json!(1.0)),
        (json!(0.0), json!(1.0)),
        (Value::Null, json!(1.0)),
        (json!(0.2), json!(0.2)),
        (json!(-1), json!(-1)),
        (json!("hot"), json!("hot")),
        (json!([0]), json!([0])),
    ] {
        let mut request = request();
        request.set("temperature", own.clone());
        let call = SubCall::answer(&request, Purpose::Candidate).diverse(1.0);
        assert_eq!(call.request.get("temperature"), Some(&sent), "{own}");
    }
}

fn says(words: &str) -> Rejection {
    Rejection {
        status: 400,
        message: Some(words.to_owned()),
        ..Rejection::default()
    }
}

#[test]
fn instructions_of_hones_move_into_the_users_turn_and_those_of_the_client_stay() {
    for words in [
        "System role not supported",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "Conversation roles must alternate user/assistant/user/assistant/...",
    ] {
        let added = vec![Message::system("be brief"), Message::user("q")];
        let added = request().with_messages(added);
        let mut call = SubCall::answer(&added, Purpose::Candidate);
        assert_eq!(
            call.adapt(&says(words)),
            Some(Adapted::Without(SYSTEM)),
            "{words}"
        );
        assert_eq!(call.request.messages(), [Message::user("be brief\n\nq")]);
        assert_eq!(call.adapt(&says(words)), None, "once");

        let own = ChatRequest::new("m", vec![Message::system("s"), Message::user("q")]);
        let mut call = SubCall::answer(&own, Purpose::Candidate);
        assert_eq!(call.adapt(&says(words)), None, "the client's own");
    }
}

#[test]
fn a_ceiling_of_hones_gives_way_to_the_window() {
    let mut call = SubCall::internal(&request(), Purpose::Judge, Vec::new(), 4096);
    let figures = "maximum context length is 4096, requested 4300: 204 + 4096";
    assert_eq!(call.adapt(&says(figures)), Some(Adapted::ToTheWindow));
    assert_eq!(call.request.get(NEW_LIMIT), Some(&json!(3892)));
    assert_eq!(
        call.adapt(&says("exceeds the context window")),
        Some(Adapted::ToTheWindow)
    );
    assert_eq!(call.request.token_limit(), None);
    assert_eq!(call.adapt(&says("exceeds the context window")), None);
}

#[test]
fn a_conversation_with_tool_calls_keeps_its_tools() {
    let calls = Message::assistant("").with("tool_calls", json!([{"id": "t"}]));
    let judge = SubCall::internal(&request(), Purpose::Judge, vec![calls], 9);
    assert_eq!(judge.request.get("tools"), Some(&json!([{}])));
    assert_eq!(judge.request.get("tool_choice"), Some(&json!("none")));
}
