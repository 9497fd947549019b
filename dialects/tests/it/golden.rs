//! Files of requests, and what becomes of them.
//!
//! Each folder below `tests/golden/<dialect>/` has a client's request `in.json` and what is
//! expected of it: `chat.json`, the middle form; `out-<dialect>.json`, what such an upstream gets;
//! or `refused-<dialect>.json`, the `param` of the refusal. `losses-<dialect>.json` has what is
//! lost.

use std::fs;
use std::path::{Path, PathBuf};

use hone_dialects::{Dialect, codec};
use serde_json::{Value, json};

use crate::support::{decoded, json_of, target};

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn expected(folder: &Path, name: &str) -> Option<Value> {
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).ok()?;
    let place = folder.display();
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{place} {name}: {error}")))
}

fn check(from: Dialect, folder: &Path) -> usize {
    let place = folder.display();
    let request = decoded(from, &expected(folder, "in").expect("a request"));
    let mut checked = 0;
    if let Some(wanted) = expected(folder, "refused") {
        let param = request.as_ref().err().map(|refusal| json!(refusal.param));
        assert_eq!(param, Some(wanted), "{place}");
        return 1;
    }
    let request = request.unwrap_or_else(|refusal| panic!("{place}: {refusal:?}"));
    if let Some(wanted) = expected(folder, "chat") {
        let chat: Value = serde_json::from_slice(&request.to_bytes()).expect("JSON");
        assert_eq!(chat, wanted, "{place}");
        checked += 1;
    }
    for to in Dialect::ALL {
        let name = to.name();
        let encoded = codec(to).encode_request(&request, &target());
        if let Some(wanted) = expected(folder, &format!("out-{name}")) {
            let found = encoded.as_ref().map(json_of);
            assert_eq!(found.as_ref().ok(), Some(&wanted), "{place} to {name}");
            checked += 1;
        }
        if let Some(wanted) = expected(folder, &format!("refused-{name}")) {
            let param = encoded.as_ref().err().map(|refusal| json!(refusal.param));
            assert_eq!(param, Some(wanted), "{place} to {name}");
            checked += 1;
        }
        if let Some(wanted) = expected(folder, &format!("losses-{name}")) {
            let losses = encoded.map(|encoded| encoded.losses).expect("a request");
            let found = json!({"degraded": losses.degraded, "quiet": losses.quiet});
            assert_eq!(found, wanted, "{place} to {name}");
            checked += 1;
        }
    }
    checked
}

#[test]
fn every_request_becomes_what_its_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for folder in folders(&root) {
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let dialect = Dialect::parse(name).expect("a dialect's name");
        for case in folders(&folder) {
            assert!(
                check(dialect, &case) > 0,
                "{} expects nothing",
                case.display()
            );
        }
    }
}
