//! No file sends its reader to a document that is not here.

use std::path::Path;

use super::files;

/// Documents that are spoken of without an ending, and never were in the repository. (Pieced
/// together, so that this file does not speak of them.)
const ELSEWHERE: [&str; 1] = [concat!("DES", "IGN")];

/// The documents that a text names by a path, and the words of [`ELSEWHERE`].
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let words = text.split(move |c| !part(c));
    let words = words.map(|word| word.trim_end_matches(['.', '/']));
    words.filter(|word| {
        let is_path = word
            .strip_suffix(".md")
            .is_some_and(|name| !name.is_empty());
        // What follows the scheme of a URL, and patterns.
        let is_elsewhere = word.starts_with("//") || word.starts_with("/.md");
        is_path && !is_elsewhere || ELSEWHERE.contains(word)
    })
}

/// Whether the document `name`, which the file `from` mentions, is there.
fn is_here(name: &str, from: &Path) -> bool {
    let beside = from.parent().unwrap_or(Path::new(""));
    let folders = [files::root().to_owned(), files::root().join(beside)];
    folders.iter().any(|folder| folder.join(name).is_file())
}

#[test]
fn every_document_that_is_mentioned_is_here() {
    let mut missing = Vec::new();
    for (path, text) in files::texts() {
        for (index, line) in text.lines().enumerate() {
            for name in documents(line).filter(|name| !is_here(name, &path)) {
                missing.push(format!("{}:{}: {name}", path.display(), index + 1));
            }
        }
    }
    assert!(missing.is_empty(), "not here:\n{}\n", missing.join("\n"));
}

#[test]
fn documents_are_found_in_prose_and_links() {
    let text = "See `docs/approaches.md`, [b](../../../README.md#part) and ARCHITECTURE.md. Not \
                x.mdx, md, https://example.com/README.md or \"*.md\".";
    let found: Vec<_> = documents(text).collect();
    let expected = [
        "docs/approaches.md",
        "../../../README.md",
        "ARCHITECTURE.md",
    ];
    assert_eq!(found, expected);
    for name in expected {
        assert!(is_here(name, Path::new("tests/it/tidy/documents.rs")));
    }
    let bare = format!("as {0} says, {0}ER", ELSEWHERE[0]);
    assert_eq!(documents(&bare).count(), 1);
    assert!(!is_here("no-such-file", Path::new("README.md")));
}
