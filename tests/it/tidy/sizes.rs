//! How long functions, files and lines are, and how many files a folder holds.
//!
//! `cargo test --test it tidy::sizes -- --nocapture` prints the figures.
#![expect(
    clippy::print_stdout,
    reason = "the figures are asked for by --nocapture"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::visit::{self, Visit};

use super::files;
use super::tokens::{self, Function};

const FUNCTION: Bounds = Bounds { p95: 36, max: 70 };
const FILE: Bounds = Bounds { p95: 390, max: 500 };
const COLUMNS: usize = 100;
const FILES_IN_A_FOLDER: usize = 20;

struct Bounds {
    p95: usize,
    max: usize,
}

/// Something with a size, and where it is.
type Sized = (usize, String);

/// What is told of many sizes.
struct Figures {
    median: usize,
    p95: usize,
    max: usize,
    count: usize,
}

impl Figures {
    fn of(sized: &[Sized]) -> Self {
        let mut sizes: Vec<_> = sized.iter().map(|(size, _)| *size).collect();
        sizes.sort_unstable();
        // The nearest rank: so many percent are no larger.
        let at = |percent: usize| {
            let rank = (sizes.len() * percent).div_ceil(100);
            sizes.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self {
            median: at(50),
            p95: at(95),
            max: at(100),
            count: sizes.len(),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            p95,
            max,
            count,
        } = self;
        write!(f, "median {median}, p95 {p95}, max {max} of {count}")
    }
}

/// Prints the figures, and fails with a list of what is too large.
fn check(what: &str, sized: &[Sized], bounds: &Bounds) {
    let figures = Figures::of(sized);
    println!("{what}: {figures}");
    let mut large: Vec<_> = sized
        .iter()
        .filter(|(size, _)| *size > bounds.max)
        .collect();
    large.sort_by(|one, other| other.cmp(one));
    let list: Vec<_> = large
        .iter()
        .map(|(size, place)| format!("{size:5} {place}"))
        .collect();
    let (count, max, list) = (list.len(), bounds.max, list.join("\n"));
    assert!(
        count == 0,
        "{count} {what} are beyond {max} ({figures}):\n{list}\n"
    );
    assert!(
        figures.p95 <= bounds.p95,
        "{what}: p95 is beyond {}: {figures}",
        bounds.p95
    );
}

/// The functions of a file, those of its tests and in its macros included.
#[derive(Default)]
struct Functions {
    found: Vec<Function>,
}

impl Functions {
    fn of(text: &str) -> syn::Result<Vec<Function>> {
        let mut functions = Self::default();
        functions.visit_file(&syn::parse_file(text)?);
        Ok(functions.found)
    }

    fn add(&mut self, signature: &syn::Signature, end: Span) {
        let line = signature.fn_token.span.start().line;
        self.found.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end.end().line + 1 - line,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, item.block.brace_token.span.close());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, item.block.brace_token.span.close());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block.brace_token.span.close());
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.found.extend(tokens::functions(item.tokens.clone()));
    }
}

#[test]
fn functions_are_short() {
    let mut sized = Vec::new();
    for (path, text) in files::sources() {
        let path = path.display();
        let functions = Functions::of(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for Function { name, line, lines } in functions {
            sized.push((lines, format!("{path}:{line} {name}")));
        }
    }
    check("functions", &sized, &FUNCTION);
}

#[test]
fn files_are_short() {
    let files = files::sources().into_iter();
    let sized: Vec<_> = files
        .map(|(path, text)| (text.lines().count(), path.display().to_string()))
        .collect();
    check("files", &sized, &FILE);
}

#[test]
fn folders_hold_few_files() {
    let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (path, _) in files::sources() {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        *folders.entry(folder).or_default() += 1;
    }
    let folders = folders.into_iter();
    let sized: Vec<_> = folders
        .map(|(folder, files)| (files, folder.display().to_string()))
        .collect();
    let bounds = Bounds {
        p95: FILES_IN_A_FOLDER,
        max: FILES_IN_A_FOLDER,
    };
    check("folders", &sized, &bounds);
}

#[test]
fn no_line_is_longer_than_100_columns() {
    let mut long = Vec::new();
    for (path, text) in files::sources() {
        for (index, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS {
                long.push(format!("{columns:5} {}:{}", path.display(), index + 1));
            }
        }
    }
    let count = long.len();
    println!("lines beyond {COLUMNS} columns: {count}");
    assert!(
        count == 0,
        "{count} lines are too long:\n{}\n",
        long.join("\n")
    );
}

#[test]
fn a_function_is_as_long_as_it_looks() {
    let text = [
        "fn one() {}",
        "/// Said before.\n#[inline]\npub async fn five(\n    x: u8,\n) {",
        "    fn two() {\n    }\n}",
        "trait T { fn none();\nfn default() {\n} }",
        "impl T for u8 { fn three(\n) {\n} }",
        "proptest! { #[test] fn four(x in 0..3) {\n\"fn no() {\";\n// fn no() {\n} }",
        "const F: fn(u8) = |_| {\n\n};",
    ]
    .join("\n");
    let functions = Functions::of(&text).expect("a file");
    let functions: Vec<_> = functions
        .iter()
        .map(|f| (f.name.as_str(), f.lines))
        .collect();
    let expected = [
        ("one", 1),
        ("five", 6),
        ("two", 2),
        ("default", 2),
        ("three", 3),
        ("four", 4),
    ];
    assert_eq!(functions, expected);
}

#[test]
fn figures_are_of_the_nearest_rank() {
    let sized: Vec<_> = (1..=40).rev().map(|size| (size, String::new())).collect();
    assert_eq!(
        Figures::of(&sized).to_string(),
        "median 20, p95 38, max 40 of 40"
    );
    assert_eq!(Figures::of(&[]).to_string(), "median 0, p95 0, max 0 of 0");
}
