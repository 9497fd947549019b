//! The files in `config/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::*;
use crate::config::resolve::resolve;
use crate::config::secret::Sources;

const REFERENCE: &str = include_str!("../../../config/reference.toml");
/// A key that no table has, and that is like none that one has.
const UNKNOWN: &str = "qqqq";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// The reference with what it shows behind `#` switched on.
fn reference_with_examples() -> String {
    let is_setting = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
    let lines = REFERENCE.lines().map(|line| {
        line.strip_prefix('#')
            .filter(|rest| is_setting(rest))
            .unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What `text` means where every file and variable exists that the reference names.
fn resolve_where_everything_exists(text: &str) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("tls")).unwrap();
    for file in ["certificate.pem", "key.pem", "authority.pem"] {
        fs::write(directory.path().join("tls").join(file), "").unwrap();
    }
    let measured = r#"{"version": 1, "models": {}}"#;
    fs::write(directory.path().join("quality.json"), measured).unwrap();
    let env = |_: &str| Some("a-key-that-is-long-enough".to_owned());
    resolve(text, &Sources::new(&env, directory.path().to_owned()), None)
}

/// Calls `visit` with the path and the keys of each table in `table` that hone reads key by key.
fn each_table(path: &str, table: &mut Table, visit: &mut dyn FnMut(&str, &mut Table)) {
    for (key, value) in table.iter_mut() {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match value {
            Value::Table(inner) if key != "params" && !inner.contains_key("env") => {
                each_table(&path, inner, visit);
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Table(inner) = item {
                        each_table(&format!("{path}[{index}]"), inner, visit);
                    }
                }
            }
            _ => {}
        }
    }
    visit(path, table);
}

#[test]
fn every_file_in_the_directory_is_right() {
    let key = |name: &str| Some(format!("the-value-of-{name}"));
    let mut seen = 0;
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let config = Config::parse(&text, &key)
            .unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display()));
        assert_eq!(config.warnings, Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 5);
}

#[test]
fn the_references_defaults_are_the_built_in_ones() {
    assert_eq!(
        parse(REFERENCE).effective().unwrap(),
        parse("").effective().unwrap()
    );
}

#[test]
fn the_references_examples_are_right() {
    let config = resolve_where_everything_exists(&reference_with_examples())
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.prices,
        [Price {
            model: "gpt-4o*".to_owned(),
            input: 2.5,
            cached: Some(1.25),
            output: 10.0
        }]
    );
    assert_eq!(
        (
            config.tenants.len(),
            config.models.len(),
            config.admin.is_some(),
            config.tls.is_some()
        ),
        (1, 1, true, true)
    );
    assert!(config.tenant_secret.is_some() && config.upstreams[0].fallback.is_some());
}

/// The path of a table without its place in a list.
fn kind(path: &str) -> String {
    path.replace(|c: char| c.is_ascii_digit(), "")
}

#[test]
fn the_reference_has_every_key() {
    let mut table: Table = reference_with_examples().parse().unwrap();
    let mut written = BTreeMap::<String, BTreeSet<String>>::new();
    each_table("", &mut table, &mut |path, table| {
        // Each of several upstreams shows the keys of its dialect.
        let keys = written.entry(kind(path)).or_default();
        keys.extend(table.keys().cloned());
        table.insert(UNKNOWN.to_owned(), 1.into());
    });
    let errors = resolve_where_everything_exists(&toml::to_string(&table).unwrap()).unwrap_err();
    let mut compared = 0;
    for mistake in errors.iter() {
        let path = mistake
            .path
            .strip_suffix(UNKNOWN)
            .unwrap_or_else(|| panic!("{mistake}"))
            .trim_end_matches('.');
        let known: BTreeSet<_> = mistake
            .right
            .strip_prefix("known here: ")
            .unwrap()
            .split(", ")
            .map(str::to_owned)
            .collect();
        assert_eq!(written[&kind(path)], known, "[{path}]");
        compared += 1;
    }
    assert!(compared >= written.len());
}

#[test]
fn the_example_digests_are_those_of_the_keys_beside_them() {
    let file = "reference.toml";
    {
        let text = fs::read_to_string(directory().join(file)).unwrap();
        let keys: Vec<_> = text
            .split('"')
            .filter(|quoted| {
                quoted.starts_with("hone-example-") || quoted.starts_with("sk-example-")
            })
            .collect();
        let digests: Vec<_> = text
            .split('"')
            .filter(|quoted| quoted.starts_with("sha256:"))
            .collect();
        assert_eq!(
            keys.iter().map(|key| digest(key)).collect::<Vec<_>>(),
            digests,
            "{file}"
        );
        assert!(!keys.is_empty());
    }
}

#[test]
fn no_key_has_the_digests_of_a_configuration_to_begin_with() {
    let text = fs::read_to_string(directory().join("multi-tenant.toml")).unwrap();
    let quoted = text
        .split('"')
        .filter(|quoted| quoted.starts_with("sha256:"));
    let digests: Vec<_> = quoted.collect();
    assert!(digests.len() >= 4, "{digests:?}");
    for digest in digests {
        assert!(
            digest.starts_with(&format!("sha256:{}", "0".repeat(60))),
            "{digest}"
        );
    }
}

#[test]
fn a_file_in_another_language_is_called_so_and_a_mark_before_it_is_nothing() {
    for (text, told) in [
        (
            "listen: 127.0.0.1:8000\nupstream:\n  - name: a\n",
            "this is YAML; hone reads TOML",
        ),
        ("---\nlisten: x\n", "this is YAML"),
        (
            "# a comment\nmodel_list:\n  - model_name: m\n",
            "this is YAML",
        ),
        ("{\"listen\": \"x\"}", "this is JSON"),
    ] {
        let errors = Config::parse(text, &|_| None).unwrap_err();
        assert_eq!(errors.iter().count(), 1, "{errors}");
        assert!(errors.to_string().contains(told), "{errors}");
    }
    let errors = Config::parse("listen = = 1", &|_| None)
        .unwrap_err()
        .to_string();
    assert!(errors.contains("TOML (line 1, column 10)"), "{errors}");
    assert!(Config::parse("\u{feff}access = 'known'", &|_| None).is_ok());
}

#[test]
fn mistakes_in_a_file_have_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    fs::write(&path, "[bounds]\nconnect = 5\ndrain = 30\n").unwrap();
    let errors = Config::load(&path, None, false).unwrap_err();
    let lines: Vec<_> = errors.lines().collect();
    let place = format!("{}: bounds.connect (line 2, column 1): ", path.display());
    assert!(lines[0].starts_with(&place), "{lines:?}");
    assert!(
        lines[0].ends_with("in quotes: \"5s\"") && lines.len() == 2,
        "{lines:?}"
    );
}

#[test]
fn secrets_that_are_not_there_can_be_made_up_for_a_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hone.toml");
    let key = "fallback_key = { env = 'HONE_NO_SUCH_VARIABLE' }";
    let text = format!("tenant_secret = {{ file = 'none' }}\n{}", upstream(key));
    fs::write(&path, text).unwrap();
    assert!(Config::load(&path, None, true).is_ok());
    assert_eq!(
        Config::load(&path, None, false).unwrap_err().iter().count(),
        2
    );
}

#[test]
fn measurements_are_read_and_what_is_wrong_with_them_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("quality.json");
    let text = format!("[quality]\nfile = '{}'", file.display());
    let missing = &mistakes(&text)[0];
    assert!(
        missing.contains("quality.file") && missing.contains("cannot be read"),
        "{missing}"
    );
    for (written, told) in [
        ("{", "not a file of `hone eval --learn`"),
        (r#"{"version": 9, "models": {}}"#, "version 9"),
        (
            r#"{"version": 1, "models": {"m": {"number": {"questions": 200, "accuracy": [2]}}}}"#,
            "`m`, Number: an accuracy is from 0 to 1",
        ),
    ] {
        fs::write(&file, written).unwrap();
        let mistake = &mistakes(&text)[0];
        assert!(mistake.contains(told), "{mistake}");
    }
    let measured = |questions: u32| {
        format!(
            r#"{{"version": 1, "models": {{"m": {{"number":
                {{"questions": {questions}, "accuracy": [0.5]}}}}}}}}"#
        )
    };
    fs::write(&file, measured(200)).unwrap();
    assert_eq!(parse(&text).warnings, Vec::<String>::new());
    fs::write(&file, measured(99)).unwrap();
    let warnings = parse(&text).warnings;
    assert!(
        warnings[0].starts_with("quality.file: `m`, Number: 99"),
        "{warnings:?}"
    );
    assert!(mistakes("[quality]")[0].contains("quality.file"));
}
