//! What only a provider keeps.

use hone_dialects::{Dialect, codec};
use serde_json::{Value, json};

use crate::support::{decoded, target};

const OWN: Dialect = Dialect::OpenAiResponses;

fn refusals(body: &Value) -> Vec<(String, String)> {
    let request = decoded(OWN, body).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let refusal = |dialect| codec(dialect).encode_request(&request, &target()).err();
    let refusals = Dialect::ALL.into_iter().filter_map(refusal);
    refusals
        .map(|refusal| (refusal.param.unwrap_or_default(), refusal.message))
        .collect()
}

#[test]
fn an_answer_that_a_provider_keeps_is_no_beginning_anywhere_else() {
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
    ] {
        let mut body = json!({"model": "m", "input": "Hi"});
        body[name] = value;
        let found = refusals(&body);
        assert_eq!(
            found.len(),
            4,
            "{name}: also its own upstream, which is asked anew"
        );
        assert!(found.iter().all(|(param, _)| param == name), "{found:?}");
    }
}

#[test]
fn an_answer_of_hones_own_is_not_found_before_anybody_is_asked() {
    let body = json!({"model": "m", "input": "Hi", "previous_response_id": "resp_hone_1"});
    let refusal = decoded(OWN, &body).unwrap_err();
    assert_eq!(refusal.code, "previous_response_not_found");
    assert_eq!(refusal.param.as_deref(), Some("previous_response_id"));
    assert!(
        refusal
            .message
            .contains("send the whole conversation as `input`")
    );
}

#[test]
fn the_way_out_is_told() {
    let body = json!({"model": "m", "input": "Hi", "conversation": {"id": "conv_1"}});
    let found = refusals(&body);
    assert!(
        found
            .iter()
            .all(|(_, why)| why.contains("the whole conversation as `input`"))
    );
}

#[test]
fn a_reference_to_an_item_is_refused_by_its_path() {
    for item in [
        json!({"type": "item_reference", "id": "msg_1"}),
        json!({"id": "msg_1"}),
    ] {
        let body = json!({"model": "m", "input": [{"role": "user", "content": "Hi"}, item]});
        let found = refusals(&body);
        assert_eq!(found.len(), 4);
        assert!(
            found.iter().any(|(param, _)| param == "input.1"),
            "{found:?}"
        );
    }
}

#[test]
fn a_compacted_conversation_is_read_by_its_own_provider_only() {
    let item = json!({"type": "compaction", "id": "cmp_1", "encrypted_content": "e"});
    let body = json!({"model": "m", "input": [item, {"role": "user", "content": "Hi"}]});
    let found = refusals(&body);
    let wanted: Vec<_> = found.iter().map(|(param, _)| param.as_str()).collect();
    assert_eq!(wanted, ["input.0"; 3]);
    let request = decoded(OWN, &body).unwrap();
    let own = codec(OWN).encode_request(&request, &target()).unwrap();
    let own: Value = serde_json::from_slice(&own.body).unwrap();
    assert_eq!(own["input"][0], item);
}

#[test]
fn a_file_that_a_provider_keeps_is_refused_by_its_path() {
    for (part, name) in [
        (
            json!({"type": "input_image", "file_id": "file_1", "detail": "auto"}),
            "file_id",
        ),
        (
            json!({"type": "input_file", "file_id": "file_1"}),
            "file_id",
        ),
        (
            json!({"type": "input_file", "file_url": "https://a.b/c.pdf"}),
            "file_url",
        ),
    ] {
        let body = json!({"model": "m", "input": [{"role": "user", "content": [part]}]});
        let found = refusals(&body);
        assert_eq!(found.len(), 3);
        let wanted = format!("input.0.content.0.{name}");
        assert!(found.iter().all(|(param, _)| *param == wanted), "{found:?}");
    }
}

#[test]
fn nothing_is_stored_whatever_the_client_says() {
    for store in [json!(true), json!(false), Value::Null] {
        let body = json!({"model": "m", "input": "Hi", "store": store});
        let request = decoded(OWN, &body).unwrap();
        let encoded = codec(OWN).encode_request(&request, &target()).unwrap();
        let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
        assert_eq!(sent["store"], false);
        let is_told = encoded.losses.degraded.iter().any(|name| name == "store");
        assert_eq!(is_told, store == true);
    }
}
