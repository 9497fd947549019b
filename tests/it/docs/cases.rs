//! `dialects/tests/CASES.md` against the tests that it names.

use std::collections::BTreeMap;
use std::fs;

use super::{Page, quoted, root};

/// As many faults as the table has.
const CASES: usize = 50;

/// The cells of each row of the table.
fn cases(page: &Page) -> Vec<Vec<&str>> {
    let rows = page.text.lines().filter(|line| {
        let number = line.strip_prefix("| ").and_then(|rest| rest.chars().next());
        number.is_some_and(|first| first.is_ascii_digit())
    });
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Whether `source`, a file with this ending, has the test or the check `name`.
fn has(source: &str, ending: &str, name: &str) -> bool {
    let keyword = if ending == "rs" { "fn" } else { "def" };
    let definition = format!("{keyword} {name}(");
    source.match_indices(&definition).any(|(at, _)| {
        let before = source.get(..at).unwrap_or_default().trim_end();
        let before = before.strip_suffix("async").unwrap_or(before).trim_end();
        ending != "rs" || before.ends_with("test]")
    })
}

#[test]
fn every_fault_of_other_gateways_has_a_test_that_is_there() {
    let page = Page::read("dialects/tests/CASES.md");
    let cases = cases(&page);
    let mut sources = BTreeMap::new();
    let mut missing = Vec::new();
    for case in &cases {
        let [number, saw, tests] = case[..] else {
            panic!("three cells: {case:?}");
        };
        assert!(saw.contains('#'), "{number} refers to no report");
        let mut count = 0;
        let mut file = "";
        for name in quoted(tests) {
            if name.contains('/') {
                file = name;
                continue;
            }
            let source = sources
                .entry(file)
                .or_insert_with(|| fs::read_to_string(root().join(file)).unwrap_or_default());
            let (_, ending) = file.rsplit_once('.').unwrap_or_default();
            if !has(source, ending, name) {
                missing.push(format!("{number}: {name} in {file}"));
            }
            count += 1;
        }
        assert!(count > 0, "{number} has no test");
    }
    assert!(missing.is_empty(), "not here:\n{}\n", missing.join("\n"));
    let numbers: Vec<String> = cases.iter().map(|case| case[0].to_owned()).collect();
    let all: Vec<String> = (1..=CASES).map(|number| number.to_string()).collect();
    assert_eq!(numbers, all, "dialects/tests/CASES.md");
}

#[test]
fn a_function_that_is_no_test_is_none() {
    let source = "#[test]\n    fn one() {}\n#[tokio::test]\nasync fn two() {}\nfn three() {}\n";
    for (name, is_test) in [
        ("one", true),
        ("two", true),
        ("three", false),
        ("on", false),
    ] {
        assert_eq!(has(source, "rs", name), is_test, "{name}");
    }
    assert!(has("    def check(self):\n", "py", "check"));
}
