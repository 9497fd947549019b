//! What `[[upstream]]` tables may say.

use hone_dialects::ThinkingForm;

use super::*;

#[test]
fn a_base_url_is_a_scheme_a_host_and_a_path() {
    let url = |url: &str| upstream_at("a", url, "");
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
        ("http://127.1:8000/v1", "has a number for a host"),
        ("http://2130706433:8000/v1", "has a number for a host"),
        ("http://0x7F000001:8000/v1", "has a number for a host"),
        ("http://127.0.0.01:8000/v1", "has a number for a host"),
        ("http://10.0x1./v1", "has a number for a host"),
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
fn a_base_url_says_no_version_where_clients_say_it() {
    for (dialect, url, is_right) in [
        ("gemini", "https://a.example", true),
        ("gemini", "https://a.example/proxy", true),
        ("gemini", "https://a.example/v1beta", false),
        ("gemini", "https://a.example/v1/", false),
        ("anthropic", "https://a.example/v1", true),
        ("openai-responses", "https://a.example/v1", true),
    ] {
        let text = upstream_at("a", url, &format!("dialect = \"{dialect}\""));
        if is_right {
            assert_eq!(parse(&text).upstreams[0].dialect.name(), dialect);
        } else {
            let last = "which Google's clients write themselves";
            assert_mistake(&text, &["upstream[0].base_url", last]);
        }
    }
}

#[test]
fn a_key_that_says_nothing_to_a_dialect_is_a_mistake() {
    for (dialect, key) in [
        ("openai-chat", "thinking = \"off\""),
        ("openai-chat", "file_uris = \"pass\""),
        ("openai-responses", "max_tokens_field = \"max_tokens\""),
        ("anthropic", "reasoning_field = \"none\""),
        ("gemini", "system_messages = \"user\""),
        ("gemini", "max_tokens_default = 9"),
        ("openai-chat", "anthropic_version = \"2023-06-01\""),
    ] {
        let keys = format!("dialect = \"{dialect}\"\n{key}");
        let text = upstream_at("a", "https://a.example", &keys);
        let name = key.split(' ').next().unwrap();
        let path = format!("upstream[0].{name}");
        assert_mistake(
            &text,
            &[&path, "says nothing to an upstream of this dialect"],
        );
    }
    let right = "dialect = \"anthropic\"\nthinking = \"budget\"\nmax_tokens_default = 9";
    let config = parse(&upstream_at("a", "https://a.example", right));
    let settings = &config.upstreams[0].settings;
    assert_eq!(settings.thinking, ThinkingForm::Budget);
    assert_eq!(settings.max_tokens_default, 9);
}

#[test]
fn names_are_unique_and_fit_into_headers() {
    let two = |first: &str, second: &str| {
        [first, second]
            .map(|name| upstream_at(name, "https://a.example", ""))
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
            &upstream(&format!(r#"forward_headers = ["{header}"]"#)),
            &["forward_headers[0]"],
        );
    }
    assert_eq!(
        parse(&upstream(r#"forward_headers = ["X-Team-"]"#)).upstreams[0].forward_headers,
        ["x-team-"]
    );
}

#[test]
fn a_fallback_path_is_a_plain_path_below_v1() {
    for path in ["/rerank", "v1/rerank", "a/../b", "a//b", "", "a?b"] {
        let paths = format!("fallback_key = {{ env = 'KEY' }}\nfallback_paths = ['{path}']");
        let text = upstream(&paths);
        assert_mistake(&text, &["fallback_paths[0]", "is not a path below /v1"]);
    }
}

#[test]
fn only_the_first_upstream_takes_client_keys_unless_told() {
    let two = upstream("") + &upstream_at("b", "https://b.example", "");
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
fn no_upstream_leads_back_to_a_listener_of_this_hone() {
    for (listeners, url, key) in [
        ("", "http://127.0.0.1:8000/v1", "`listen`"),
        ("listen = '0.0.0.0:80'", "http://LOCALHOST/v1", "`listen`"),
        ("listen = '[::]:8443'", "https://[::1]:8443/v1", "`listen`"),
        (
            "admin.listen = '127.0.0.1:8001'",
            "http://localhost:8001",
            "`admin.listen`",
        ),
    ] {
        let text = format!("{listeners}\n{}", upstream_at("a", url, ""));
        assert_mistake(&text, &["upstream[0].base_url", "leads back", key]);
    }
    let two = upstream_at("a", "https://a.example", "") + &upstream_at("b", "http://[::1]:1", "");
    let text = format!("listen = '[::1]:1'\n{two}");
    assert_mistake(&text, &["upstream[1].base_url", "leads back"]);
    parse(&format!(
        "listen = '127.0.0.1:0'\n{}",
        upstream_at("a", "http://127.0.0.1:8000", "")
    ));
}
