//! This module reads what the kernel lets a process use: the processors it may run on, the limits of the control groups
//! it is in; and how many files it has open.
//!
//! **In:** `/proc/pid/status`, `/proc/pid/cgroup`, `/sys/fs/cgroup`. **Out:** numbers of processors, a [`Quota`] of processor
//! time, a [`MemoryLimit`].
//!
//! **Units:** processors, microseconds of processor time, bytes.
//! **Source:** proc(5); the kernel's `cgroup-v2` (`cpu.max`, `cpu.stat`, `memory.max`), `cgroup-v1/cpuacct`,
//! `cgroup-v1/memory`, `sched-bwc`.

use std::fs::{self, read_to_string};
use std::path::{Path, PathBuf};

const CGROUPS: &str = "/sys/fs/cgroup";
/// Version 1 says "no limit" as the largest number of whole pages; nothing as large is a limit.
const BYTES_MAX: u64 = 1 << 60;

/// Numbers of the processors that a process may use, by its `status`: `0-3,8`.
pub(crate) fn processors(status: &str) -> Vec<u32> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let ranges = line.unwrap_or_default().trim().split(',');
    let numbers = ranges.filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    });
    numbers.flatten().collect()
}

/// The control groups that a process is in.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    /// Where groups are mounted.
    root: PathBuf,
    /// Of `/proc/pid/cgroup`: controllers, none of version 2, and the path of the group.
    lines: Vec<(String, PathBuf)>,
}

/// The tightest limit on processor time of the groups of a process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quota {
    pub cores: f64,
    /// Of the group that has the limit.
    pub folder: PathBuf,
    used: Used,
}

/// Where a group says what it used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Used {
    /// `usage_usec` of `cpu.stat`.
    Stat(PathBuf),
    /// `cpuacct.usage`, in nanoseconds.
    Account(PathBuf),
}

/// The tightest limit on memory of the groups of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    pub bytes: u64,
    /// Of the group that has the limit.
    pub folder: PathBuf,
}

impl Groups {
    /// Of a process by its number, or of `self`; none where they cannot be read.
    pub(crate) fn of(pid: &str) -> Self {
        let text = read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        Self::below(Path::new(CGROUPS), &text)
    }

    /// Those that a text of `/proc/pid/cgroup` names.
    fn below(root: &Path, text: &str) -> Self {
        let lines = text.lines().map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let controllers = parts.next().unwrap_or_default().to_owned();
            (controllers, PathBuf::from(parts.next().unwrap_or_default()))
        });
        Self {
            root: root.to_owned(),
            lines: lines.collect(),
        }
    }

    /// The folders of every group of a controller and of the groups above it, and whether they are of version 2.
    fn folders(&self, controller: &str) -> Vec<(PathBuf, bool)> {
        let mut folders = Vec::new();
        for (controllers, group) in &self.lines {
            let second = controllers.is_empty();
            let first = controllers.split(',').any(|name| name == controller);
            if !first && !second {
                continue;
            }
            let mounted = if second {
                self.root.clone()
            } else {
                self.root.join(controller)
            };
            for level in group.ancestors() {
                let level = level.strip_prefix("/").unwrap_or(level);
                folders.push((mounted.join(level), second));
            }
        }
        folders
    }

    /// `None`: there is no limit, or none can be read.
    pub(crate) fn quota(&self) -> Option<Quota> {
        let folders = self.folders("cpu").into_iter();
        let quotas = folders.filter_map(|(folder, second)| {
            if second {
                second_quota(&folder)
            } else {
                self.first_quota(&folder)
            }
        });
        quotas.min_by(|one, other| one.cores.total_cmp(&other.cores))
    }

    /// `cpu.cfs_quota_us` of version 1, where no limit is −1.
    fn first_quota(&self, folder: &Path) -> Option<Quota> {
        let number = |file: &str| {
            let text = read_to_string(folder.join(file)).ok()?;
            text.trim().parse::<f64>().ok()
        };
        let (quota, period) = (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?);
        let group = folder.strip_prefix(self.root.join("cpu")).ok()?;
        let account = self.root.join("cpuacct").join(group).join("cpuacct.usage");
        (quota > 0.0 && period > 0.0).then(|| Quota {
            cores: quota / period,
            folder: folder.to_owned(),
            used: Used::Account(account),
        })
    }

    /// `None`: there is no limit, or none can be read.
    pub(crate) fn memory(&self) -> Option<MemoryLimit> {
        let folders = self.folders("memory").into_iter();
        let limits = folders.filter_map(|(folder, second)| {
            let file = if second {
                "memory.max"
            } else {
                "memory.limit_in_bytes"
            };
            let text = read_to_string(folder.join(file)).ok()?;
            let bytes = text.trim().parse().ok()?;
            (bytes < BYTES_MAX).then_some(MemoryLimit { bytes, folder })
        });
        limits.min_by_key(|limit| limit.bytes)
    }
}

/// `cpu.max` of version 2: `150000 100000`, or `max 100000`.
fn second_quota(folder: &Path) -> Option<Quota> {
    let text = read_to_string(folder.join("cpu.max")).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let (quota, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then(|| Quota {
        cores: quota / period,
        folder: folder.to_owned(),
        used: Used::Stat(folder.join("cpu.stat")),
    })
}

impl Quota {
    /// Microseconds of processor time that the group used so far.
    pub(crate) fn used_us(&self) -> Option<u64> {
        match &self.used {
            Used::Stat(path) => {
                let text = read_to_string(path).ok()?;
                let line = text
                    .lines()
                    .find_map(|line| line.strip_prefix("usage_usec "));
                line?.trim().parse().ok()
            }
            Used::Account(path) => {
                let ns: u64 = read_to_string(path).ok()?.trim().parse().ok()?;
                Some(ns / 1_000)
            }
        }
    }
}

/// Open files of a process, by its number or as `self`; 0: not known. The kernel says how many as the size of the folder,
/// and one before 6.2 lists them.
pub(crate) fn files_of(process: &str) -> u64 {
    let folder = format!("/proc/{process}/fd");
    match fs::metadata(&folder).map_or(0, |folder| folder.len()) {
        0 => fs::read_dir(folder).map_or(0, |files| files.count() as u64),
        counted => counted,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder with these files, as groups are mounted.
    fn mounted(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn ranges_of_processors_are_read_one_by_one() {
        let status = "Name:\tx\nCpus_allowed_list:\t0-2,7\n";
        assert_eq!(processors(status), [0, 1, 2, 7]);
        assert!(processors("Name:\tx\n").is_empty());
    }

    #[test]
    fn the_tightest_limit_of_the_groups_above_counts() {
        let folder = mounted(&[
            ("a/cpu.max", "150000 100000\n"),
            ("a/cpu.stat", "usage_usec 4200\nuser_usec 1\n"),
            ("a/b/cpu.max", "max 100000\n"),
            ("a/memory.max", "max\n"),
            ("a/b/memory.max", "1048576\n"),
        ]);
        let groups = |text: &str| Groups::below(folder.path(), text);
        let quota = groups("0::/a/b\n").quota().unwrap();
        assert_eq!((quota.cores, quota.used_us()), (1.5, Some(4_200)));
        assert_eq!(quota.folder, folder.path().join("a"));
        let memory = groups("0::/a/b\n").memory().unwrap();
        assert_eq!(memory.bytes, 1 << 20);
        assert_eq!(memory.folder, folder.path().join("a/b"));
        assert_eq!(groups("0::/a\n").memory(), None);
        assert_eq!(groups("0::/other\n").quota(), None);
    }

    #[test]
    fn the_first_version_keeps_each_controller_in_a_tree_of_its_own() {
        let folder = mounted(&[
            ("cpu/x/cpu.cfs_quota_us", "50000\n"),
            ("cpu/x/cpu.cfs_period_us", "100000\n"),
            ("cpuacct/x/cpuacct.usage", "7000000\n"),
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/y/memory.limit_in_bytes", "4096\n"),
        ]);
        let groups = |text: &str| Groups::below(folder.path(), text);
        let quota = groups("4:cpu,cpuacct:/x\n3:memory:/x\n").quota().unwrap();
        assert_eq!((quota.cores, quota.used_us()), (0.5, Some(7_000)));
        assert_eq!(groups("4:cpu:/\n3:memory:/x\n").quota(), None);
        let memory = groups("4:cpu:/x\n3:memory:/y\n").memory().unwrap();
        assert_eq!(memory.bytes, 4_096);
        assert_eq!(groups("3:memory:/x\n").memory(), None);
    }
}
