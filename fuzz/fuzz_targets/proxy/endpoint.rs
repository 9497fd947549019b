//! Known endpoints in any spelling. The first bytes choose a row of the table and a method, the
//! others disguise the path: case, escapes, parameters, blanks, encoded separators, steps up. What
//! a lenient server would serve is that endpoint or refused, never a path without rules.
#![no_main]

use std::sync::LazyLock;

use hone::api::endpoint::{Endpoint, document};
use hone::request::route::{Resource, route};
use http::{Method, Request};
use libfuzzer_sys::fuzz_target;

/// Method and path of every row, as the documents have them.
static ROWS: LazyLock<Vec<(Method, String)>> = LazyLock::new(|| {
    let table = document();
    let rows = table.lines().filter_map(|line| {
        let (method, path) = line.strip_prefix("| `")?.split_once(" /v1/")?;
        let path = path.split_once('`')?.0;
        let path = path
            .replace("{id}", "id-1")
            .replace("{model}", "meta/llama");
        Some((method.parse().ok()?, path))
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 40, "where is the table?");
    rows
});

fuzz_target!(|bytes: &[u8]| {
    let [row, method, disguise @ ..] = bytes else {
        return;
    };
    let (own, path) = &ROWS[usize::from(*row) % ROWS.len()];
    let others = [
        own,
        &Method::POST,
        &Method::GET,
        &Method::DELETE,
        &Method::PUT,
    ];
    let method = others[usize::from(*method) % others.len()];
    let spelled = disguised(path, disguise);
    let Ok((parts, ())) = Request::builder()
        .method(method)
        .uri(format!("/v1/{spelled}"))
        .body(())
        .map(Request::into_parts)
    else {
        return;
    };
    let plain = Endpoint::of(method, path);
    match route(&parts) {
        Ok(Resource::Api(below, endpoint)) => {
            assert_eq!(below, spelled);
            assert!(
                endpoint.is_listed(),
                "{method} {spelled} is {path}, and has no rules"
            );
            assert_eq!(
                Ok(endpoint),
                plain,
                "{method} {spelled} has the rules of {path}"
            );
        }
        Ok(other) => panic!("{spelled}: {other:?}"),
        Err(_refused) => {}
    }
    // A slash at the end means nothing.
    assert_eq!(Endpoint::of(method, &format!("{path}/")), plain);
});

/// `path` as some server would read it back. One byte for each of its characters says how, until
/// there are no more.
fn disguised(path: &str, mut ways: &[u8]) -> String {
    let is_id = |at: usize| path[..at].ends_with("/id-1") || path[at..].starts_with("id-1");
    let mut spelled = String::new();
    for (at, letter) in path.char_indices() {
        let way = ways.split_off_first().copied().unwrap_or(0);
        // What an id is called is the client's.
        let is_free = path.contains("meta/llama") && at >= "models/".len() || is_id(at);
        match way {
            1 if !is_free => spelled.extend(letter.to_uppercase()),
            2 | 3 if !is_free => {
                let twice = if way == 3 { "25" } else { "" };
                spelled.push_str(&format!("%{twice}{:02x}", u32::from(letter)));
            }
            4 if letter == '/' => spelled.push_str(";a=b/"),
            5 if letter == '/' => spelled.push_str("%2520/"),
            6 if letter == '/' => spelled.push_str("%252f"),
            7 if letter == '/' => spelled.push_str("/%252e/"),
            8 if letter == '/' => spelled.push_str("/x/%252E%252e/"),
            9 if letter == '/' => spelled.push_str("/%C2%A0/"),
            10 if letter == '/' => spelled.push_str("./"),
            _ => spelled.push(letter),
        }
    }
    let ends = [
        "", "/", ";x", "%20", ".", "%2520", "%253bx", "/%252e", "/%253b", "%C2%A0",
    ];
    let end = usize::from(ways.first().copied().unwrap_or(0));
    spelled + ends[end % ends.len()]
}
