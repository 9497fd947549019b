//! A control group with so much memory, in which hone runs: who takes more than it may is killed
//! there, as in a container.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";

/// The files of a group, by the version of control groups.
#[derive(Debug, Clone, Copy)]
struct Files {
    limit: &'static str,
    peak: &'static str,
    /// Where the kernel counts whom it has killed for want of memory.
    events: &'static str,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    peak: "memory.max_usage_in_bytes",
    events: "memory.oom_control",
};
const V2: Files = Files {
    limit: "memory.max",
    peak: "memory.peak",
    events: "memory.events",
};

/// A group of its own, removed when this is dropped and nothing runs in it.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    files: Files,
}

impl Group {
    /// A group of `mib` MiB below the one of this process, else below the root.
    ///
    /// # Errors
    ///
    /// Why none can be made here.
    pub(crate) fn new(mib: u64) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut why = "no memory controller is mounted".to_owned();
        for (parent, files) in parents(Path::new(ROOT), &own) {
            match Self::below(&parent, files, mib) {
                Ok(group) => return Ok(group),
                Err(error) => why = format!("{}: {error}", parent.display()),
            }
        }
        Err(why)
    }

    fn below(parent: &Path, files: Files, mib: u64) -> Result<Self, String> {
        if !parent.join(files.limit).is_file() && !parent.join("cgroup.controllers").is_file() {
            return Err("no memory controller".to_owned());
        }
        let folder = parent.join(format!("hone-soak-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let group = Self { folder, files };
        let limit = group.folder.join(files.limit);
        if !limit.is_file() {
            return Err("the controller is not handed down".to_owned());
        }
        let bytes = (mib * 1024 * 1024).to_string();
        fs::write(limit, bytes).map_err(|error| error.to_string())?;
        Ok(group)
    }

    /// The file into which a process writes its id to belong to the group.
    pub(crate) fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// The most that the group took, in MiB, if the system tells.
    pub(crate) fn peak(&self) -> Option<u64> {
        let peak = fs::read_to_string(self.folder.join(self.files.peak)).ok()?;
        Some(peak.trim().parse::<u64>().ok()? / (1024 * 1024))
    }

    /// Whether the kernel has killed a process of the group because its memory was used up.
    pub(crate) fn has_killed(&self) -> bool {
        let events = fs::read_to_string(self.folder.join(self.files.events));
        events.is_ok_and(|events| kills(&events) > 0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Somebody who looks in may keep it for a moment; an empty group takes nothing.
        drop(fs::remove_dir(&self.folder));
    }
}

/// Where a group may be made: below the own one, or the root, of either version.
fn parents(root: &Path, own: &str) -> Vec<(PathBuf, Files)> {
    let mut parents = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, files) = if controllers.is_empty() {
            (root.to_owned(), V2)
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), V1)
        } else {
            continue;
        };
        parents.push((root.join(path.trim_start_matches('/')), files));
        parents.push((root, files));
    }
    parents
}

/// The processes that were killed, by a file of either version.
fn kills(events: &str) -> u64 {
    let counted = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "));
    counted
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_killed_is_told_from_who_met_a_bound() {
        let v1 = "oom_kill_disable 0\nunder_oom 1\noom_kill 2\n";
        let v2 = "low 0\nhigh 0\nmax 731\noom 1\noom_kill 1\noom_group_kill 3\n";
        assert_eq!((kills(v1), kills(v2)), (2, 1));
        assert_eq!(kills("oom_kill_disable 1\nunder_oom 0\noom 4\n"), 0);
    }

    #[test]
    fn groups_are_made_where_memory_is_counted() {
        let own = "9:name=systemd:/\n4:cpu,memory:/a/b\n1:cpuset:/c\n0::/d\nnonsense\n";
        let parents = parents(Path::new("/r"), own);
        let folders = parents.iter().map(|(folder, _)| folder.to_str().unwrap());
        assert_eq!(
            folders.collect::<Vec<_>>(),
            ["/r/memory/a/b", "/r/memory", "/r/d", "/r"]
        );
    }
}
