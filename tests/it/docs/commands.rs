//! Shell blocks: hone parses its own commands, cargo's name packages and targets that exist, and
//! every other program is one that the documents are known to use.

use std::fs;

use clap::{CommandFactory, Parser};

use super::{Page, root, shell};
use crate::support::parts::Args;

/// Programs that the documents may use and whose arguments nothing here can check.
const OTHERS: [&str; 14] = [
    "aider", "apt-get", "docker", "export", "git", "kill", "kubectl", "llm", "mkdir", "opencode",
    "pip", "printf", "qwen", "valgrind",
];
/// What cargo can do that is not about a target of this workspace.
const CARGO: [&str; 13] = [
    "bench", "build", "check", "clippy", "deny", "doc", "fmt", "fuzz", "install", "nextest", "run",
    "test", "tree",
];

#[test]
fn every_command_is_one_that_exists() {
    let mut own = 0;
    for page in Page::all() {
        for command in page
            .blocks_of("sh")
            .iter()
            .flat_map(|block| shell::commands(block))
        {
            own += usize::from(is_right(&command, &page.path));
        }
    }
    assert!(own >= 20, "{own} commands of hone's own");
}

#[test]
fn every_command_line_between_backticks_is_one_that_exists() {
    let known = Args::command();
    for page in Page::all() {
        let commands = page.prose().flat_map(super::quoted);
        for command in commands.filter_map(|text| text.strip_prefix("hone ")) {
            let mut place = &known;
            for word in command.split(' ').take_while(|word| is_word(word)) {
                place = place
                    .find_subcommand(word)
                    .unwrap_or_else(|| panic!("{}: hone {command}", page.path));
            }
            let options = command.split([' ', '=']);
            for option in options.filter_map(|word| word.strip_prefix("--")) {
                let has = |argument: &clap::Arg| {
                    let names = argument.get_long_and_visible_aliases();
                    names.unwrap_or_default().contains(&option)
                };
                assert!(
                    option == "version" || place.get_arguments().any(has),
                    "{}: hone {command}",
                    page.path
                );
            }
        }
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase())
}

/// Whether a command is hone's own. Panics if it is none that exists.
fn is_right(command: &[String], page: &str) -> bool {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let told = words.join(" ");
    match words.as_slice() {
        ["hone" | "target/release/hone", arguments @ ..] => {
            parses(arguments, page);
            return true;
        }
        ["cargo", arguments @ ..] => cargo(arguments, page),
        // `examples` sends it.
        ["curl", ..] | [] => {}
        ["python3", file, ..] => assert!(root().join(file).exists(), "{page}: {told}"),
        [program, ..] if OTHERS.contains(program) => {}
        [program, ..] if program.starts_with("target/") => {
            let package = program.rsplit('/').next().unwrap_or_default();
            assert!(
                packages().iter().any(|known| known == package),
                "{page}: {told}"
            );
        }
        [program, ..] => assert!(
            program.contains('/') && root().join(program).exists(),
            "{page}: no test knows {told}"
        ),
    }
    false
}

fn parses(arguments: &[&str], page: &str) {
    let words = std::iter::once("hone").chain(arguments.iter().copied());
    if let Err(error) = Args::try_parse_from(words) {
        panic!("{page}: {error}");
    }
    let file = arguments
        .iter()
        .skip_while(|word| **word != "--config")
        .nth(1);
    if let Some(file) = file.filter(|file| file.starts_with("config/")) {
        assert!(root().join(file).exists(), "{page}: {file}");
    }
}

fn cargo(arguments: &[&str], page: &str) {
    let told = arguments.join(" ");
    let (own, passed_on) = match arguments.iter().position(|word| *word == "--") {
        Some(at) => arguments.split_at(at),
        None => (arguments, &[][..]),
    };
    let task = own.first().copied().unwrap_or_default();
    assert!(CARGO.contains(&task), "{page}: cargo {told}");
    let named = |option: &str| own.iter().skip_while(|word| **word != option).nth(1);
    let mut package = "hone";
    for option in ["-p", "--package"] {
        let Some(name) = named(option) else { continue };
        package = *name;
        assert!(
            packages().iter().any(|known| known == name),
            "{page}: cargo {told}"
        );
    }
    for (option, folder) in [
        ("--example", "examples"),
        ("--test", "tests"),
        ("--bench", "benches"),
    ] {
        let Some(name) = named(option) else { continue };
        let base = root().join(if package == "hone" {
            ""
        } else {
            folder_of(package)
        });
        let places = [
            format!("{folder}/{name}.rs"),
            format!("{folder}/{name}/main.rs"),
        ];
        assert!(
            places.iter().any(|place| base.join(place).exists()),
            "{page}: cargo {told}"
        );
    }
    if task == "run" && package == "hone" && named("--example").is_none() {
        parses(passed_on.get(1..).unwrap_or_default(), page);
    }
}

/// The folder of a package of the workspace: its name without `hone-`.
fn folder_of(package: &str) -> &str {
    package.strip_prefix("hone-").unwrap_or("")
}

/// The packages of the workspace.
fn packages() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("fixture: a manifest");
    let manifest: toml::Table = manifest.parse().expect("fixture: TOML");
    let members = manifest["workspace"]["members"]
        .as_array()
        .expect("members");
    members
        .iter()
        .filter_map(toml::Value::as_str)
        .map(|member| format!("hone-{member}"))
        .chain(["hone".to_owned()])
        .collect()
}
