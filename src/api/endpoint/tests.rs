use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn of(method: &Method, path: &str) -> Result<Endpoint, NotServed> {
    Endpoint::of(method, path)
}

fn name(method: &Method, path: &str) -> String {
    of(method, path).map_or_else(|error| format!("{error:?}"), |found| format!("{found:?}"))
}

/// A path that fits `pattern`.
fn example(pattern: &str) -> String {
    pattern
        .replace("{id}", "some-id_1")
        .replace("{model}", "meta/Llama-3")
}

#[test]
fn every_row_is_found_and_none_hides_another() {
    let mut seen = BTreeSet::new();
    for row in ROWS {
        assert!(seen.insert((row.method.methods()[0].as_str(), row.path)));
        for method in row.method.methods() {
            let path = example(row.path);
            let found = of(method, &path).unwrap();
            assert!(std::ptr::eq(found.0.unwrap(), row), "{method} {path}");
            assert_eq!(of(method, &format!("{path}/")), Ok(found), "{path}/");
        }
    }
}

#[test]
fn known_endpoints_have_the_methods_of_the_table() {
    for (method, path, allowed) in [
        (Method::PUT, "chat/completions", "POST, GET, HEAD"),
        (Method::DELETE, "chat/completions", "POST, GET, HEAD"),
        (Method::GET, "embeddings", "POST"),
        (Method::POST, "models", "GET, HEAD"),
        (Method::PATCH, "files/x", "GET, HEAD, DELETE"),
        (Method::TRACE, "responses", "POST"),
    ] {
        let refused = Err(NotServed::Method(allowed.to_owned()));
        assert_eq!(of(&method, path), refused, "{method} {path}");
    }
    for row in ROWS {
        let invented = ["post", "Post", "TRACE", "CONNECT", "OPTIONS", "MKCOL"];
        for method in invented.map(|name| Method::from_bytes(name.as_bytes()).unwrap()) {
            for path in [example(row.path), "rerank".to_owned()] {
                let refused = of(&method, &path);
                assert!(
                    matches!(refused, Err(NotServed::Method(_))),
                    "{method} {path}"
                );
            }
        }
    }
}

#[test]
fn what_is_in_no_row_is_unlisted_and_counted_and_for_nobody_who_is_confined() {
    for path in [
        "rerank",
        "engines/m/completions",
        "chat",
        "chat/completions/a/b",
        "v1/chat/completions",
        "models/x",
    ] {
        let found = of(&Method::PUT, path);
        if path == "models/x" {
            assert!(found.is_err());
            continue;
        }
        let found = found.unwrap();
        assert!(
            !found.is_listed() && found.meter() == Meter::Bytes,
            "{path}"
        );
        assert_eq!(found.confined(), Confined::Refused);
        assert_eq!(found.fallback(), Fallback::Refused);
    }
}

#[test]
fn another_spelling_of_a_known_endpoint_is_refused() {
    for path in [
        "Chat/Completions",
        "chat/COMPLETIONS",
        "chat/completions;x",
        "chat;a=b/completions",
        "chat/completions%3bx",
        "chat/completions%20",
        "chat/completions%2520",
        "%20chat/completions",
        "chat/completions.",
        "chat/completions%2e",
        "chat/completions%09",
        "chat/complet%69ons",
        "chat/complet%2569ons",
        "chat/completion%C5%BF",
        "chat/completion\u{17f}",
        "chat/completions\u{a0}",
        "completionS",
        "Embeddings",
        "MESSAGES",
        "messages%20",
        "Responses",
        "responses/Compact",
        "Files/x",
        "models;x",
        "MODELS/big",
        "chat/completions;x/",
        "chat%252Fcompletions",
        "chat%25252fcompletions",
        "chat%255Ccompletions",
        "%252E/chat/completions",
        "%253Bx/chat/completions",
        "chat/%C2%A0/completions",
        "chat/completions/%252e",
        "chat/completions/%2520",
        "embeddings;%252Fx",
        "files/x/%252E%252E/%252e%252e/chat/completions",
        "models/x%252F..%252F..%252Fchat/completions",
        "responses/x%252Finput_items",
    ] {
        for method in [Method::POST, Method::GET, Method::PUT] {
            let found = of(&method, path);
            assert!(
                matches!(found, Err(NotServed::Alias(_))),
                "{path}: {found:?}"
            );
        }
    }
    // An id is the client's to spell.
    assert_eq!(name(&Method::GET, "files/File-A;v=1"), "files/{id}");
    assert_eq!(name(&Method::GET, "models/Big Model"), "models/{model}");
    assert_eq!(name(&Method::GET, "models/a/B/c"), "models/{model}");
    assert_eq!(name(&Method::GET, "models/a%2Fb"), "models/{model}");
    assert_eq!(name(&Method::GET, "files/a%252Fb"), "files/{id}");
    assert_eq!(name(&Method::GET, "modelsx"), "unlisted");
    assert_eq!(name(&Method::POST, "chats/completions"), "unlisted");
}

#[test]
fn the_name_of_a_model_is_decoded_once() {
    assert_eq!(model_in("models/a%2Fb").as_deref(), Some("a/b"));
    assert_eq!(model_in("models/a%252Fb").as_deref(), Some("a%2Fb"));
    assert_eq!(model_in("models/a/b").as_deref(), Some("a/b"));
    assert_eq!(model_in("models/100%").as_deref(), Some("100%"));
    assert_eq!(model_in("models"), None);
}

#[test]
fn escapes_without_end_take_no_longer_than_their_length() {
    let path = format!("chat%{}completions", "25".repeat(100_000));
    assert_eq!(name(&Method::POST, &path), "unlisted");
}

/// A letter as some server would read it back.
fn disguised(letter: char, way: u8) -> String {
    match way % 5 {
        0 => letter.to_ascii_uppercase().to_string(),
        1 => format!("%{:02x}", letter as u32),
        2 => format!("%25{:02X}", letter as u32),
        3 if letter == 's' => "\u{17f}".to_owned(),
        3 if letter == 'k' => "%E2%84%AA".to_owned(),
        _ => letter.to_string(),
    }
}

proptest! {
    #[test]
    fn no_disguise_of_a_known_endpoint_is_unlisted(
        row in 0..ROWS.len(), ways in prop::collection::vec(any::<u8>(), 64),
        end in prop::sample::select(vec!["", ";", ";a=b", "%20", ".", "%3B", "%2e", "/", " "])) {
        let pattern = ROWS[row].path;
        let mut ways = ways.into_iter();
        let path: String = pattern
            .split('/')
            .map(|part| match part {
                "{id}" => "x".to_owned(),
                "{model}" => "y".to_owned(),
                _ => part.chars().map(|c| disguised(c, ways.next().unwrap_or(4))).collect(),
            })
            .collect::<Vec<_>>()
            .join("/") + end;
        for method in METHODS {
            match of(&method, &path) {
                Ok(found) => prop_assert!(found.is_listed(), "{method} {path}"),
                Err(_refused) => {}
            }
        }
    }

    #[test]
    fn any_path_is_read_without_a_panic(path in "[ -~]{0,40}") {
        let _found = of(&Method::POST, &path);
    }
}
