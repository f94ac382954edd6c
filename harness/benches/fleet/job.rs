//! This module is a run in parts on this machine, each a process, as a scheduler would start them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;

const SCENARIO: &str = "scenarios/bench-talk.toml";
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A bundle, and the folder in which its parts meet.
pub(crate) struct Job {
    folder: TempDir,
    parts: u16,
}

impl Job {
    pub(crate) fn cut(parts: u16, more: &[&str]) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let mut make = harness();
        make.args(["bundle", SCENARIO, "--shards", &parts.to_string(), "--out"]);
        make.arg(folder.path().join("bundle")).args(more);
        if !make.stdout(Stdio::null()).status()?.success() {
            return Err("no bundle".into());
        }
        Ok(Self { folder, parts })
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.folder.path().join("shared")
    }

    /// Starts all parts and waits for their ends.
    pub(crate) fn run(&self, patience: Duration) -> Outcome<()> {
        let started = (0..self.parts).rev().map(|index| {
            let mut part = harness();
            part.arg("shard").arg(self.folder.path().join("bundle"));
            part.args(["--quiet", "--index", &index.to_string(), "--shared"]);
            part.arg(self.shared())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            part.spawn()
        });
        let mut parts = started.collect::<Result<Vec<_>, _>>()?;
        let begun = Instant::now();
        let ended = parts.iter_mut().try_for_each(|part| {
            let left = patience.saturating_sub(begun.elapsed());
            waited(part, left).map(drop)
        });
        if ended.is_err() {
            for part in &mut parts {
                drop(part.kill());
                drop(part.wait());
            }
        }
        ended
    }

    /// `harness merge`, begun.
    pub(crate) fn merging(&self, out: &str) -> Outcome<Child> {
        let mut merge = harness();
        merge
            .arg("merge")
            .arg(self.shared())
            .arg("--out")
            .arg(self.shared().join(out));
        Ok(merge.stdout(Stdio::null()).spawn()?)
    }

    /// What a run or a merge wrote into that folder.
    pub(crate) fn result(&self, out: &str) -> Outcome<Value> {
        let path = self.shared().join(out).join("result.json");
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// Waits for its end, whatever that is; the peak of its resident memory as it was seen last, bytes.
pub(crate) fn waited(child: &mut Child, patience: Duration) -> Outcome<u64> {
    let begun = Instant::now();
    let mut peak_bytes = 0;
    while child.try_wait()?.is_none() {
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Err(format!("no end within {} s", patience.as_secs()).into());
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        peak_bytes = peak_bytes.max(kib.unwrap_or(0) * 1_024);
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(peak_bytes)
}

fn harness() -> Command {
    let own = option_env!("CARGO_BIN_EXE_harness").unwrap_or("harness");
    let binary = std::env::var("HARNESS_BINARY").unwrap_or_else(|_| own.to_owned());
    let mut command = Command::new(binary);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}
