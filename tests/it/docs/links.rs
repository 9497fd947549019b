//! Links lead to files and headings that exist, and so do paths between backticks.

use super::{Page, quoted, root};

/// Folders and files whose paths the documents name.
const PREFIXES: [&str; 11] = [
    ".ci/",
    "bench/",
    "config/",
    "docs/",
    "eval/",
    "fuzz/",
    "sim/",
    "soak/",
    "src/",
    "strategies/",
    "tests/",
];
/// What a command of the documents writes.
const WRITTEN: [&str; 4] = [
    "bench/results.json",
    "eval/",
    "fuzz/artifacts",
    "fuzz/corpus",
];

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for page in Page::all() {
        for target in page.prose().flat_map(targets) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                page.path.clone()
            } else {
                beside(&page.path, file)
            };
            assert!(root().join(&path).exists(), "{}: {target}", page.path);
            let other = || Page::read(&path);
            assert!(
                heading.is_empty() || anchors(&other()).iter().any(|anchor| anchor == heading),
                "{}: no heading for {target} among {:?}",
                page.path,
                anchors(&other())
            );
            count += 1;
        }
    }
    assert!(count >= 40, "{count} links");
}

#[test]
fn every_file_that_is_named_exists() {
    for page in Page::all() {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for path in page.prose().flat_map(quoted) {
            let is_path = PREFIXES.iter().any(|prefix| path.starts_with(prefix))
                && !path.contains([' ', '{', '*', '…']);
            let is_written = WRITTEN.iter().any(|written| path.starts_with(written));
            let exists = [path.to_owned(), format!("{folder}/{path}")]
                .iter()
                .any(|path| root().join(path).exists());
            assert!(!is_path || is_written || exists, "{}: {path}", page.path);
        }
    }
}

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    // These are read beside their figures and programs, and are not wrapped.
    let others = [
        "ARCHITECTURE.md",
        "BENCHMARKS.md",
        "fuzz/README.md",
        "soak/README.md",
    ];
    for page in Page::all() {
        let is_free = |line: &&str| line.starts_with('|') || line.contains("](");
        for line in page.text.lines().filter(|line| !is_free(line)) {
            assert!(
                others.contains(&page.path.as_str()) || line.chars().count() <= 100,
                "{}: {line}",
                page.path
            );
        }
    }
}

/// The targets of the links in a line.
fn targets(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .collect()
}

/// A path that is relative to the folder of another.
fn beside(page: &str, file: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors that GitHub gives to a page's headings.
fn anchors(page: &Page) -> Vec<String> {
    page.prose()
        .filter_map(|line| {
            Some(line.trim_start_matches('#')).filter(|rest| rest.len() < line.len())
        })
        .map(|title| {
            title
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}
