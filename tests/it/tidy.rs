//! The house rules that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn no_source_file_is_longer_than_600_lines() {
    let folders = ["src", "eval/src", "sim/src", "strategies/src"];
    for (path, text) in folders.into_iter().flat_map(sources) {
        assert!(
            text.lines().count() <= 600,
            "{} is longer than one idea",
            path.display()
        );
    }
}

#[test]
fn modules_use_only_what_lies_below_them() {
    // (module, what it must not know)
    let rules: [(&str, &[&str]); 8] = [
        (
            "admission",
            &[
                "plan", "relay", "encode", "pipeline", "server", "upstream", "tenant",
            ],
        ),
        (
            "config",
            &[
                "admission",
                "relay",
                "encode",
                "pipeline",
                "server",
                "app",
                "upstream",
            ],
        ),
        (
            "envelope",
            &[
                "tenant",
                "admission",
                "plan",
                "relay",
                "encode",
                "pipeline",
                "server",
                "upstream",
            ],
        ),
        ("plan", &["relay", "encode", "pipeline", "server"]),
        (
            "sse",
            &[
                "tenant",
                "admission",
                "plan",
                "relay",
                "encode",
                "pipeline",
                "server",
                "upstream",
            ],
        ),
        (
            "tenant",
            &["relay", "encode", "pipeline", "server", "upstream"],
        ),
        ("upstream", &["encode", "pipeline", "server", "app"]),
        (
            "usage",
            &[
                "tenant",
                "admission",
                "plan",
                "relay",
                "encode",
                "pipeline",
                "server",
                "upstream",
            ],
        ),
    ];
    for (path, text) in sources("src") {
        let relative = path
            .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
            .expect("below src")
            .with_extension("");
        let module = relative
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let Some((_, forbidden)) = rules.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for name in *forbidden {
            assert!(
                !text.contains(&format!("use crate::{name}")),
                "{} uses crate::{name}",
                path.display()
            );
        }
    }
}

#[test]
fn strategies_know_nothing_of_http_tasks_environment_or_files() {
    for (path, text) in sources("strategies/src") {
        for word in [
            "use http",
            "use hyper",
            "tokio::spawn",
            "tokio::task",
            "std::env",
            "std::fs",
            "std::net",
        ] {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}

#[test]
fn every_strategy_says_where_it_comes_from_and_what_it_costs() {
    for entry in hone_strategies::STRATEGIES {
        assert!(
            !entry.summary.is_empty() && !entry.cost.is_empty(),
            "{}",
            entry.slug
        );
    }
}
