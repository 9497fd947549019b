use super::{parse, tenant, upstream, upstream_at};
use crate::config::{Config, KeyDigest};

/// The one warning about `text`.
#[track_caller]
fn warning(text: &str) -> String {
    let mut warnings = parse(text).warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings.remove(0)
}

const OPEN: &str = "listen = '0.0.0.0:8000'\nlimits = { requests_per_minute = 60 }\n\
    trusted_proxies = ['10.0.0.0/8']\n";

#[test]
fn listening_beyond_this_machine_without_limits_is_warned_about() {
    assert!(
        warning("listen = '0.0.0.0:8000'\ntrusted_proxies = ['10.0.0.0/8']")
            .starts_with("limits: hone listens on 0.0.0.0:8000")
    );
    assert!(parse(OPEN).warnings.is_empty());
    assert!(
        parse(r#"listen = "[::ffff:127.0.0.1]:8000""#)
            .warnings
            .is_empty(),
        "a mapped loopback address is one"
    );
}

#[test]
fn any_web_page_at_a_fallback_key_or_at_an_upstream_without_keys_is_warned_about() {
    let of = |more: &str, upstream_of: &str| {
        parse(&format!("cors_origins = {more}\n{}", upstream(upstream_of))).warnings
    };
    let pages = |warnings: Vec<String>| {
        let about = warnings
            .into_iter()
            .filter(|told| told.starts_with("cors_origins: \"*\""));
        about.collect::<Vec<_>>()
    };
    let key = "fallback_key = { env = 'KEY' }\nfallback_for = 'anyone'";
    assert!(pages(of("['*']", key))[0].contains("the fallback key of `a`"));
    assert!(pages(of("['*']", "auth = 'none'"))[0].contains("`a`, which needs no key"));
    assert!(pages(of("['*']", "")).is_empty());
    assert!(pages(of("['https://app.example']", key)).is_empty());
}

#[test]
fn a_fallback_key_for_anyone_is_warned_about_beyond_this_machine() {
    let key = upstream("fallback_key = { env = 'KEY' }\nfallback_for = 'anyone'");
    assert!(
        warning(&format!("{OPEN}{key}"))
            .contains("can spend the fallback key of `a`, without a key of their own")
    );
    assert!(parse(&key).warnings.is_empty());
}

#[test]
fn a_fallback_key_that_nobody_can_use_is_warned_about() {
    let key = upstream(r#"fallback_key = { env = "KEY" }"#);
    assert!(warning(&key).contains("nobody can use the fallback key of `a`"));
    assert!(parse(&(key + &tenant("t", ""))).warnings.is_empty());
    let local = upstream("fallback_key = { env = 'KEY' }\nfallback_for = 'loopback'");
    assert!(warning(&format!("{OPEN}{local}")).contains("permits nobody"));
    assert!(warning(&local).contains("not for a machine with a reverse proxy"));
}

#[test]
fn an_open_admin_listener_is_warned_about() {
    assert!(
        warning("[admin]\nlisten = '0.0.0.0:9090'")
            .starts_with("admin.listen: anyone who can reach 0.0.0.0:9090")
    );
}

#[test]
fn trusting_every_peers_headers_is_warned_about() {
    assert!(warning(r#"trusted_proxies = ["0.0.0.0/0"]"#).contains("escape its limits"));
    assert!(
        parse(r#"trusted_proxies = ["10.0.0.0/8", "::1"]"#)
            .warnings
            .is_empty()
    );
}

#[test]
fn admitting_known_keys_only_while_none_is_known_is_warned_about() {
    assert!(warning(r#"access = "known""#).starts_with("access: only known keys"));
}

#[test]
fn keys_that_travel_unencrypted_are_warned_about() {
    let at = |url: &str, auth: &str| upstream_at("a", url, &format!("auth = '{auth}'"));
    assert!(warning(&at("http://10.0.0.1/v1", "bearer")).contains("unencrypted"));
    for silent in [
        at("http://10.0.0.1/v1", "none"),
        at("http://[::1]:1/v1", "bearer"),
        at("http://localhost/v1", "bearer"),
    ] {
        assert!(parse(&silent).warnings.is_empty());
    }
}

#[test]
fn an_upstream_behind_one_that_takes_everything_is_warned_about() {
    let second = upstream_at("b", "https://b.example/v1", "");
    assert!(warning(&format!("{}{second}", upstream(""))).contains("`b` serves only `b/model`"));
    assert!(
        parse(&format!("{}{second}", upstream(r#"models = ["gpt-*"]"#)))
            .warnings
            .is_empty()
    );
    assert!(warning(&upstream("models = []")).contains("no model leads to `a`"));
}

#[test]
fn plain_text_beyond_this_machine_is_warned_about_where_no_proxy_is_named() {
    let open = "listen = '0.0.0.0:8000'\nlimits = { requests_per_minute = 60 }\n";
    assert!(warning(open).contains("without [tls]"), "{}", warning(open));
    assert!(parse(OPEN).warnings.is_empty());
}

#[test]
fn keys_of_hones_own_files_are_warned_about_and_refused_beyond_this_machine() {
    let digest = |key: &str| KeyDigest::of(key.as_bytes());
    for (list, key) in [
        ("keys", "hone-example-alice"),
        ("keys", "hone-example-bob"),
        ("provider_keys", "sk-example-carol"),
    ] {
        let tenant = format!("[[tenant]]\nname = 't'\n{list} = ['{}']\n", digest(key));
        let told = warning(&tenant);
        assert!(
            told.starts_with(&format!("tenant[0].{list}[0]: \"{key}\"")),
            "{told}"
        );
        let open = format!("{OPEN}{tenant}");
        let errors = Config::parse(&open, &|_| None).unwrap_err();
        let first = errors.iter().next().unwrap().to_string();
        assert!(
            first.starts_with(&format!("tenant[0].{list}[0] (line ")),
            "{first}"
        );
        assert!(first.contains("hone key new"), "{first}");
    }
}

#[test]
fn a_base_url_whose_path_is_odd_is_warned_about() {
    for (url, told) in [
        ("http://localhost:11434", "has no path"),
        ("http://localhost:11434/", "has no path"),
        (
            "https://a.example/v1/chat/completions",
            "ends with an endpoint",
        ),
        ("https://a.example/v1/v1", "has /v1 twice"),
    ] {
        let warning = warning(&upstream_at("a", url, ""));
        assert!(
            warning.starts_with("upstream[0].base_url: ") && warning.contains(told),
            "{warning}"
        );
    }
    let first = upstream_at("a", "https://a.example/v1", "models = ['x']");
    let second = upstream_at("b", "https://b.example", "models = ['y']");
    let warning = warning(&format!("{first}{second}"));
    assert!(
        warning.starts_with("upstream[1].base_url (b): "),
        "{warning}"
    );
    for usual in [
        "https://a.example/v1",
        "https://a.example/openai/deployments/x",
    ] {
        assert!(
            parse(&upstream_at("a", usual, "")).warnings.is_empty(),
            "{usual}"
        );
    }
}

/// Google's own API, and its path for chat completions.
const GOOGLES: &str = "https://generativelanguage.googleapis.com";
const COMPATIBLE: &str = "https://generativelanguage.googleapis.com/v1beta/openai";

/// An upstream at `url` whose dialect is named, unless it is empty.
fn speaking(dialect: &str, url: &str) -> String {
    let named = format!("dialect = \"{dialect}\"");
    upstream_at("a", url, if dialect.is_empty() { "" } else { &named })
}

#[test]
fn a_url_that_contradicts_its_dialect_is_warned_about() {
    let anthropics = "https://api.anthropic.com/v1";
    let other = "does not speak \"gemini\"; set dialect = \"anthropic\"";
    for (url, dialect, told) in [
        (
            anthropics,
            "",
            "is Anthropic's api.anthropic.com, which hone asks in chat",
        ),
        ("https://api.anthropic.com", "gemini", other),
        (GOOGLES, "openai-chat", "set dialect = \"gemini\" and end"),
        (
            COMPATIBLE,
            "anthropic",
            "which does not speak \"anthropic\"",
        ),
        (
            COMPATIBLE,
            "gemini",
            "base_url: the URL of `a` ends with /openai",
        ),
        ("https://a.example/openai", "gemini", "leave the path out"),
        (
            "https://API.OpenAI.com",
            "gemini",
            "is OpenAI's api.openai.com",
        ),
        (
            "https://a.example/anthropic",
            "anthropic",
            "names no version",
        ),
        (
            "https://a.example/openai",
            "openai-responses",
            "most end in /v1",
        ),
        ("https://a.example", "anthropic", "has no path"),
    ] {
        let warnings = parse(&speaking(dialect, url)).warnings;
        let is_told = warnings.iter().any(|warning| warning.contains(told));
        assert!(is_told, "{told}: {warnings:?}");
    }
}

#[test]
fn a_url_that_fits_its_dialect_is_not() {
    for (url, dialect) in [
        ("https://api.anthropic.com/v1", "anthropic"),
        ("https://api.anthropic.com/v1", "openai-chat"),
        (GOOGLES, "gemini"),
        (COMPATIBLE, "openai-chat"),
        (COMPATIBLE, ""),
        ("https://api.openai.com/v1", "openai-responses"),
        ("https://api.openai.com/v1", ""),
        ("https://a.example/api/v1", "anthropic"),
        ("https://a.example/google", "gemini"),
    ] {
        let warnings = parse(&speaking(dialect, url)).warnings;
        assert_eq!(warnings, Vec::<String>::new(), "{url} {dialect}");
    }
}

#[test]
fn a_key_in_a_slot_of_another_dialect_is_warned_about() {
    let at = |dialect: &str, auth: &str| {
        let keys = format!("dialect = \"{dialect}\"\nauth = \"{auth}\"");
        let url = if dialect == "gemini" {
            "https://a.example"
        } else {
            "https://a.example/v1"
        };
        parse(&upstream_at("a", url, &keys)).warnings
    };
    for (dialect, auth, is_right) in [
        ("anthropic", "x-api-key", true),
        ("anthropic", "bearer", true),
        ("anthropic", "x-goog-api-key", false),
        ("gemini", "x-goog-api-key", true),
        ("gemini", "x-api-key", false),
        ("openai-chat", "api-key", true),
        ("openai-chat", "x-goog-api-key", false),
        ("openai-responses", "x-goog-api-key", false),
        ("gemini", "none", true),
    ] {
        let warnings = at(dialect, auth);
        assert_eq!(
            warnings.is_empty(),
            is_right,
            "{dialect} {auth}: {warnings:?}"
        );
        let path = "upstream[0].auth: `a` speaks";
        assert!(is_right || warnings[0].starts_with(path), "{warnings:?}");
    }
}

#[test]
fn an_upstream_that_no_model_leads_to_is_told_how_one_does() {
    let first = upstream_at("a", "https://a.example/v1", "");
    let second = upstream_at("b", "https://b.example", "dialect = \"gemini\"");
    let warning = warning(&format!("{first}{second}"));
    assert!(
        warning.starts_with("upstream[1].models (b): ")
            && warning
                .contains("put `b` first, and name its models, as in models = [\"gemini-*\"]"),
        "{warning}"
    );
}

#[test]
fn memory_in_which_no_approach_can_run_is_warned_about() {
    let small = "[bounds]\nbody_bytes = 65_536\n";
    for (bounds, key, bytes) in [
        (
            "tenant_buffered_bytes = 131_072",
            "tenant_buffered_bytes",
            "131072",
        ),
        (
            "tenant_buffered_bytes = 262_144",
            "tenant_buffered_bytes",
            "262144",
        ),
        ("buffered_bytes = 262_144", "buffered_bytes", "262144"),
        // Nobody has written an eighth of it.
        (
            "buffered_bytes = 1_048_576",
            "tenant_buffered_bytes",
            "131072",
        ),
    ] {
        let warning = warning(&format!("{small}{bounds}"));
        let told = format!("bounds.{key}: with {bytes} bytes no approach can run");
        assert!(warning.starts_with(&told), "{warning}");
        let cure = format!("write bounds.{key} = 4194304");
        assert!(warning.contains(&cure), "{warning}");
    }
    for enough in [
        "tenant_buffered_bytes = 262_145",
        "tenant_buffered_bytes = 4_194_304",
    ] {
        assert!(
            parse(&format!("{small}{enough}")).warnings.is_empty(),
            "{enough}"
        );
    }
}
