//! The memory limit of the container that the process runs in, if there is one.

use std::fs;
use std::path::Path;

/// Limits above this are how a kernel writes that there is none.
const NO_LIMIT: u64 = 1 << 60;

/// The smallest limit on the memory of this process, in bytes, of all control groups that it is in
/// (cgroup v1 and v2).
pub(crate) fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_below(Path::new("/sys/fs/cgroup"), &groups)
}

/// The same for a process whose `/proc/self/cgroup` says `groups`, with control groups at `root`.
fn limit_below(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        if controllers.is_empty() {
            // Beside groups of version 1 those of version 2 have a directory of their own.
            let mixed = limit_on_the_way(&root.join("unified"), path, "memory.max");
            return smaller(limit_on_the_way(root, path, "memory.max"), mixed);
        }
        let counts_memory = controllers.split(',').any(|name| name == "memory");
        counts_memory
            .then(|| limit_on_the_way(&root.join("memory"), path, "memory.limit_in_bytes"))?
    });
    limits.min()
}

/// The smallest limit from `root` to the group at `path` below it. Where a container does not see
/// the groups above its own, the root is its own.
fn limit_on_the_way(root: &Path, path: &str, file: &str) -> Option<u64> {
    let group = root.join(path.trim_start_matches('/'));
    let groups = group
        .ancestors()
        .take_while(|group| group.starts_with(root));
    let limits = groups.filter_map(|group| {
        let text = fs::read_to_string(group.join(file)).ok()?;
        let limit = text.trim().parse().ok();
        limit.filter(|limit| (1..NO_LIMIT).contains(limit))
    });
    limits.min()
}

fn smaller(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(files: &[(&str, &str)], groups: &str) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        limit_below(root.path(), groups)
    }

    #[test]
    fn the_smallest_limit_on_the_way_to_the_own_group_counts() {
        let v2 = [
            ("memory.max", "max\n"),
            ("kubepods/memory.max", "3000\n"),
            ("kubepods/pod/memory.max", "2000\n"),
            ("kubepods/pod/hone/memory.max", "max\n"),
            ("other/memory.max", "1\n"),
        ];
        assert_eq!(limit(&v2, "0::/kubepods/pod/hone\n"), Some(2000));
        assert_eq!(limit(&v2[..1], "0::/\n"), None);
        let in_a_namespace = [("memory.max", "536870912\n")];
        assert_eq!(limit(&in_a_namespace, "0::/\n"), Some(536_870_912));
    }

    #[test]
    fn both_versions_are_read() {
        let v1 = [
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/a/memory.limit_in_bytes", "4096\n"),
            ("cpu/docker/a/memory.limit_in_bytes", "1\n"),
        ];
        let groups = "5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n";
        assert_eq!(limit(&v1, groups), Some(4096));
        assert_eq!(limit(&v1[..1], groups), None);
        // The container's own group is mounted as the root.
        let mounted = [("memory/memory.limit_in_bytes", "8192\n")];
        assert_eq!(limit(&mounted, groups), Some(8192));
        let mixed = [("unified/a/memory.max", "5000\n")];
        assert_eq!(limit(&mixed, "4:memory:/\n0::/a\n"), Some(5000));
    }

    #[test]
    fn a_group_within_others_has_the_least_of_their_limits_in_both_versions() {
        for (folder, file, line, none) in [
            ("", "memory.max", "0::", "max\n"),
            ("unified/", "memory.max", "0::", "max\n"),
            (
                "memory/",
                "memory.limit_in_bytes",
                "7:memory:",
                "9223372036854771712\n",
            ),
            (
                "memory/",
                "memory.limit_in_bytes",
                "7:cpu,memory:",
                "18446744073709551615\n",
            ),
        ] {
            let path = |group: &str| format!("{folder}{group}{file}");
            let [root, outer, inner] = ["", "pods/", "pods/a/"].map(path);
            for (limits, least) in [
                ([none, "3000\n", "2000\n"], Some(2000)),
                ([none, "2000\n", "3000\n"], Some(2000)),
                (["1000\n", "3000\n", "2000\n"], Some(1000)),
                ([none, "3000\n", none], Some(3000)),
                ([none, none, none], None),
            ] {
                let files = [&*root, &*outer, &*inner];
                let files: Vec<_> = files.into_iter().zip(limits).collect();
                let groups = format!("9:name=systemd:/x\n{line}/pods/a\n");
                assert_eq!(limit(&files, &groups), least, "{groups} {limits:?}");
            }
        }
    }

    #[test]
    fn numbers_that_no_limit_has_limit_nothing() {
        for absurd in [
            "max",
            "-1",
            "0",
            "",
            "\n",
            "1e9",
            "4096K",
            "0x1000",
            "1152921504606846976",
            "99999999999999999999999999",
            "4096 8192",
        ] {
            let files = [("memory.max", absurd), ("a/memory.max", "5000\n")];
            assert_eq!(limit(&files[..1], "0::/\n"), None, "{absurd:?}");
            assert_eq!(limit(&files, "0::/a\n"), Some(5000), "{absurd:?}");
        }
        let largest = [("memory.max", "1152921504606846975\n")];
        assert_eq!(limit(&largest, "0::/\n"), Some(NO_LIMIT - 1));
    }

    #[test]
    fn what_cannot_be_read_limits_nothing() {
        assert_eq!(limit(&[], ""), None);
        assert_eq!(
            limit(&[("memory.max", "much\n")], "0::/\nnonsense\n:::"),
            None
        );
        assert_eq!(limit(&[], "0::/../../etc\n"), None);
    }
}
