//! Lists of models, for clients and of upstreams.

use hone_dialects::{Dialect, Model, codec};
use proptest::prelude::*;
use serde_json::{Value, json};

const TIME: u64 = 1_709_208_059;

fn model(id: &str) -> Model<'_> {
    Model { id, created: TIME }
}

fn read(dialect: Dialect, body: &Value) -> Option<Vec<(String, u64)>> {
    codec(dialect).decode_models(body.to_string().as_bytes())
}

fn all(models: &[(&str, u64)]) -> Vec<(String, u64)> {
    let models = models.iter();
    models.map(|(id, time)| ((*id).to_owned(), *time)).collect()
}

#[test]
fn one_model_is_what_stands_for_it_in_the_list() {
    for dialect in Dialect::ALL {
        let codec = codec(dialect);
        let one: Value = serde_json::from_str(&codec.encode_model(&model("a/b"))).unwrap();
        let list = codec.encode_models(&[model("c"), model("a/b")]);
        let list: Value = serde_json::from_str(&list).unwrap();
        let name = if dialect == Dialect::Gemini {
            "models"
        } else {
            "data"
        };
        assert_eq!(list[name][1], one, "{}", dialect.name());
    }
}

#[test]
fn one_model_has_the_form_of_its_dialect() {
    let one = |dialect| -> Value {
        serde_json::from_str(&codec(dialect).encode_model(&model("a"))).unwrap()
    };
    assert_eq!(
        one(Dialect::Anthropic),
        json!({"type": "model", "id": "a", "display_name": "a",
            "created_at": "2024-02-29T12:00:59Z"})
    );
    let openai = json!({"id": "a", "object": "model", "created": TIME, "owned_by": "hone"});
    assert_eq!(one(Dialect::OpenAiChat), openai);
    assert_eq!(one(Dialect::OpenAiResponses), openai);
    assert_eq!(
        one(Dialect::Gemini),
        json!({"name": "models/a", "displayName": "a",
            "supportedGenerationMethods": ["generateContent", "countTokens"]})
    );
}

#[test]
fn a_list_that_a_codec_writes_is_read_by_it() {
    for dialect in Dialect::ALL {
        let codec = codec(dialect);
        let list = codec.encode_models(&[model("a"), model("b/c")]);
        let time = if dialect == Dialect::Gemini { 0 } else { TIME };
        let found = codec.decode_models(list.as_bytes());
        assert_eq!(found, Some(all(&[("a", time), ("b/c", time)])));
        let none = codec.encode_models(&[]);
        assert_eq!(codec.decode_models(none.as_bytes()), Some(vec![]));
    }
}

#[test]
fn an_upstreams_list_gives_names_and_times_as_far_as_it_has_them() {
    let data = json!([{"id": "a", "created": TIME, "permission": []}, {"id": "b"},
        {"id": "c", "created": "then"}, {"created": 1}, {"id": ""}, {"id": 7}, "d", null]);
    let models = all(&[("a", TIME), ("b", 0), ("c", 0)]);
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses] {
        assert_eq!(
            read(dialect, &json!({"object": "list", "data": data})),
            Some(models.clone())
        );
        assert_eq!(read(dialect, &data), Some(models.clone()));
    }
    let data = json!([{"type": "model", "id": "a", "created_at": "2024-02-29T12:00:59Z"},
        {"type": "model", "id": "b", "created_at": "long ago"}, {"id": "c"}]);
    let list = json!({"data": data, "has_more": true, "first_id": "a", "last_id": "c"});
    assert_eq!(read(Dialect::Anthropic, &list), Some(models.clone()));
    let list = json!({"models": [{"name": "models/a"}, {"name": "tunedModels/b"}, {}],
        "nextPageToken": "x"});
    let models = all(&[("a", 0), ("tunedModels/b", 0)]);
    assert_eq!(read(Dialect::Gemini, &list), Some(models));
}

#[test]
fn google_leaves_an_empty_list_out() {
    assert_eq!(read(Dialect::Gemini, &json!({})), Some(vec![]));
    assert_eq!(read(Dialect::Anthropic, &json!({})), None);
    assert_eq!(read(Dialect::OpenAiChat, &json!({})), None);
}

#[test]
fn what_is_no_list_of_models_is_none() {
    let error = json!({"error": {"message": "No.", "type": "t", "code": 401}});
    for dialect in Dialect::ALL {
        for body in [error.clone(), json!("a"), json!({"data": {}, "models": 3})] {
            assert_eq!(read(dialect, &body), None);
        }
        assert_eq!(codec(dialect).decode_models(b"<html>"), None);
        assert_eq!(codec(dialect).decode_models(b""), None);
    }
}

#[test]
fn a_list_is_read_up_to_a_bound_and_names_that_are_none_are_left_out() {
    for dialect in Dialect::ALL {
        let entry = |id: String| json!({"id": id, "name": id});
        let mut list = vec![entry("x".repeat(513)), entry("y".repeat(512))];
        list.extend((0..10_500).map(|at| entry(format!("m{at}"))));
        let found = read(dialect, &json!({"data": list, "models": list})).unwrap();
        assert_eq!(found.len(), 10_000);
        assert_eq!(found[0].0.len(), 512);
        assert_eq!(found[1].0, "m0");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        head in prop::sample::select(vec!["", "[", "{\"data\":[", "{\"models\":[{"]), tail: Vec<u8>,
    ) {
        let body = [head.as_bytes(), &tail].concat();
        for dialect in Dialect::ALL {
            let _read = codec(dialect).decode_models(&body);
        }
    }
}
