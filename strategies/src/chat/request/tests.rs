use proptest::prelude::*;
use serde_json::json;

use super::*;

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let object = prop::collection::vec((".{0,6}", inner.clone()), 0..4)
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect()));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_client_sends_is_kept(extra in json_values(), content in json_values(),
        name in "x_[a-z]{0,8}") {
        let mut body = json!({"messages": [{"role": "user", "content": content, "x": extra}],
            "model": "m", "n": 2});
        body[name] = extra;
        let request = ChatRequest::parse(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(request.to_bytes(), body.to_string());
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = ChatRequest::parse(&bytes) {
            prop_assert!(!request.messages().is_empty());
        }
    }
}

fn error_of(body: &Value) -> Option<String> {
    ChatRequest::parse(body.to_string().as_bytes())
        .unwrap_err()
        .param
}

#[test]
fn a_field_of_the_wrong_shape_is_named() {
    let message = json!({"role": "user", "content": "hi"});
    assert_eq!(error_of(&json!([])), None);
    assert_eq!(
        error_of(&json!({"model": "m"})).as_deref(),
        Some("messages")
    );
    assert_eq!(
        error_of(&json!({"model": "m", "messages": "hi"})).as_deref(),
        Some("messages")
    );
    assert_eq!(
        error_of(&json!({"model": "m", "messages": []})).as_deref(),
        Some("messages")
    );
    assert_eq!(
        error_of(&json!({"model": "m", "messages": [message, 3]})).as_deref(),
        Some("messages[1]")
    );
    assert_eq!(
        error_of(&json!({"model": "m", "messages": [{}]})).as_deref(),
        Some("messages[0].role")
    );
    assert_eq!(
        error_of(&json!({"messages": [message]})).as_deref(),
        Some("model")
    );
    for n in [json!(0), json!(-1), json!(1.5), json!("2")] {
        assert_eq!(
            error_of(&json!({"model": "m", "messages": [message], "n": n})).as_deref(),
            Some("n")
        );
    }
    assert_eq!(
        error_of(&json!({"model": "m", "messages": [message], "stream": 1})).as_deref(),
        Some("stream")
    );
}

#[test]
fn an_image_is_not_estimated_by_its_bytes() {
    let image = json!({"type": "image_url", "image_url": {"url": "x".repeat(1_000_000)}});
    let request = ChatRequest::new("m", [Message::user(vec![image])]);
    assert!(request.estimated_prompt_tokens() < 2000);
    assert_eq!(
        ChatRequest::new("m", [Message::user("x".repeat(8000))]).estimated_prompt_tokens(),
        2001
    );
    let sound = json!({"type": "input_audio", "input_audio": {"data": "x".repeat(512_000),
        "format": "wav"}});
    let request = ChatRequest::new("m", [Message::user(vec![sound])]);
    assert!((1000..1100).contains(&request.estimated_prompt_tokens()));
}

#[test]
fn requests_with_the_same_messages_share_their_bytes() {
    let body = concat!(
        r#"{"model":"m","messages":[{"role":"user","content":"a"},"#,
        r#"{"role":"user","content":"b"}],"n":2}"#,
    );
    let request = ChatRequest::parse(body.as_bytes()).unwrap();
    let mut other = request.clone();
    other.set("seed", 7);
    assert_eq!(
        request.to_segments().pieces[1].as_ptr(),
        other.to_segments().pieces[1].as_ptr()
    );
    assert_eq!(
        other.to_bytes(),
        body.replace(r#""n":2"#, r#""n":2,"seed":7"#)
    );
}

#[test]
fn clones_share_the_conversation() {
    let request = ChatRequest::new("m", [Message::user("hi")]);
    let mut other = request.clone();
    other.set("seed", 7);
    assert!(Arc::ptr_eq(&request.messages, &other.messages));
    assert_eq!(request.get("seed"), None);
    assert_eq!(other.take("seed"), Some(json!(7)));
}
