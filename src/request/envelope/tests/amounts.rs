//! How much a request may make: its bound on output, and its choices.

use super::*;

#[test]
fn a_bound_on_output_is_the_largest_of_the_endpoints_own_fields_in_their_own_spelling() {
    use Kind::{Chat, Completions, Embeddings, Messages, Other, Responses};
    let all = r#"{"max_tokens":1,"max_completion_tokens":4000,"max_output_tokens":70}"#;
    let rows = [
        (all, Chat, Some(4000)),
        (all, Completions, Some(1)),
        (all, Messages, Some(1)),
        (all, Responses, Some(70)),
        (all, Embeddings, None),
        (all, Other, None),
        (r#"{"max_output_tokens":0}"#, Chat, None),
        (r#"{"MAX_TOKENS":0}"#, Chat, None),
        (r#"{"MAX_TOKENS":5,"Max_Completion_Tokens":7}"#, Chat, None),
        (r#"{"max\u005ftokens":5}"#, Chat, Some(5)),
        (r#"{"max_tokens":0}"#, Chat, None),
        (r#"{"max_tokens":1,"max_completion_tokens":-1}"#, Chat, None),
        (
            r#"{"max_tokens":1,"max_completion_tokens":"9"}"#,
            Chat,
            None,
        ),
        (
            r#"{"max_tokens":1,"max_completion_tokens":null}"#,
            Chat,
            Some(1),
        ),
        (r#"{"max_tokens":1,"max_output_tokens":-1}"#, Chat, Some(1)),
        (r#"{"max_tokens":1}"#, Responses, None),
        (r#"{"max_completion_tokens":1}"#, Messages, None),
    ];
    for (body, kind, limit) in rows {
        let envelope = peek(body).unwrap();
        assert_eq!(envelope.output_limit(kind), limit, "{kind:?} {body}");
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
