use std::fs;

use proptest::prelude::*;

use super::*;

mod approaches;
mod files;
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
    format!("[[upstream]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\n{more}\n")
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
        "listen (line 2): is a number; write a string in quotes",
        "aproach (line 3): is not a known key; did you mean `approach`?",
        "upstream[0].name (line 5): is missing; name it, such as \"openai\"",
        "upstream[0].nme (line 6): is not a known key; did you mean `name`?",
        "upstream[0].base_url (line 7): contains a user name or password; put the key into \
            fallback_key = { env = \"NAME\" }",
        "upstream[0].auth (line 8): is not one of the choices; did you mean \"bearer\"? \
         write \"bearer\" or \"x-api-key\" or \"api-key\" or \"x-goog-api-key\" or \"none\"",
        "upstream[0].concurrency (line 9): is out of range; write a whole number from 1 to 1000000",
        "bounds.connect (line 12): is not a time; write a whole number and its unit, ms, s, m or \
            h: \"500ms\", \"10s\"",
    ];
    assert_eq!(mistakes(text), expected);
}

#[test]
fn every_place_that_is_not_toml_is_reported() {
    let found = mistakes("listen = \naccess = \"open\"\ntags = maybe\n");
    assert!(
        found.len() == 2
            && found[0].starts_with("TOML (line 1)")
            && found[1].starts_with("TOML (line 3)"),
        "{found:?}"
    );
    assert_mistake("tags = true\ntags = false", &["TOML (line 2)", "duplicate"]);
}

#[test]
fn a_key_that_no_table_knows_is_refused_in_every_table() {
    let digest = digest("alice");
    let tables = [
        String::new(),
        "[bounds]\n".to_owned(),
        "[limits]\n".to_owned(),
        "[limits.address]\n".to_owned(),
        "[fallback_limits]\n".to_owned(),
        "[log]\n".to_owned(),
        "[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned(),
        upstream(""),
        upstream("[upstream.limits]"),
        upstream("[upstream.fallback_key]\nenv = \"KEY\""),
        format!("[[tenant]]\nname = \"a\"\nkeys = [\"{digest}\"]\n"),
        format!("[[tenant]]\nname = \"a\"\nkeys = [\"{digest}\"]\n[tenant.limits]\n"),
        "[[model]]\nname = \"a\"\nmodel = \"b\"\napproach = \"none\"\n".to_owned(),
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
        "tags = \"yes\"",
        &["tags", "is a string; write true or false"],
    );
    assert_mistake(
        "trusted_proxies = \"10.0.0.0/8\"",
        &["is a string; write a list"],
    );
    assert_mistake(
        "trusted_proxies = [\"10.0.0.0/8\", 7]",
        &["trusted_proxies[1]", "is a number"],
    );
    assert_mistake("limits = 5", &["is a number; write a table"]);
    assert_mistake(
        "[upstream]\nname = \"a\"",
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
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for text in [
        upstream(&format!("fallback_key = \"{KEY}\"")),
        format!("tenant_secret = \"{KEY}\""),
        upstream(&format!("auth = \"{KEY}\"")),
        format!("[[tenant]]\nname = \"a\"\nkeys = [\"{KEY}\"]"),
        format!("listen = \"{KEY}\""),
        format!("[[upstream]]\nname = \"a\"\nbase_url = \"https://{KEY}@a.example\""),
    ] {
        let mistakes = mistakes(&text).join("\n");
        assert!(
            !mistakes.is_empty() && !mistakes.contains(KEY),
            "{mistakes}"
        );
    }
    let text = upstream(&format!("fallback_key = \"{KEY}\""));
    assert_mistake(
        &text,
        &[
            "upstream[0].fallback_key",
            "where secrets do not belong",
            "{ env = \"NAME\" } or { file = \"PATH\" }",
        ],
    );
}

#[test]
fn a_secret_that_cannot_be_read_is_a_mistake() {
    let key = |reference: &str| upstream(&format!("fallback_key = {reference}"));
    assert_mistake(
        &key("{ env = \"ABSENT\" }"),
        &["environment variable ABSENT, which is not set"],
    );
    assert_mistake(
        &key("{ env = \"EMPTY\" }"),
        &["environment variable EMPTY, which is empty"],
    );
    assert_mistake(
        &key("{ env = \"TWO_LINES\" }"),
        &["no request header can carry"],
    );
    assert_mistake(
        &key("{ file = \"/nonexistent/key\" }"),
        &["/nonexistent/key, which cannot be read"],
    );
    assert_mistake(&key("{ env = \"KEY\", file = \"k\" }"), &["names both"]);
    assert_mistake(&key("{}"), &["names neither"]);
    assert_mistake(
        "tenant_secret = { env = \"KEY\" }",
        &["short enough to be guessed"],
    );
}

#[test]
fn a_secret_is_read_from_where_its_reference_leads() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), format!("{KEY}\r\n")).unwrap();
    let path = directory.path().join("hone.toml");
    fs::write(&path, upstream("fallback_key = { file = \"key\" }")).unwrap();
    let from_file = Config::load(&path).unwrap();
    let from_env = parse(&upstream("fallback_key = { env = \"KEY\" }"));
    for config in [from_file, from_env] {
        assert_eq!(
            config.upstreams[0].fallback.as_ref().unwrap().key.expose(),
            KEY.as_bytes()
        );
    }
    assert!(
        parse("tenant_secret = { env = \"LONG\" }")
            .tenant_secret
            .is_some()
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let errors = Config::load(std::path::Path::new("/nonexistent/hone.toml")).unwrap_err();
    assert!(
        errors
            .to_string()
            .starts_with("/nonexistent/hone.toml: cannot be read"),
        "{errors}"
    );
}

#[test]
fn a_base_url_is_a_scheme_a_host_and_a_path() {
    let url = |url: &str| format!("[[upstream]]\nname = \"a\"\nbase_url = \"{url}\"");
    for (text, what) in [
        ("https://a.example/v1?key=1", "has a query"),
        ("https://a.example/v1#top", "has a fragment"),
        ("https://me@a.example/v1", "contains a user name"),
        ("ftp://a.example/v1", "does not start with http"),
        ("a.example/v1", "is not a URL"),
        ("api.example.com", "does not start with http"),
        ("https://", "is not a URL"),
        ("https://a.example/../v1", "not in its plain form"),
        ("https://a.example/%2e%2e/v1", "not in its plain form"),
        ("https://a.example//v1", "not in its plain form"),
        ("https://a.example:99999/v1", "names no host and port"),
    ] {
        assert_mistake(&url(text), &["upstream[0].base_url", what]);
    }
    for (text, path) in [
        ("https://a.example/openai/v1/", "/openai/v1"),
        ("http://[::1]:1/v1", "/v1"),
        ("http://localhost:11434", "/"),
    ] {
        assert_eq!(
            parse(&url(text)).upstreams[0].base_url.path(),
            path,
            "{text}"
        );
    }
}

#[test]
fn names_are_unique_and_fit_into_headers() {
    let two = |first: &str, second: &str| {
        [first, second]
            .map(|name| {
                format!("[[upstream]]\nname = \"{name}\"\nbase_url = \"https://a.example\"\n")
            })
            .concat()
    };
    // `x-hone-key-a` and `x-hone-key-A` are one header.
    assert_mistake(
        &two("a", "A"),
        &["upstream[1].name", "is also the name of upstream[0]"],
    );
    assert_mistake(&two("a", "b c"), &["upstream[1].name", "is not a name"]);
}

#[test]
fn a_digest_has_one_place() {
    let tenant = |name: &str, slot: &str, key: &str| {
        format!(
            "[[tenant]]\nname = \"{name}\"\n{slot} = [\"{}\"]\n",
            digest(key)
        )
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
        "[[tenant]]\nname = \"a\"\nkeys = [\"sha256:00\"]",
        &["tenant[0].keys[0]", "is not a digest", "hone key digest"],
    );
    assert_mistake("[[tenant]]\nname = \"a\"", &["nobody could be this tenant"]);
}

#[test]
fn a_tenant_has_the_servers_limits_except_for_its_own() {
    let text = format!(
        "[limits]\nrequests_per_minute = 600\ntokens_per_minute = \
            1_000_000\n[limits.address]\nrequests_per_minute = 700\n\
         [[tenant]]\nname = \"alice\"\nkeys = [\"{}\"]\nlimits = {{ requests_per_minute = 60 }}",
        digest("alice")
    );
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
        let upstream = upstream("models = [\"gpt-*\"]");
        format!("{upstream}[[model]]\nname = \"careful\"\nmodel = \"{model}\"\napproach = \"none\"")
    };
    assert_mistake(&model("llama"), &["model[0].model", "no upstream serves"]);
    assert_mistake(&model("b/llama"), &["no upstream serves"]);
    assert_eq!(parse(&model("gpt-4o")).models[0].model, "gpt-4o");
    assert_eq!(parse(&model("a/llama")).models[0].model, "a/llama");
    assert_mistake(
        "[[model]]\nname = \"a\"\nmodel = \"a\"\napproach = \"none\"",
        &["is itself a virtual model"],
    );
}

#[test]
fn an_option_that_would_do_nothing_is_a_mistake() {
    assert_mistake(&upstream("fallback_for = \"anyone\""), &["there is none"]);
    assert_mistake(
        &upstream("fallback_paths = [\"rerank\"]"),
        &["there is none"],
    );
    assert_mistake(
        &upstream("auth = \"none\"\nfallback_key = { env = \"KEY\" }"),
        &["takes no key"],
    );
    assert_mistake(
        &upstream("tenant_share = 0.25"),
        &["a share of `concurrency`"],
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
        "[admin]\nlisten = \"127.0.0.1:8000\"",
        &["admin.listen", "the tenants' address"],
    );
}

#[test]
fn a_header_with_a_key_is_never_forwarded_by_configuration() {
    for header in [
        "Authorization",
        "x-api-key",
        "cookie",
        "x-hone-key",
        "x-forwarded-for",
        "transfer-encoding",
        "bad name",
        "-",
    ] {
        assert_mistake(
            &upstream(&format!("forward_headers = [\"{header}\"]")),
            &["forward_headers[0]"],
        );
    }
    assert_eq!(
        parse(&upstream("forward_headers = [\"X-Team-\"]")).upstreams[0].forward_headers,
        ["x-team-"]
    );
}

#[test]
fn a_fallback_path_is_a_plain_path_below_v1() {
    for path in ["/rerank", "v1/rerank", "a/../b", "a//b", "", "a?b"] {
        let text = upstream(&format!(
            "fallback_key = {{ env = \"KEY\" }}\nfallback_paths = [\"{path}\"]"
        ));
        assert_mistake(&text, &["fallback_paths[0]", "is not a path below /v1"]);
    }
}

#[test]
fn only_the_first_upstream_takes_client_keys_unless_told() {
    let two = format!(
        "{}[[upstream]]\nname = \"b\"\nbase_url = \"https://b.example\"",
        upstream("")
    );
    let accepts = |text: &str| {
        parse(text)
            .upstreams
            .iter()
            .map(|upstream| upstream.accepts_client_keys)
            .collect::<Vec<_>>()
    };
    assert_eq!(accepts(&two), [true, false]);
    assert_eq!(
        accepts(&format!("{two}\naccepts_client_keys = true")),
        [true, true]
    );
}

#[test]
fn the_effective_configuration_says_the_same_and_shows_no_secret() {
    let text = format!(
        "{}[[tenant]]\nname = \"a\"\nkeys = [\"{}\"]\nparams = {{ best_of_n = 5 \
            }}\n[limits]\nrequests_per_minute = 7\n",
        upstream("concurrency = 9"),
        digest("a")
    );
    let effective = parse(&text).effective().unwrap();
    assert_eq!(parse(&effective).effective().unwrap(), effective);
    let secret = parse(&upstream("fallback_key = { env = \"KEY\" }"));
    let shown = format!("{}{secret:?}", secret.effective().unwrap());
    assert!(
        shown.contains("fallback_key = \"redacted\"") && !shown.contains(KEY),
        "{shown}"
    );
}

#[test]
fn without_flags_hone_forwards_to_openai_with_the_clients_keys() {
    let config = Config::from_flags(&ServeFlags::default(), &env).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.upstreams[0].base_url, "https://api.openai.com/v1");
    assert!(
        config.upstreams[0].accepts_client_keys
            && config.upstreams[0].fallback.is_none()
            && config.warnings.is_empty()
    );
    assert_eq!(config.effective(), parse("").effective());
}

#[test]
fn a_fallback_key_from_a_flag_is_for_local_callers_only() {
    let flags = ServeFlags {
        fallback_key_env: Some("KEY".to_owned()),
        ..ServeFlags::default()
    };
    let config = Config::from_flags(&flags, &env).unwrap();
    assert_eq!(
        config.upstreams[0].fallback.as_ref().unwrap().allowed,
        FallbackFor::Loopback
    );
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    let flags = ServeFlags {
        upstream: Some("localhost".to_owned()),
        fallback_key_env: Some("ABSENT".to_owned()),
        approach: Some("bon&".to_owned()),
        ..ServeFlags::default()
    };
    let errors = Config::from_flags(&flags, &env).unwrap_err();
    let mut paths: Vec<_> = errors.iter().map(|mistake| mistake.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["--approach", "--fallback-key-env", "--upstream"]);
}

proptest! {
    #[test]
    fn a_time_reads_back_what_it_prints(millis in 1_u64..86_400_000) {
        let time = Duration::from_millis(millis);
        let config = parse(&format!("[bounds]\nconnect = \"{}\"", resolve::duration_text(time)));
        prop_assert_eq!(config.bounds.connect, time);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([a-z_.]{1,9}|\\[\\[?(upstream|tenant|model|limits)\\]?\\]|[ =\"{},0-9\n\u{e9}]){0,40}") {
        let read = Config::parse(&text, &env);
        prop_assert!(read.is_ok() || read.is_err());
    }
}
