use bytes::Bytes;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Edit, Envelope, EnvelopeError, prompts, splice};
use crate::api::endpoint::Kind;

mod amounts;

fn peek(body: &str) -> Result<Envelope<'_>, EnvelopeError> {
    Envelope::peek(body.as_bytes())
}

fn edited(body: &str, edits: &[Edit<'_>]) -> String {
    let edited = splice(&Bytes::copy_from_slice(body.as_bytes()), edits).unwrap();
    String::from_utf8(edited.to_vec()).unwrap()
}

#[test]
fn every_field_that_hone_reads_is_found() {
    let body = r#"{"model":"m","stream":true,"n":2,"stream_options":{"include_usage":false},
        "max_tokens":5,"max_completion_tokens":4,"max_output_tokens":9,
        "optillm_approach":"bon","previous_response_id":"resp_hone_r","conversation":{},
        "background":true,"messages":[ 1 ]}"#;
    let envelope = peek(body).unwrap();
    assert_eq!(envelope.model.as_deref(), Some("m"));
    assert_eq!(envelope.stream, Some(true));
    assert_eq!(envelope.n, Some(2));
    assert_eq!(envelope.include_usage, Some(false));
    assert_eq!(envelope.most_output(Kind::Chat, || 500), 5);
    assert_eq!(envelope.choices_made(), 2);
    assert_eq!(envelope.approach.as_deref(), Some("bon"));
    assert!(envelope.continues_own && envelope.conversation && envelope.background);
    assert_eq!(envelope.messages, Some("[ 1 ]"));
}

#[test]
fn null_and_absent_are_the_same() {
    let body = r#"{"model":null,"previous_response_id":null,"background":false,
        "stream_options":null,"optillm_approach":null}"#;
    let envelope = peek(body).unwrap();
    assert_eq!(envelope.model, None);
    assert_eq!(envelope.approach, None);
    assert_eq!(envelope.include_usage, None);
    assert!(!envelope.continues_own && !envelope.background);
}

#[test]
fn an_escaped_name_is_the_name() {
    assert_eq!(
        peek(r#"{"mod\u0065l":"g\u0070t"}"#)
            .unwrap()
            .model
            .as_deref(),
        Some("gpt")
    );
}

#[test]
fn a_name_in_another_case_is_the_name_because_some_upstreams_take_it_so() {
    let envelope = peek(r#"{"Model":"m","Stream":true}"#).unwrap();
    assert_eq!(
        (envelope.model.as_deref(), envelope.stream),
        (Some("m"), Some(true))
    );
    let body = r#"{"Model":"m","x":1,"X":2,"stream_options":{"include_usage":false}}"#;
    let edits = [
        Edit::ReplaceModel("n"),
        Edit::RemoveField("x"),
        Edit::SetIncludeUsage,
    ];
    assert_eq!(
        edited(body, &edits),
        r#"{"Model":"n","X":2,"stream_options":{"include_usage":true}}"#
    );
}

/// A server that heeds case reports nothing there; one that does not takes the last of two.
#[test]
fn a_question_for_the_usage_in_another_spelling_is_none_and_hone_adds_its_own() {
    for (body, asking) in [
        (
            r#"{"STREAM_OPTIONS":{"include_usage":true}}"#,
            r#"{"STREAM_OPTIONS":{"include_usage":true},"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"Include_Usage":true}}"#,
            r#"{"stream_options":{"Include_Usage":true,"include_usage":true}}"#,
        ),
    ] {
        assert_eq!(peek(body).unwrap().include_usage, None, "{body}");
        assert_eq!(edited(body, &[Edit::SetIncludeUsage]), asking);
    }
    for body in [
        r#"{"STREAM_OPTIONS":{"include_usage":true},"stream_options":{}}"#,
        r#"{"stream_options":{"Include_Usage":true,"include_usage":false}}"#,
    ] {
        let refused = matches!(peek(body), Err(EnvelopeError::DuplicateField { .. }));
        assert!(refused, "{body}");
    }
}

#[test]
fn a_plain_model_name_is_borrowed() {
    assert!(matches!(
        peek(r#"{"model":"gpt-4o"}"#).unwrap().model,
        Some(std::borrow::Cow::Borrowed("gpt-4o"))
    ));
}

#[test]
fn a_second_field_of_a_name_that_hone_reads_is_refused() {
    for (body, name) in [
        (r#"{"model":"a","model":"a"}"#, "model"),
        (r#"{"model":"a","mod\u0065l":"b"}"#, "model"),
        (r#"{"model":"a","MODEL":"b"}"#, "model"),
        (r#"{"n":1,"x":{},"n":1}"#, "n"),
        (
            r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "stream_options.include_usage",
        ),
    ] {
        assert_eq!(
            peek(body).unwrap_err(),
            EnvelopeError::DuplicateField {
                name: name.to_owned()
            },
            "{body}"
        );
    }
}

#[test]
fn oddities_in_what_hone_does_not_read_pass() {
    for body in [
        r#"{"model":"m","x":1,"x":2}"#,
        r#"{"model":"m","seed":1e400,"id":123456789012345678901234567890}"#,
        r#"{"model":"m","user":"\ud800","\ud800":1}"#,
        r#"{"model":"m","inner":{"model":"other","model":"another"}}"#,
        "\r\n\t {\"model\" : \"m\"} \n",
    ] {
        assert_eq!(peek(body).unwrap().model.as_deref(), Some("m"), "{body}");
    }
}

#[test]
fn a_count_or_a_switch_of_another_type_is_the_upstreams_to_refuse() {
    let body = r#"{"model":"m","n":"three","stream":1,"max_tokens":-1,"stream_options":7,
        "max_completion_tokens":1e400}"#;
    let envelope = peek(body).unwrap();
    assert_eq!(
        (
            envelope.n,
            envelope.stream,
            envelope.most_output(Kind::Chat, || 500),
            envelope.include_usage
        ),
        (None, None, 500, None)
    );
}

#[test]
fn a_model_that_is_no_string_is_refused() {
    let wrong = EnvelopeError::WrongType {
        name: "model",
        expected: "a string",
    };
    assert_eq!(peek(r#"{"model":5}"#).unwrap_err(), wrong);
    assert_eq!(peek(r#"{"model":"\ud800"}"#).unwrap_err(), wrong);
}

#[test]
fn what_is_not_a_json_object_is_told_apart() {
    for body in ["[]", "1", "\"text\"", "null", " true"] {
        assert_eq!(
            peek(body).unwrap_err(),
            EnvelopeError::NotAnObject,
            "{body}"
        );
    }
    assert_eq!(
        peek("").unwrap_err(),
        EnvelopeError::InvalidJson { line: 1, column: 0 }
    );
    assert_eq!(
        peek("{\"a\":\n1,,}").unwrap_err(),
        EnvelopeError::InvalidJson { line: 2, column: 3 }
    );
    assert_eq!(
        peek(r#"{"a":1} x"#).unwrap_err(),
        EnvelopeError::InvalidJson { line: 1, column: 9 }
    );
    assert_eq!(
        Envelope::peek(b"{\"a\":\"\xff\"}").unwrap_err(),
        EnvelopeError::InvalidUtf8 { at: 6 }
    );
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let depth = 1_000_000;
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let body =
        format!(r#"{{"x":{nested},"messages":{nested},"stream_options":{nested},"model":"m"}}"#);
    assert_eq!(peek(&body).unwrap().model.as_deref(), Some("m"));
    let body = format!(r#"{{"model":"m","n":{}"#, "[".repeat(depth));
    assert!(matches!(
        peek(&body),
        Err(EnvelopeError::InvalidJson { .. })
    ));
    let body = format!(r#"{{"model":{nested}}}"#);
    assert!(matches!(peek(&body), Err(EnvelopeError::WrongType { .. })));
    let body = format!(r#"{{"stream_options":{{"include_usage":{nested}}},"n":{nested}}}"#);
    assert_eq!(peek(&body).unwrap().include_usage, None);
}

#[test]
fn the_conversation_is_not_in_the_debug_output() {
    let body = r#"{"messages":[{"role":"user","content":"my secret"}]}"#;
    assert!(!format!("{:?}", peek(body).unwrap()).contains("secret"));
}

#[test]
fn replacing_the_model_changes_only_the_model() {
    let body = "{ \"a\" : 1e400,\r\n \"mod\\u0065l\"  :  \"x\\n\" , \"a\":\"\\/\" } ";
    let wanted = "{ \"a\" : 1e400,\r\n \"mod\\u0065l\"  :  \"a\\\"b\" , \"a\":\"\\/\" } ";
    assert_eq!(edited(body, &[Edit::ReplaceModel("a\"b")]), wanted);
}

#[test]
fn a_removed_field_takes_one_comma_with_it() {
    let remove = [Edit::RemoveField("x")];
    assert_eq!(edited(r#"{"x":1, "b":2}"#, &remove), r#"{"b":2}"#);
    assert_eq!(
        edited(r#"{ "a":1, "x":1, "b":2 }"#, &remove),
        r#"{ "a":1, "b":2 }"#
    );
    assert_eq!(edited(r#"{ "a":1, "x":[{}] }"#, &remove), r#"{ "a":1 }"#);
    assert_eq!(edited(r#"{ "x":1 }"#, &remove), "{  }");
    assert_eq!(
        edited(r#"{"x":1,"x":2,"a":3,"x":4,"x":5,"b":6,"x":7}"#, &remove),
        r#"{"a":3,"b":6}"#
    );
    assert_eq!(edited(r#"{"a":{"x":1}}"#, &remove), r#"{"a":{"x":1}}"#);
}

#[test]
fn usage_is_asked_for_wherever_the_options_stand() {
    let ask = [Edit::SetIncludeUsage];
    assert_eq!(
        edited(r#"{"stream":true}"#, &ask),
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(
        edited(r#"{"stream_options": null}"#, &ask),
        r#"{"stream_options": {"include_usage":true}}"#
    );
    assert_eq!(
        edited(r#"{"stream_options":{ }}"#, &ask),
        r#"{"stream_options":{"include_usage":true }}"#
    );
    assert_eq!(
        edited(r#"{"stream_options":{"y":1}}"#, &ask),
        r#"{"stream_options":{"y":1,"include_usage":true}}"#
    );
    assert_eq!(
        edited(r#"{"stream_options":{"include_usage":false,"y":1}}"#, &ask),
        r#"{"stream_options":{"include_usage":true,"y":1}}"#
    );
    let odd = splice(&Bytes::from_static(br#"{"stream_options":"x"}"#), &ask);
    assert_eq!(
        odd,
        Err(EnvelopeError::WrongType {
            name: "stream_options",
            expected: "an object"
        })
    );
}

#[test]
fn edits_may_be_combined() {
    let value = RawValue::from_string("[1, 2]".to_owned()).unwrap();
    let edits = [
        Edit::RemoveField("x"),
        Edit::ReplaceModel("m"),
        Edit::InsertMember {
            name: "k\"",
            value: &value,
        },
    ];
    assert_eq!(
        edited(r#"{"x":1}"#, &edits),
        r#"{"model":"m","k\"":[1, 2]}"#
    );
    assert_eq!(
        edited(r#"{"k\"":1,"x":1,"model":"o"}"#, &edits),
        r#"{"k\"":[1, 2],"model":"m"}"#
    );
}

#[test]
fn which_of_two_models_to_replace_is_not_guessed() {
    let body = Bytes::from_static(br#"{"model":"a","model":"b"}"#);
    assert_eq!(
        splice(&body, &[Edit::ReplaceModel("m")]),
        Err(EnvelopeError::DuplicateField {
            name: "model".to_owned()
        })
    );
}

#[test]
fn no_edit_is_no_copy() {
    let body = Bytes::from_static(br#"{"a":1}"#);
    assert_eq!(splice(&body, &[]).unwrap().as_ptr(), body.as_ptr());
}

/// Numbers, strings, words and brackets, many of them broken.
fn json_or_nearly() -> impl Strategy<Value = String> {
    let number = "-?[01]{0,2}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?";
    let text = "\"([a\u{1f}é ]|\\\\[\"\\\\/bfnrtux]|\\\\u[0-9a-fA-FxX]{3,4}){0,4}\"?";
    let leaf = prop_oneof![
        number,
        text,
        "true|false|null|nul|True",
        "[\\[\\]{}:,\" \n]{0,4}"
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let member = ("\"[a-z]{0,2}\"?", "[ :]{1,2}", inner.clone())
            .prop_map(|(name, colon, value)| format!("{name}{colon}{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("[ {}]", items.join(","))),
            prop::collection::vec(member, 0..3)
                .prop_map(|members| format!("{{{} }}", members.join(" ,"))),
        ]
    })
}

/// JSON values, and the names that hone reads among the others.
fn objects() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        Just("model".to_owned()),
        Just("stream".to_owned()),
        Just("stream_options".to_owned()),
        Just("optillm_approach".to_owned()),
        "[a-z\\\\\"é]{0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z]{0,3}", inner.clone()), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            inner.prop_map(|inner| json!({"include_usage": inner})),
        ]
    });
    prop::collection::vec((name, value), 0..6).prop_map(|members| members.into_iter().collect())
}

/// Written by hand: with spaces and with escapes that a serialiser would not choose.
fn written(object: &Map<String, Value>, space: &str, escapes: &[bool]) -> String {
    let members: Vec<_> = object
        .iter()
        .enumerate()
        .map(|(index, (name, value))| {
            let escape = escapes.get(index).copied().unwrap_or_default();
            let units: Vec<_> = name
                .encode_utf16()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            let key = if escape {
                format!("\"{}\"", units.concat())
            } else {
                Value::from(name.as_str()).to_string()
            };
            format!("{space}{key}{space}:{space}{value}{space}")
        })
        .collect();
    format!("{space}{{{}}}{space}", members.join(","))
}

fn value_of(body: &Bytes) -> Map<String, Value> {
    serde_json::from_slice(body).unwrap()
}

proptest! {
    #[test]
    fn peek_agrees_with_a_full_parse(object in objects(), space in "[ \\n\\t]{0,2}",
        escapes in prop::collection::vec(any::<bool>(), 6)) {
        let body = written(&object, &space, &escapes);
        let model = object.get("model").filter(|model| !model.is_null());
        match peek(&body) {
            Ok(envelope) => {
                prop_assert_eq!(envelope.model.as_deref(), model.and_then(Value::as_str));
                prop_assert_eq!(envelope.stream, object.get("stream").and_then(Value::as_bool));
                let asked = object.get("stream_options")
                    .and_then(|options| options.get("include_usage")).and_then(Value::as_bool);
                prop_assert_eq!(envelope.include_usage, asked);
            }
            Err(error) => {
                let odd = |name: &str| object.get(name)
                    .is_some_and(|value| !value.is_null() && !value.is_string());
                prop_assert!(odd("model") || odd("optillm_approach"), "{error}");
            }
        }
    }

    #[test]
    fn splice_agrees_with_editing_the_parsed_body(object in objects(), space in "[ \\n\\t]{0,2}",
        escapes in prop::collection::vec(any::<bool>(), 6), model in ".{0,8}") {
        let body = Bytes::from(written(&object, &space, &escapes));
        let edits = [Edit::RemoveField("optillm_approach"), Edit::RemoveField("a"),
            Edit::ReplaceModel(&model), Edit::SetIncludeUsage];
        let mut wanted = object.clone();
        wanted.shift_remove("optillm_approach");
        wanted.shift_remove("a");
        wanted.insert("model".to_owned(), Value::from(model.as_str()));
        match wanted.entry("stream_options").or_insert(Value::Null) {
            Value::Object(options) => drop(options.insert("include_usage".to_owned(),
                Value::Bool(true))),
            options @ Value::Null => *options = json!({"include_usage": true}),
            _ => {
                prop_assert!(splice(&body, &edits).is_err());
                return Ok(());
            }
        }
        let edited = splice(&body, &edits).unwrap();
        prop_assert_eq!(value_of(&edited), wanted);
    }

    #[test]
    fn replacing_the_model_and_putting_it_back_restores_every_byte(object in objects(),
        space in "[ \\n\\t]{0,2}", name in "[a-z]{0,5}") {
        let mut object = object;
        object.insert("model".to_owned(), Value::from(name.as_str()));
        let body = Bytes::from(written(&object, &space, &[]));
        let there = splice(&body, &[Edit::ReplaceModel("elsewhere")]).unwrap();
        prop_assert_eq!(splice(&there, &[Edit::ReplaceModel(&name)]).unwrap(), body);
    }

    #[test]
    fn what_is_not_json_is_refused_and_what_is_can_be_edited(
        body in r#"\{?[{}\[\]":,ab1 \\]{0,12}\}?"#
    ) {
        let parsed = serde_json::from_str::<Map<String, Value>>(&body).is_ok();
        prop_assert_eq!(peek(&body).is_ok(), parsed);
        let edits = [Edit::RemoveField("a"), Edit::SetIncludeUsage];
        prop_assert_eq!(splice(&Bytes::from(body), &edits).is_ok(), parsed);
    }

    #[test]
    fn what_a_parser_takes_for_json_passes_and_nothing_else(value in json_or_nearly()) {
        let body = format!("{{\"x\":{value}}}");
        prop_assert_eq!(peek(&body).is_ok(), serde_json::from_str::<IgnoredAny>(&body).is_ok(),
            "{}", body);
        if let Err(EnvelopeError::InvalidJson { line, .. }) = peek(&body) {
            prop_assert!(line > 0);
        }
    }

    #[test]
    fn no_bytes_make_peek_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Envelope::peek(&body).is_err());
    }
}
