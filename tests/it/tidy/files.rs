//! The files of the repository, as they lie on the disk.

use std::fs;
use std::path::{Path, PathBuf};

/// What is built, had from elsewhere or kept by git.
const FOREIGN: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that can be read as text, with its path below the root, in the order of the paths.
pub fn texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if FOREIGN.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root()).expect("a path below the root");
                found.push((path.to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The Rust sources among them: of all crates, tests, benches, examples and fuzz targets.
pub fn sources() -> Vec<(PathBuf, String)> {
    let mut texts = texts();
    texts.retain(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"));
    texts
}
