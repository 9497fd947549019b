//! The README against the program: commands, configurations, paths, slugs and error codes.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory, Parser};
use hone::args::Args;
use hone::config::Config;
use hone_strategies::STRATEGIES;

const README: &str = include_str!("../../README.md");
const ERRORS: &str = concat!(
    include_str!("../../src/answer/encode/error.rs"),
    include_str!("../../src/answer/encode/error/auth.rs"),
    include_str!("../../src/answer/encode/error/limit.rs"),
    include_str!("../../src/answer/encode/error/plan.rs"),
    include_str!("../../src/answer/encode/error/request.rs"),
    include_str!("../../src/answer/encode/error/run.rs"),
    include_str!("../../src/answer/encode/error/upstream.rs"),
);

/// The fenced blocks of `language`.
fn blocks(language: &str) -> Vec<&'static str> {
    let blocks = README.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

/// The table rows below the heading `section`, as cells.
fn rows(section: &str) -> Vec<Vec<&'static str>> {
    let text = README
        .split("\n## ")
        .find(|text| text.starts_with(section))
        .unwrap_or_else(|| panic!("no section {section}"));
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_command_is_one_that_the_program_takes() {
    let lines = blocks("sh")
        .into_iter()
        .flat_map(str::lines)
        .map(|line| line.split(" #").next().unwrap_or_default().trim());
    let commands: Vec<_> = lines
        .filter_map(|line| {
            line.strip_prefix("hone ")
                .or(line.strip_prefix("cargo run --release -- "))
        })
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    let known = Args::command();
    for command in commands {
        // The worked comparison comes with a command of its own.
        if command == "demo" && known.find_subcommand("demo").is_none() {
            continue;
        }
        let arguments = std::iter::once("hone").chain(command.split_whitespace());
        if let Err(error) = Args::try_parse_from(arguments) {
            panic!("hone {command}: {error}");
        }
    }
}

#[test]
fn every_configuration_is_right() {
    let blocks = blocks("toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let config = Config::parse(block, &|_| Some("a-key".to_owned()))
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warnings, Vec::<String>::new());
    }
}

#[test]
fn every_file_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let prefixes = ["config/", "docs/", "src/", "strategies/", "tests/", ".ci/"];
    let commands = blocks("sh").into_iter().flat_map(str::split_whitespace);
    let named = quoted(README).chain(commands).filter(|text| {
        prefixes.iter().any(|prefix| text.starts_with(prefix)) && !text.contains(' ')
    });
    for path in named {
        assert!(root.join(path).exists(), "{path}");
    }
}

#[test]
fn the_table_of_approaches_has_every_strategy_and_no_other() {
    let rows = rows("Approaches").into_iter().filter(|row| row.len() == 3);
    let listed: BTreeSet<_> = rows.filter_map(|row| quoted(row[0]).next()).collect();
    let known: BTreeSet<_> = STRATEGIES.iter().map(|entry| entry.slug).collect();
    assert_eq!(listed, known);
}

#[test]
fn the_page_of_measurements_has_every_strategy() {
    let page = include_str!("../../docs/approaches.md");
    for entry in STRATEGIES {
        let rows = page.matches(&format!("\n| `{}` |", entry.slug)).count();
        assert!(
            rows >= 1,
            "`{}` is not measured; see strategies/examples/proof/main.rs",
            entry.slug
        );
    }
}

#[test]
fn the_table_of_errors_has_every_code_and_no_other() {
    let listed: BTreeSet<_> = rows("Errors")
        .iter()
        .flat_map(|row| quoted(row[0]).collect::<Vec<_>>())
        .collect();
    let is_code = |text: &&str| {
        text.contains('_')
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let not_codes = ["invalid_request_error", "optillm_approach", "server_error"];
    let mut written: BTreeSet<_> = ERRORS
        .split('"')
        .filter(is_code)
        .filter(|text| !not_codes.contains(text))
        .collect();
    written.insert("overloaded");
    assert_eq!(
        listed.difference(&written).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "codes that hone does not have"
    );
    assert_eq!(
        written.difference(&listed).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "codes that the README lacks"
    );
}
