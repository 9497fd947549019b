//! A commit's subject says what a searcher would type: `area: imperative summary`.
#![expect(clippy::print_stdout, reason = "a check that cannot be made says so")]

use std::process::Command;

use super::files;

/// The last commit before this rule.
const BEFORE: &str = "e4f97ff2c35bc0bf892a36db71dc66673dbed110";

const COLUMNS: usize = 72;

/// What is wrong with a subject.
fn fault(subject: &str) -> Option<&'static str> {
    let Some((area, summary)) = subject.split_once(": ") else {
        return Some("names no area");
    };
    let is_word = |word: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !word.is_empty() && word.chars().all(fits)
    };
    let is_area = match area.split_once('/') {
        Some((area, part)) => is_word(area) && is_word(part),
        None => is_word(area),
    };
    if !is_area {
        Some("has an area that is no `word` or `word/word`")
    } else if summary.trim().is_empty() {
        Some("says nothing")
    } else if subject.chars().count() > COLUMNS {
        Some("is longer than 72 characters")
    } else {
        None
    }
}

/// The subjects since the rule began, or why they cannot be had.
fn subjects() -> Result<String, String> {
    let output = Command::new("git")
        .current_dir(files::root())
        .args(["log", "--no-merges", "--format=%h %s"])
        .arg(format!("{BEFORE}..HEAD"))
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

#[test]
fn subjects_say_what_a_searcher_would_type() {
    let subjects = match subjects() {
        Ok(subjects) => subjects,
        Err(why) => return println!("skipped, for the history is not here: {why}"),
    };
    let commits = subjects.lines().filter_map(|line| line.split_once(' '));
    let faults: Vec<_> = commits
        .filter_map(|(hash, subject)| Some(format!("{hash} {}: {subject}", fault(subject)?)))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_subject_has_an_area_and_a_summary() {
    let long = format!("relay: {}", "x".repeat(COLUMNS - 7));
    for right in [
        "relay: splice the model name",
        "strategies/run: count once",
        &long,
    ] {
        assert_eq!(fault(right), None, "{right}");
    }
    for wrong in [
        "an answer that nobody asked for reaches nobody",
        "Relay: splice the model name",
        "relay : splice",
        "relay:splice",
        "relay: ",
        "a/b/c: splice",
        "/b: splice",
        ": splice",
        &format!("{long}x"),
    ] {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
}
