//! Secrets: where they may stand, and that they are never shown.

use std::fs;

use super::*;

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for text in [
        upstream(&format!(r#"fallback_key = "{KEY}""#)),
        format!(r#"tenant_secret = "{KEY}""#),
        upstream(&format!(r#"auth = "{KEY}""#)),
        format!("[[tenant]]\nname = 'a'\nkeys = ['{KEY}']"),
        format!(r#"listen = "{KEY}""#),
        upstream_at("a", &format!("https://{KEY}@a.example"), ""),
    ] {
        let mistakes = mistakes(&text).join("\n");
        assert!(
            !mistakes.is_empty() && !mistakes.contains(KEY),
            "{mistakes}"
        );
    }
    let text = upstream(&format!(r#"fallback_key = "{KEY}""#));
    assert_mistake(
        &text,
        &[
            "upstream[0].fallback_key",
            "where secrets do not belong",
            r#"{ env = "NAME" } or { file = "PATH" }"#,
        ],
    );
}

#[test]
fn a_secret_that_cannot_be_read_is_a_mistake() {
    let key = |reference: &str| upstream(&format!("fallback_key = {reference}"));
    assert_mistake(
        &key(r#"{ env = "ABSENT" }"#),
        &["environment variable ABSENT, which is not set"],
    );
    assert_mistake(
        &key(r#"{ env = "EMPTY" }"#),
        &["environment variable EMPTY, which is empty"],
    );
    assert_mistake(
        &key(r#"{ env = "TWO_LINES" }"#),
        &["no request header can carry"],
    );
    assert_mistake(
        &key(r#"{ file = "/nonexistent/key" }"#),
        &["/nonexistent/key, which cannot be read"],
    );
    assert_mistake(&key(r#"{ env = "KEY", file = "k" }"#), &["names both"]);
    assert_mistake(&key("{}"), &["names neither"]);
    assert_mistake(
        r#"tenant_secret = { env = "KEY" }"#,
        &["short enough to be guessed"],
    );
}

#[test]
fn a_secret_is_read_from_where_its_reference_leads() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), format!("{KEY}\r\n")).unwrap();
    let path = directory.path().join("hone.toml");
    fs::write(&path, upstream(r#"fallback_key = { file = "key" }"#)).unwrap();
    let from_file = Config::load(&path, None, false).unwrap();
    let from_env = parse(&upstream(r#"fallback_key = { env = "KEY" }"#));
    for config in [from_file, from_env] {
        assert_eq!(
            config.upstreams[0].fallback.as_ref().unwrap().key.expose(),
            KEY.as_bytes()
        );
    }
    assert!(
        parse(r#"tenant_secret = { env = "LONG" }"#)
            .tenant_secret
            .is_some()
    );
}

#[test]
fn quotes_and_marks_around_a_key_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let text = upstream(&format!("fallback_key = {{ file = '{}' }}", path.display()));
    for (kept, told) in [
        ("\"sk-quoted\"", "quotes around the key"),
        ("'sk-quoted'\n", "quotes around the key"),
        ("\u{feff}sk-marked", "a byte order mark"),
    ] {
        fs::write(&path, kept).unwrap();
        assert_mistake(&text, &[told]);
    }
    fs::write(&path, "sk-\"plain\"-1\n").unwrap();
    assert!(mistakes(&text).is_empty());
}
