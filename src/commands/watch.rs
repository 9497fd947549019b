//! The files of a configuration, watched by what is in them.
//!
//! Editors and orchestrators replace files, by a rename or by a link to another directory, so
//! neither a file nor its time says whether it has changed. What is read at a path does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::{Interval, MissedTickBehavior};

/// How often files are read.
const EVERY: Duration = Duration::from_secs(5);
/// For so long nothing may change until a change counts: a file may be half written.
const SETTLE: Duration = Duration::from_millis(250);

/// Notices that a configuration's files say something else.
pub(super) struct Watch {
    files: BTreeSet<PathBuf>,
    known: Print,
    ticks: Interval,
}

/// What files say. Equal prints mean equal files.
type Print = [u8; 32];

impl Watch {
    /// Watches the configuration at `path`, if there is one, and the files that it names. What they
    /// say now is known.
    pub(super) fn new(path: Option<&Path>, named: &BTreeSet<PathBuf>) -> Self {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = Self {
            files: BTreeSet::new(),
            known: Print::default(),
            ticks,
        };
        watch.follow(path, named);
        watch
    }

    /// Watches these files from now on, as they are.
    pub(super) fn follow(&mut self, path: Option<&Path>, named: &BTreeSet<PathBuf>) {
        self.files = named
            .iter()
            .map(PathBuf::as_path)
            .chain(path)
            .map(Path::to_owned)
            .collect();
        self.known = print(&self.files);
    }

    /// Waits until the files say something else. Cancel safe.
    pub(super) async fn changed(&mut self) {
        loop {
            self.ticks.tick().await;
            let mut seen = print(&self.files);
            if seen == self.known {
                continue;
            }
            loop {
                tokio::time::sleep(SETTLE).await;
                let again = print(&self.files);
                if again == seen {
                    break;
                }
                seen = again;
            }
            // Whatever comes of it, the same files are not tried again.
            self.known = seen;
            return;
        }
    }
}

fn print(files: &BTreeSet<PathBuf>) -> Print {
    let mut digest = Sha256::new();
    for path in files {
        match fs::read(path) {
            Ok(bytes) => {
                digest.update(bytes.len().to_le_bytes());
                digest.update(bytes);
            }
            Err(_) => digest.update([0]),
        }
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    async fn notices(watch: &mut Watch) -> bool {
        timeout(4 * EVERY, watch.changed()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_a_file_says_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("hone.toml"), "one").unwrap();
        fs::write(at("key"), "first").unwrap();
        let named = BTreeSet::from([at("key")]);
        let mut watch = Watch::new(Some(&at("hone.toml")), &named);
        fs::write(at("hone.toml"), "one").unwrap();
        assert!(!notices(&mut watch).await, "written anew, as it was");
        fs::write(at("new"), "second").unwrap();
        fs::rename(at("new"), at("key")).unwrap();
        assert!(notices(&mut watch).await, "replaced");
        assert!(!notices(&mut watch).await, "once");
        fs::remove_file(at("key")).unwrap();
        assert!(notices(&mut watch).await, "gone");
        watch.follow(Some(&at("hone.toml")), &BTreeSet::new());
        fs::write(at("key"), "third").unwrap();
        assert!(!notices(&mut watch).await, "not named any more");
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn a_link_to_another_directory_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("a", "one"), ("b", "two")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("hone.toml"), text).unwrap();
        }
        std::os::unix::fs::symlink(at("a"), at("data")).unwrap();
        let path = at("data").join("hone.toml");
        let mut watch = Watch::new(Some(&path), &BTreeSet::new());
        std::os::unix::fs::symlink(at("b"), at("next")).unwrap();
        fs::rename(at("next"), at("data")).unwrap();
        assert!(notices(&mut watch).await);
    }
}
