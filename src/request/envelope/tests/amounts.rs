//! How much a request may make: its bound on output, and its choices.

use super::*;

#[test]
fn a_bound_on_output_is_the_largest_of_the_endpoints_own_fields_and_is_not_lowered_by_spelling() {
    use Kind::{Chat, Completions, Embeddings, Messages, Other, Responses};
    const UNKNOWN: u64 = 500;
    let all = r#"{"max_tokens":1,"max_completion_tokens":4000,"max_output_tokens":70}"#;
    let rows = [
        (all, Chat, 4000),
        (all, Completions, 1),
        (all, Messages, 1),
        (all, Responses, 70),
        (all, Embeddings, UNKNOWN),
        (all, Other, UNKNOWN),
        (r#"{"max_output_tokens":0}"#, Chat, UNKNOWN),
        (r#"{"MAX_TOKENS":0}"#, Chat, UNKNOWN),
        (
            r#"{"MAX_TOKENS":5,"Max_Completion_Tokens":7}"#,
            Chat,
            UNKNOWN,
        ),
        (
            r#"{"MAX_TOKENS":4000,"max_completion_tokens":1}"#,
            Chat,
            4000,
        ),
        (r#"{"Max_Output_Tokens":4000}"#, Responses, 4000),
        ("{\"max_to\u{212a}ens\":4000}", Messages, 4000),
        (
            r#"{"MAX_TOKENS":-1,"max_completion_tokens":1}"#,
            Chat,
            UNKNOWN,
        ),
        (r#"{"MAX_TOKENS":1,"max_completion_tokens":70}"#, Chat, 70),
        (r#"{"max\u005ftokens":5}"#, Chat, 5),
        (r#"{"max_tokens":0}"#, Chat, UNKNOWN),
        (
            r#"{"max_tokens":4000,"max_completion_tokens":0}"#,
            Chat,
            4000,
        ),
        (
            r#"{"max_tokens":4000,"max_completion_tokens":-1}"#,
            Chat,
            4000,
        ),
        (
            r#"{"max_tokens":1,"max_completion_tokens":-1}"#,
            Chat,
            UNKNOWN,
        ),
        (r#"{"max_tokens":1,"max_completion_tokens":"9"}"#, Chat, 9),
        (
            r#"{"max_tokens":1,"max_completion_tokens":"x"}"#,
            Chat,
            UNKNOWN,
        ),
        (r#"{"max_tokens":1,"max_completion_tokens":null}"#, Chat, 1),
        (r#"{"max_tokens":1,"max_output_tokens":-1}"#, Chat, 1),
        (r#"{"max_tokens":1}"#, Responses, UNKNOWN),
        (r#"{"max_completion_tokens":1}"#, Messages, UNKNOWN),
    ];
    for (body, kind, most) in rows {
        let envelope = peek(body).unwrap();
        assert_eq!(
            envelope.most_output(kind, || UNKNOWN),
            most,
            "{kind:?} {body}"
        );
    }
}

#[test]
fn an_amount_that_servers_may_read_otherwise_is_refused_where_it_counts() {
    for value in [
        "\"6_4\"",
        r#""\u0036\u0034""#,
        r#""\t64""#,
        "\"x\"",
        "\"\"",
        "true",
        "[64]",
        "{}",
        "2.5",
        "1e400",
        "99999999999999999999",
        "\"\u{ff16}\"",
        "\"0x40\"",
    ] {
        for name in ["n", "N", "best_of", "max_tokens", "MAX_OUTPUT_TOKENS"] {
            let body = format!(r#"{{"{name}":{value}}}"#);
            let refused = peek(&body).unwrap().tells_amounts(Kind::Chat).unwrap_err();
            let name = name.to_ascii_lowercase();
            let is_named = |error| {
                matches!(error, EnvelopeError::WrongType { name: told, .. }
                if told == name)
            };
            assert!(is_named(refused), "{body}");
        }
    }
    for value in ["1", "0", "\"true\"", "\"\"", "{}", "1.0"] {
        for name in ["stream", "Stream"] {
            let body = format!(r#"{{"{name}":{value}}}"#);
            assert!(
                peek(&body).unwrap().tells_amounts(Kind::Chat).is_err(),
                "{body}"
            );
        }
    }
    for body in [
        r#"{"n":64,"best_of":"64","max_tokens":4e3,"max_completion_tokens":4000.0}"#,
        r#"{"n":null,"best_of":null,"max_tokens":null,"stream":null}"#,
        r#"{"max_tokens":-1,"max_completion_tokens":0,"stream":false}"#,
        r#"{"n":" 2 ","stream":true,"MAX_TOKENS":7}"#,
    ] {
        assert_eq!(
            peek(body).unwrap().tells_amounts(Kind::Chat),
            Ok(()),
            "{body}"
        );
    }
}

#[test]
fn where_only_the_own_spelling_is_looked_at_another_one_is_refused() {
    for name in [
        "N",
        "MAX_TOKENS",
        "Stream",
        "Stream_Options",
        "max_to\u{212a}ens",
    ] {
        let body = format!(r#"{{"{name}":null}}"#);
        let envelope = peek(&body).unwrap();
        assert_eq!(envelope.tells_amounts(Kind::Chat), Ok(()), "{name}");
        assert!(
            envelope.tells_amounts_by_name(Kind::Chat).is_err(),
            "{name}"
        );
    }
    let body = r#"{"n":2,"MODEL":"m","stream":true}"#;
    assert_eq!(
        peek(body).unwrap().tells_amounts_by_name(Kind::Chat),
        Ok(())
    );
}

#[test]
fn an_answer_in_the_background_needs_a_bound() {
    for (body, is_served) in [
        (r#"{"background":true}"#, false),
        (r#"{"background":true,"max_output_tokens":0}"#, false),
        (r#"{"background":true,"MAX_OUTPUT_TOKENS":9}"#, false),
        (r#"{"Background":1,"max_tokens":9}"#, false),
        (r#"{"background":true,"max_output_tokens":9}"#, true),
        (r#"{"background":false}"#, true),
    ] {
        let told = peek(body).unwrap().tells_amounts(Kind::Responses);
        assert_eq!(told.is_ok(), is_served, "{body}");
    }
}

#[test]
fn every_choice_that_is_made_counts() {
    for (body, choices) in [
        ("{}", 1),
        (r#"{"n":0}"#, 1),
        (r#"{"n":4}"#, 4),
        (r#"{"n":"4"}"#, 4),
        (r#"{"N":4}"#, 4),
        (r#"{"n":2,"best_of":9}"#, 9),
        (r#"{"n":9,"best_of":2}"#, 9),
    ] {
        assert_eq!(peek(body).unwrap().choices_made(), choices, "{body}");
    }
    for (body, count) in [
        (r#"{"prompt":"a"}"#, 1),
        (r#"{"prompt":["a"," b","c"]}"#, 3),
        (r#"{"prompt":[[1,2],[3]]}"#, 2),
        (r#"{"prompt":[1,2,3]}"#, 1),
        (r#"{"prompt":[]}"#, 1),
        (r#"{"x":["a","b"]}"#, 1),
        (r#"{"prompt":"a","Prompt":["a","b"]}"#, 2),
        ("[]", 1),
    ] {
        assert_eq!(prompts(body.as_bytes()), count, "{body}");
    }
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction() {
    assert_eq!(peek(r#"{"n":2.0}"#).unwrap().n, Some(2));
    assert_eq!(peek(r#"{"n":1e2}"#).unwrap().n, Some(100));
    assert_eq!(peek(r#"{"n":2.5}"#).unwrap().n, None);
}
