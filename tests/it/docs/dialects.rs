//! `docs/dialects.md` against the tables of the codecs.

use hone_dialects::tables::effort::{self, Budget};
use hone_dialects::tables::{errors, finish};
use hone_dialects::{Dialect, ErrorReply, Settings, Target, codec};
use hone_strategies::ChatRequest;
use hone_strategies::chat::Message;
use serde_json::{Value, json};

use super::Page;

/// The rows of the table with this head, each as its cells.
fn table(head: &str) -> Vec<Vec<String>> {
    let page = Page::read("docs/dialects.md");
    let lines = page.text.lines().skip_while(|line| *line != head);
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "docs/dialects.md has no table {head}");
    rows
}

fn code(word: &str) -> String {
    format!("`{word}`")
}

#[test]
fn efforts_are_those_of_the_table() {
    const HEAD: &str = "| chat, Responses | Messages | Messages, by tokens | \
        Gemini, by tokens | Gemini, by level |";
    let rows = table(HEAD);
    let words: Vec<_> = rows
        .iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect();
    // No word is left to give way to.
    assert_eq!(effort::allowed("max", &words), None, "{words:?}");
    for (word, row) in words.iter().zip(&rows) {
        let tokens = match effort::to_anthropic_budget(word).expect("a word") {
            Budget::Off => "off".to_owned(),
            Budget::Half => "half of the answer's limit".to_owned(),
            Budget::Tokens(tokens) => tokens.to_string(),
        };
        let level = effort::to_anthropic(word);
        let expected = [
            code(word),
            level.map_or("thinking disabled".to_owned(), code),
            tokens,
            effort::to_gemini_budget(word).expect("a word").to_string(),
            code(effort::to_gemini_level(word).expect("a word")),
        ];
        assert_eq!(row[..], expected, "docs/dialects.md");
    }
}

#[test]
fn budgets_become_the_words_that_the_page_says() {
    let page = Page::read("docs/dialects.md");
    let text = page.text.replace('\n', " ");
    for bound in [1024, 2048, 8192, 24_576] {
        let word = effort::of_budget(bound).expect("a word");
        assert!(
            text.contains(&format!("{bound} `{word}`")),
            "{bound} {word}"
        );
        assert_ne!(effort::of_budget(bound + 1), Some(word));
    }
}

#[test]
fn ends_of_answers_are_those_of_the_table() {
    let rows = table("| chat | Messages | Responses | Gemini |");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let reason = row[0].trim_matches('`');
        let calls = reason == "tool_calls";
        assert_eq!(finish::settled(reason, calls), reason);
        let (status, why) = finish::to_responses(reason, calls, false);
        let status = [Some(status), why].into_iter().flatten().map(code);
        let expected = [
            code(reason),
            code(finish::to_anthropic(reason, calls, false)),
            status.collect::<Vec<_>>().join(", "),
            code(finish::to_gemini(reason, calls)),
        ];
        assert_eq!(row[..], expected, "docs/dialects.md");
    }
}

#[test]
fn names_of_statuses_are_those_of_the_table() {
    let rows = table("| status | Messages | OpenAI | Gemini |");
    assert_eq!(rows.len(), 12);
    for row in &rows {
        let status: u16 = row[0].parse().expect("a status");
        let said = |dialect, place| {
            let spoken = errors::speak(dialect, &ErrorReply::new(status, "No."));
            let body: Value = serde_json::from_str(&spoken.body).expect("JSON");
            code(body.pointer(place).and_then(Value::as_str).expect("a name"))
        };
        let expected = [
            row[0].clone(),
            said(Dialect::Anthropic, "/error/type"),
            said(Dialect::OpenAiChat, "/error/type"),
            said(Dialect::Gemini, "/error/status"),
        ];
        assert_eq!(row[..], expected, "docs/dialects.md");
    }
}

/// Some upstream.
fn target() -> Target {
    Target {
        upstream: "a".to_owned(),
        model: "m".to_owned(),
        is_asked: true,
        stream: false,
        settings: Settings::default(),
    }
}

/// A value that says something.
fn value(field: &str) -> Value {
    match field {
        "logprobs" | "store" => json!(true),
        "parallel_tool_calls" => json!(false),
        "logit_bias" => json!({"1": 5}),
        "seed" | "top_k" => json!(7),
        "verbosity" => json!("low"),
        "web_search_options" => json!({"search_context_size": "low"}),
        _ => json!(0.5),
    }
}

#[test]
fn what_is_left_out_of_a_chat_clients_request_is_what_the_table_says() {
    let rows = table("| field | Messages | Responses | Gemini |");
    assert!(rows.len() > 10, "{rows:?}");
    for row in &rows {
        let field = row[0].trim_matches('`');
        let dialects = [
            Dialect::Anthropic,
            Dialect::OpenAiResponses,
            Dialect::Gemini,
        ];
        for (dialect, told) in dialects.into_iter().zip(&row[1..]) {
            let mut request = ChatRequest::new("m", [Message::user("Hi.")]);
            request.set(field, value(field));
            let encoded = codec(dialect)
                .encode_request(&request, &target())
                .expect("a request");
            let is_lost = encoded.losses.degraded.iter().any(|lost| lost == field);
            let real = if is_lost { "left out" } else { "carried" };
            assert_eq!(told, real, "docs/dialects.md: {field} to {dialect:?}");
            assert!(
                is_lost || encoded.losses.quiet.is_empty(),
                "{field}: {:?}",
                encoded.losses
            );
        }
    }
}

/// The body of a request with one field more, and what its path says.
fn asked(client: &str, field: &str) -> Option<(Dialect, String)> {
    let (dialect, mut body) = match client {
        "Messages" => (
            Dialect::Anthropic,
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}),
        ),
        "Responses" => (
            Dialect::OpenAiResponses,
            json!({"model": "m", "input": "a"}),
        ),
        "Gemini" => (
            Dialect::Gemini,
            json!({"model": "m", "contents": [{"role": "user", "parts": [{"text": "a"}]}]}),
        ),
        _ => return None,
    };
    let value = match field {
        "context_management" | "mcp_servers" | "container" => json!([{"type": "a"}]),
        "truncation" => json!("auto"),
        "background" => json!(true),
        "inference_geo"
        | "user_profile_id"
        | "previous_response_id"
        | "conversation"
        | "cachedContent" => json!("a"),
        "prompt" => json!({"id": "a"}),
        _ => return None,
    };
    body[field] = value;
    Some((dialect, body.to_string()))
}

#[test]
fn what_ends_at_a_foreign_provider_ends_as_the_table_says() {
    let rows = table("| from | left out, and told | refused |");
    let mut seen = 0;
    for row in &rows {
        for (cell, refused) in [(&row[1], false), (&row[2], true)] {
            for field in super::quoted(cell) {
                let Some((client, body)) = asked(&row[0], field) else {
                    continue;
                };
                let route = hone_dialects::Route::default();
                let request = codec(client).decode_request(body.as_bytes(), &route);
                let request = request.unwrap_or_else(|error| panic!("{body}: {error}"));
                let written = codec(Dialect::OpenAiChat).encode_request(&request, &target());
                match written {
                    Err(why) => assert!(refused && why.param.as_deref() == Some(field), "{field}"),
                    Ok(written) => {
                        let told = written.losses.degraded;
                        assert!(
                            !refused && told.iter().any(|told| told == field),
                            "{field}: {told:?}"
                        );
                    }
                }
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "{seen} fields");
}
