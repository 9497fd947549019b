//! What the strategies must not know, and what each must say.

use super::files;
use super::names::{Name, Source, Tests};

/// HTTP, tasks and threads, the environment, files and sockets, other processes.
const FOREIGN: [&[&str]; 16] = [
    &["h2"],
    &["http"],
    &["http_body"],
    &["http_body_util"],
    &["hyper"],
    &["hyper_util"],
    &["std", "env"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["tokio", "fs"],
    &["tokio", "net"],
    &["tokio", "process"],
    &["tokio", "spawn"],
    &["tokio", "task"],
];

/// Whether a name reaches something foreign, or takes in so much that nobody can tell.
fn is_foreign(name: &Name) -> bool {
    let mut path: Vec<_> = name.path.iter().map(String::as_str).collect();
    let is_glob = path.pop_if(|last| *last == "*").is_some();
    let is_renamed = name
        .alias
        .as_deref()
        .is_some_and(|alias| Some(&alias) != path.last());
    FOREIGN.iter().any(|foreign| {
        path.starts_with(foreign) || (is_glob || is_renamed) && foreign.starts_with(&path)
    })
}

fn foreign_names(text: &str) -> Vec<Name> {
    let source = Source::read(text, &[], Tests::Count);
    let mut names = source.unwrap_or_else(|error| panic!("{error}")).names;
    names.retain(is_foreign);
    names
}

#[test]
fn strategies_know_nothing_of_http_tasks_environment_or_files() {
    for (path, text) in files::sources() {
        if path.starts_with("strategies/src") {
            let names = foreign_names(&text);
            assert!(names.is_empty(), "{} names {names:?}", path.display());
        }
    }
}

#[test]
fn every_strategy_says_where_it_comes_from_and_what_it_costs() {
    for entry in hone_strategies::STRATEGIES {
        let is_said = !entry.summary.is_empty() && !entry.cost.is_empty();
        assert!(is_said, "{}", entry.slug);
    }
}

#[test]
fn what_is_foreign_is_seen_in_every_guise() {
    for foreign in [
        "use http::StatusCode;",
        "use hyper as h;",
        "use std::{fmt, fs};",
        "use std::*;",
        "use std as all;",
        "use tokio::{sync::Mutex, task::{self, JoinSet}};",
        "fn f() { tokio::spawn(g()); }",
        "fn f() { select! { _ = tokio::task::yield_now() => {} } }",
        "fn f() { let x = std::env::var(\"X\"); }",
        "#[cfg(test)] mod tests { use std::fs::File; }",
    ] {
        assert!(!foreign_names(foreign).is_empty(), "{foreign}");
    }
    for own in [
        "use std::fmt; use tokio::sync::Mutex; use std::{collections as c};",
        "const X: &str = \"std::env\"; // std::fs",
        "use crate::http::X; use super::std::fs;",
        "#[tokio::test] async fn f() {}",
    ] {
        assert_eq!(foreign_names(own), [], "{own}");
    }
}
