use std::fs;

use proptest::prelude::*;

use super::*;

mod approaches;
mod files;
mod flags;
mod secrets;
mod upstreams;
mod warnings;

const KEY: &str = "sk-live-4f9a";

fn env(name: &str) -> Option<String> {
    match name {
        "KEY" => Some(KEY.to_owned()),
        "EMPTY" => Some(" ".to_owned()),
        "TWO_LINES" => Some("one\ntwo".to_owned()),
        "LONG" => Some("0123456789abcdef".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Config {
    Config::parse(text, &env).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The mistakes in `text`, one string each.
fn mistakes(text: &str) -> Vec<String> {
    match Config::parse(text, &env) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// Asserts that `text` has one mistake, whose text contains every one of `parts`.
#[track_caller]
fn assert_mistake(text: &str, parts: &[&str]) {
    let mistakes = mistakes(text);
    assert_eq!(mistakes.len(), 1, "{text}\n{mistakes:#?}");
    for part in parts {
        assert!(
            mistakes[0].contains(part),
            "`{part}` is not in `{}`",
            mistakes[0]
        );
    }
}

/// An upstream with `more` keys.
fn upstream(more: &str) -> String {
    upstream_at("a", "https://a.example/v1", more)
}

fn upstream_at(name: &str, url: &str, more: &str) -> String {
    format!("[[upstream]]\nname = '{name}'\nbase_url = '{url}'\n{more}\n")
}

/// A tenant that has the key of its own name, and `more`.
fn tenant(name: &str, more: &str) -> String {
    let digest = digest(name);
    format!("[[tenant]]\nname = '{name}'\nkeys = ['{digest}']\n{more}\n")
}

/// A virtual model named `a`, with `more` keys.
fn virtual_model(model: &str, approach: &str, more: &str) -> String {
    format!("[[model]]\nname = 'a'\nmodel = '{model}'\napproach = '{approach}'\n{more}\n")
}

fn digest(key: &str) -> String {
    KeyDigest::of(key.as_bytes()).to_string()
}

#[test]
fn every_mistake_is_reported_at_once_in_the_order_of_the_file() {
    let text = r#"
listen = 8000
aproach = "bon"

[[upstream]]
nme = "openai"
base_url = "https://user:pass@api.openai.com/v1"
auth = "baerer"
concurrency = 0

[bounds]
connect = "5 parsecs"
"#;
    let expected = [
        "listen (line 2, column 1): is a number; write a string in quotes",
        "aproach (line 3, column 1): is not a known key; did you mean `approach`?",
        r#"upstream[0].name (line 5, column 1): is missing; name it, such as "openai""#,
        "upstream[0].nme (line 6, column 1): is not a known key; did you mean `name`?",
        concat!(
            "upstream[0].base_url (line 7, column 1): contains a user name or password; ",
            "put the key into ",
            r#"fallback_key = { env = "NAME" }"#
        ),
        concat!(
            "upstream[0].auth (line 8, column 1): is not one of the choices; ",
            r#"did you mean "bearer"? "#,
            r#"write "bearer" or "x-api-key" or "api-key" or "x-goog-api-key" or "none""#
        ),
        concat!(
            "upstream[0].concurrency (line 9, column 1): is out of range; ",
            "write a whole number from 1 to 1000000"
        ),
        concat!(
            "bounds.connect (line 12, column 1): is not a time; ",
            r#"write a whole number and its unit, ms, s, m or h: "500ms", "10s""#
        ),
    ];
    assert_eq!(mistakes(text), expected);
}

#[test]
fn every_place_that_is_not_toml_is_reported() {
    let found = mistakes("listen = \naccess = 'open'\ntags = maybe\n");
    assert!(
        found.len() == 2
            && found[0].starts_with("TOML (line 1, column 10)")
            && found[1].starts_with("TOML (line 3, column 8)"),
        "{found:?}"
    );
    assert_mistake(
        "tags = true\ntags = false",
        &["TOML (line 2, column 1)", "duplicate"],
    );
}

#[test]
fn a_key_that_no_table_knows_is_refused_in_every_table() {
    let tables = [
        String::new(),
        "[bounds]\n".to_owned(),
        "[limits]\n".to_owned(),
        "[limits.address]\n".to_owned(),
        "[fallback_limits]\n".to_owned(),
        "[log]\n".to_owned(),
        "[admin]\nlisten = '127.0.0.1:0'\n".to_owned(),
        upstream(""),
        upstream("[upstream.limits]"),
        upstream("[upstream.fallback_key]\nenv = 'KEY'"),
        tenant("a", ""),
        tenant("a", "[tenant.limits]"),
        virtual_model("b", "none", ""),
    ];
    for table in tables {
        assert_eq!(mistakes(&table), Vec::<String>::new(), "{table}");
        assert_mistake(
            &format!("{table}frobnicate = 1"),
            &["frobnicate (line", "is not a known key"],
        );
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_the_right_one() {
    assert_mistake(
        r#"tags = "yes""#,
        &["tags", "is a string; write true or false"],
    );
    assert_mistake(
        r#"trusted_proxies = "10.0.0.0/8""#,
        &["is a string; write a list"],
    );
    assert_mistake(
        r#"trusted_proxies = ["10.0.0.0/8", 7]"#,
        &["trusted_proxies[1]", "is a number"],
    );
    assert_mistake("limits = 5", &["is a number; write a table"]);
    assert_mistake(
        "[upstream]\nname = 'a'",
        &["is a table; write [[upstream]], with two brackets"],
    );
    assert_mistake(
        "[limits]\nrequests_per_minute = 1.5",
        &["is a number with a fraction; write a whole number"],
    );
    assert_mistake("[limits]\nrequests_per_minute = -1", &["is out of range"]);
    assert_mistake("[params]\nx = 1979-05-27", &["params.x", "is a date"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let errors =
        Config::load(std::path::Path::new("/nonexistent/hone.toml"), None, false).unwrap_err();
    assert!(
        errors
            .to_string()
            .starts_with("/nonexistent/hone.toml: cannot be read"),
        "{errors}"
    );
}

#[test]
fn a_digest_has_one_place() {
    let tenant = |name: &str, slot: &str, key: &str| {
        let digest = digest(key);
        format!("[[tenant]]\nname = '{name}'\n{slot} = ['{digest}']\n")
    };
    let found = [
        tenant("a", "keys", "one"),
        tenant("b", "provider_keys", "one"),
        tenant("c", "keys", "two"),
    ]
    .concat();
    assert_mistake(
        &found,
        &[
            "tenant[1].provider_keys[0]",
            "tenant[0].keys[0] has already",
        ],
    );
    assert_mistake(
        "[[tenant]]\nname = 'a'\nkeys = ['sha256:00']",
        &["tenant[0].keys[0]", "is not a digest", "hone key digest"],
    );
    assert_mistake("[[tenant]]\nname = 'a'", &["nobody could be this tenant"]);
}

#[test]
fn a_tenant_has_the_servers_limits_except_for_its_own() {
    let text = r"
[limits]
requests_per_minute = 600
tokens_per_minute = 1_000_000
[limits.address]
requests_per_minute = 700
";
    let alice = tenant("alice", "limits = { requests_per_minute = 60 }");
    let text = format!("{text}{alice}");
    let config = parse(&text);
    let alice = &config.tenants[0].limits;
    assert_eq!(
        (
            alice.requests_per_minute.unwrap().get(),
            alice.tokens_per_minute.unwrap().get()
        ),
        (60, 1_000_000)
    );
    assert_eq!(
        config.address_limits.requests_per_minute.unwrap().get(),
        700
    );
    assert_eq!(
        config.address_limits.tokens_per_minute.unwrap().get(),
        10_000_000
    );
    assert_eq!(config.address_limits.concurrent_requests, None);
}

#[test]
fn a_virtual_model_leads_to_a_model_that_an_upstream_serves() {
    let model = |model: &str| {
        let upstream = upstream(r#"models = ["gpt-*"]"#);
        upstream + &virtual_model(model, "none", "")
    };
    assert_mistake(&model("llama"), &["model[0].model", "no upstream serves"]);
    assert_mistake(&model("b/llama"), &["no upstream serves"]);
    assert_eq!(parse(&model("gpt-4o")).models[0].model, "gpt-4o");
    assert_eq!(parse(&model("a/llama")).models[0].model, "a/llama");
    assert_mistake(
        &virtual_model("a", "none", ""),
        &["is itself a virtual model"],
    );
}

#[test]
fn an_option_that_would_do_nothing_is_a_mistake() {
    assert_mistake(&upstream(r#"fallback_for = "anyone""#), &["there is none"]);
    assert_mistake(
        &upstream(r#"fallback_paths = ["rerank"]"#),
        &["there is none"],
    );
    assert_mistake(
        &upstream("auth = 'none'\nfallback_key = { env = 'KEY' }"),
        &["takes no key"],
    );
    assert_mistake(
        &upstream("tenant_share = 0.25"),
        &["a share of `concurrency` and `limits`"],
    );
    assert_mistake(
        &upstream("http2_prior_knowledge = true"),
        &["for http:// upstreams"],
    );
    assert_mistake(
        "[bounds]\nbuffered_bytes = 2048",
        &["bounds.buffered_bytes", "less than one body"],
    );
    assert_mistake(
        "[bounds]\ntenant_buffered_bytes = 2048",
        &["bounds.tenant_buffered_bytes", "less than one body"],
    );
    assert_mistake(
        "[admin]\nlisten = '127.0.0.1:8000'",
        &["admin.listen", "the tenants' address"],
    );
}

#[test]
fn the_effective_configuration_says_the_same_and_shows_no_secret() {
    let tenant = tenant("a", "params = { best_of_n = 5 }");
    let limits = "[limits]\nrequests_per_minute = 7\n";
    let text = upstream("concurrency = 9") + &tenant + limits;
    let effective = parse(&text).effective().unwrap();
    assert_eq!(parse(&effective).effective().unwrap(), effective);
    let secret = parse(&upstream(r#"fallback_key = { env = "KEY" }"#));
    let shown = format!("{}{secret:?}", secret.effective().unwrap());
    assert!(
        shown.contains(r#"fallback_key = "redacted""#) && !shown.contains(KEY),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in TOML_OR_NOT) {
        let read = Config::parse(&text, &env);
        prop_assert!(read.is_ok() || read.is_err());
    }
}

/// Words, headers of tables and the signs between them, in any order.
const TOML_OR_NOT: &str = concat!(
    r"([a-z_.]{1,9}|\[\[?(upstream|tenant|model|limits)\]?\]",
    "|[ =\"{},0-9\n\u{e9}]){0,40}"
);
