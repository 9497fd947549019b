//! The documents against the program: every command, example, table, path and link.

use std::fs;
use std::path::{Path, PathBuf};

mod cases; // dialects/tests/CASES.md: every test that it names is there
mod commands; // shell blocks: hone parses its own, cargo's name what exists
mod dialects; // what docs/dialects.md says of the codecs, by their tables
mod examples; // blocks of TOML, JSON, Rust and YAML; each `curl` is sent
mod links; // files, headings, and paths between backticks
mod shell;
mod tables; // approaches, errors, keys of the configuration, metrics, log fields, figures

/// A document.
struct Page {
    /// Its path below the repository's root.
    path: String,
    text: String,
}

/// A fenced block, or an indented one in a list.
struct Block<'a> {
    language: &'a str,
    text: String,
}

impl Page {
    /// The document at `path`.
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path))
            .unwrap_or_else(|error| panic!("fixture: {path}: {error}"));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// Every document.
    fn all() -> Vec<Self> {
        let mut paths: Vec<String> = [
            "dialects/tests/CASES.md",
            "soak/README.md",
            "fuzz/README.md",
        ]
        .map(str::to_owned)
        .into();
        for (folder, prefix) in [(root(), ""), (&root().join("docs"), "docs/")] {
            for entry in fs::read_dir(folder).expect("fixture: a folder").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if Path::new(&name).extension().is_some_and(|end| end == "md") {
                    paths.push(format!("{prefix}{name}"));
                }
            }
        }
        paths.sort();
        assert!(paths.len() >= 15, "{paths:?}");
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// The blocks between fences, without the indentation of their fence.
    fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, Block<'_>)> = None;
        for line in self.text.lines() {
            let fence = line.trim_start().strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(language)) => {
                    let indent = line.len() - line.trim_start().len();
                    let text = String::new();
                    open = Some((indent, Block { language, text }));
                }
                (Some((indent, block)), None) => {
                    block.text.push_str(line.get(*indent..).unwrap_or_default());
                    block.text.push('\n');
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence stays open", self.path);
        blocks
    }

    /// The texts of the blocks of one language.
    fn blocks_of(&self, language: &str) -> Vec<String> {
        self.blocks()
            .into_iter()
            .filter(|block| block.language == language)
            .map(|block| block.text)
            .collect()
    }

    /// The lines outside of fences.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut fenced = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            fenced ^= is_fence;
            !fenced && !is_fence
        })
    }

    /// The lines below the heading `title`, up to the next heading of its rank or a higher one.
    fn section(&self, title: &str) -> String {
        let rank = |line: &str| line.chars().take_while(|letter| *letter == '#').count();
        let mut lines = self.text.lines();
        let heading =
            lines.find(|line| rank(line) > 0 && line.trim_start_matches('#').trim() == title);
        let own = rank(heading.unwrap_or_else(|| panic!("{}: no section {title}", self.path)));
        let inside: Vec<&str> = lines
            .take_while(|line| rank(line) == 0 || rank(line) > own)
            .collect();
        inside.join("\n")
    }
}

/// The rows of the tables in `text` whose first cell is code, as cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let line = line.replace("\\|", "\u{1}");
            let cells = line.trim().trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().replace('\u{1}', "|"))
                .collect()
        })
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("fixture: a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("fixture: a source file");
                found.push((path, text));
            }
        }
    }
    found
}

/// The string literals of a source that look like names: lower case, digits and underscores.
fn names_in(source: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    source.split('"').filter(is_name)
}
