//! Tables against what they tell of: approaches, errors, keys of the configuration, metrics, log
//! fields, figures.

use std::collections::{BTreeMap, BTreeSet};

use hone_strategies::chat::Message;
use hone_strategies::{ChatRequest, Demand, Expr, Params, PlanLimits, STRATEGIES, plan};

use super::{Page, names_in, quoted, rows, sources};

/// What an approach with its default parameters needs for a short question.
fn demand(slug: &str) -> Demand {
    let expr = Expr::parse(slug).expect("a slug");
    let plan = plan(&expr, &Params::new(), &PlanLimits::default()).expect("a plan");
    plan.demand(&ChatRequest::new("m", [Message::user("What is 2 + 3?")]))
}

fn slug(row: &[String]) -> &str {
    row[0].trim_matches('`')
}

/// Asserts that two lists have the same names, and says which are missing where.
fn assert_same(told: &BTreeSet<String>, real: &BTreeSet<String>, place: &str) {
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| -> Vec<String> {
        a.difference(b).cloned().collect()
    };
    let (wrong, missing) = (only(told, real), only(real, told));
    assert!(
        wrong.is_empty() && missing.is_empty(),
        "{place} tells of {wrong:?}, which hone does not have, and lacks {missing:?}"
    );
}

fn all_slugs() -> BTreeSet<String> {
    STRATEGIES
        .iter()
        .map(|entry| entry.slug.to_owned())
        .collect()
}

#[test]
fn the_list_of_approaches_has_every_one_with_its_calls() {
    let page = Page::read("docs/choosing.md");
    let rows = rows(&page.section("All approaches"));
    let told = rows.iter().map(|row| slug(row).to_owned()).collect();
    assert_same(&told, &all_slugs(), "docs/choosing.md");
    for row in &rows {
        let demand = demand(slug(row));
        let calls = [demand.calls.to_string(), demand.max_calls.to_string()];
        assert_eq!(row[2..4], calls, "docs/choosing.md: calls of {}", row[0]);
    }
}

#[test]
fn the_list_of_approaches_says_of_the_vote_what_was_measured() {
    let measured = Page::read("docs/approaches.md");
    let measured: BTreeMap<String, String> = rows(&measured.section("Accuracy per token"))
        .into_iter()
        .map(|row| (row[0].clone(), row[4].clone()))
        .collect();
    assert!(measured.len() > 10, "{measured:?}");
    let page = Page::read("docs/choosing.md");
    for row in rows(&page.section("All approaches")) {
        let found = measured.get(&row[0]).map_or("–", String::as_str);
        assert_eq!(row[4], found, "docs/choosing.md: {}", row[0]);
    }
}

#[test]
fn the_readme_counts_approaches_and_their_calls_right() {
    let page = Page::read("README.md");
    let count = STRATEGIES.len();
    for words in [format!("There are {count}"), format!("has all {count}")] {
        assert!(page.text.contains(&words), "README.md: {words}");
    }
    let rows = rows(&page.section("Six approaches"));
    assert_eq!(rows.len(), 6);
    for row in rows {
        let demand = demand(slug(&row));
        let calls = [demand.calls.to_string(), demand.max_calls.to_string()];
        assert_eq!(row[2..4], calls, "README.md: calls of {}", row[0]);
    }
    assert!(
        page.text.lines().count() <= 150,
        "README.md is a door, no manual"
    );
}

#[test]
fn the_page_of_measurements_has_every_strategy() {
    let page = Page::read("docs/approaches.md");
    for entry in STRATEGIES {
        assert!(
            page.text.contains(&format!("\n| `{}` |", entry.slug)),
            "`{}` is not measured; see strategies/examples/proof/main.rs",
            entry.slug
        );
    }
}

#[test]
fn the_guide_for_optillms_users_knows_what_hone_has() {
    let page = Page::read("docs/coming-from-optillm.md");
    let section = page.section("Approaches");
    let (has, rest) = section.split_once("Not in hone:").expect("two lists");
    let (lacks, _) = rest.split_once('.').expect("a sentence");
    let known = all_slugs();
    for slug in quoted(has) {
        assert!(known.contains(slug), "hone has no {slug}");
    }
    for slug in quoted(lacks) {
        assert!(!known.contains(slug), "hone has {slug}");
    }
}

#[test]
fn the_list_of_errors_has_every_code() {
    let page = Page::read("docs/errors.md");
    let rows = rows(&page.text);
    let told = rows.iter().map(|row| slug(row).to_owned()).collect();
    // What looks like a code and is none: types, and fields.
    let others = ["invalid_request_error", "optillm_approach", "server_error"];
    let mut real: BTreeSet<String> = BTreeSet::from(["overloaded".to_owned()]);
    for (path, source) in sources("src") {
        let path = path.to_string_lossy();
        if path.contains("/encode/error") && !path.contains("test") {
            let codes = names_in(&source).filter(|name| name.contains('_'));
            real.extend(
                codes
                    .filter(|name| !others.contains(name))
                    .map(str::to_owned),
            );
        }
    }
    assert!(real.len() > 40, "where are the errors? {real:?}");
    assert_same(&told, &real, "docs/errors.md");
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row[1].parse::<u16>().is_ok(), "{row:?}");
    }
}

#[test]
fn the_list_of_keys_is_that_of_the_reference_configuration() {
    let page = Page::read("docs/configuration.md");
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    let reference = std::fs::read_to_string(super::root().join("config/reference.toml"));
    for line in reference.expect("fixture: the reference").lines() {
        // A `#` without a space behind it turns a key off.
        let off = line.starts_with('#');
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, value)) = line.split_once(" = ")
            && key
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            let default = if off {
                "–".to_owned()
            } else {
                // What stands behind it says the value in other units.
                let value = value.split_once("  #").map_or(value, |(value, _)| value);
                format!("`{value}`")
            };
            let keys = sections.entry(section.clone()).or_default();
            // The first of several upstreams is the default one.
            keys.entry(key.to_owned()).or_insert(default);
        }
    }
    assert!(sections.len() >= 14, "{sections:?}");
    for (name, keys) in sections {
        let title = match name.as_str() {
            "" => "Top level".to_owned(),
            "upstream" => "Upstream".to_owned(),
            "tenant" => "Tenant".to_owned(),
            "model" => "Model".to_owned(),
            "price" => "Price".to_owned(),
            _ => format!("`[{name}]`"),
        };
        let told: BTreeMap<String, String> = rows(&page.section(&title))
            .into_iter()
            .map(|row| (slug(&row).to_owned(), row[1].clone()))
            .collect();
        assert_eq!(told, keys, "docs/configuration.md: {title}");
    }
}

#[test]
fn the_list_of_metrics_has_every_one() {
    let page = Page::read("docs/operating.md");
    let rows = rows(&page.section("Metrics"));
    let told = rows
        .iter()
        .flat_map(|row| quoted(&row[0]))
        .map(str::to_owned);
    let mut real = BTreeSet::new();
    for (_, source) in sources("src/telemetry") {
        let constants = source.lines().filter(|line| line.starts_with("const "));
        let names = constants.flat_map(names_in);
        real.extend(
            names
                .filter(|name| name.starts_with("hone_") || name.starts_with("gen_ai_"))
                .map(str::to_owned),
        );
    }
    assert_same(&told.collect(), &real, "docs/operating.md");
}

#[test]
fn the_list_of_log_fields_has_every_one() {
    let page = Page::read("docs/operating.md");
    let rows = rows(&page.section("Logs"));
    let told = rows
        .iter()
        .flat_map(|row| quoted(&row[0]))
        .map(str::to_owned);
    let sources = sources("src/telemetry");
    let emitted = sources
        .iter()
        .find_map(|(_, text)| Some(text.split_once("target: \"hone::request\",")?.1))
        .expect("the line of a request");
    let real = emitted
        .split_once(");")
        .expect("an end")
        .0
        .lines()
        .filter_map(|line| Some(line.trim().split_once(" = ")?.0.to_owned()))
        .filter(|name| name != "message");
    assert_same(&told.collect(), &real.collect(), "docs/operating.md");
}

#[test]
fn every_figure_is_one_that_was_measured() {
    let measured = [Page::read("BENCHMARKS.md"), Page::read("soak/README.md")];
    for (path, title) in [("README.md", "In figures"), ("docs/operating.md", "Sizing")] {
        let page = Page::read(path);
        let section = page.section(title);
        let words = section.split(|c: char| c.is_whitespace() || c == '*');
        let is_figure = |word: &&str| {
            let (whole, rest) = word.split_once(['.', ',']).unwrap_or(("", ""));
            let is_number = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || c == ',')
            };
            is_number(whole) && is_number(rest)
        };
        let figures: Vec<&str> = words.filter(is_figure).collect();
        assert!(figures.len() >= 4, "{path}: {figures:?}");
        for figure in figures {
            assert!(
                measured.iter().any(|page| page.text.contains(figure)),
                "{path}: {figure}"
            );
        }
    }
}

#[test]
fn the_list_of_endpoints_is_the_programs() {
    let page = Page::read("docs/endpoints.md");
    let section = page.section("Known endpoints");
    let real = hone::api::endpoint::document();
    assert!(
        section.trim() == real.trim(),
        "docs/endpoints.md, below \"Known endpoints\", must say:\n\n{real}"
    );
}
