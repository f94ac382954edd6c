//! This module is a run of a whole scenario in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Done, command, finish};

/// The server under test, given by path.
pub(crate) fn server() -> PathBuf {
    let given = std::env::var_os("HARNESS_SERVER");
    let path = PathBuf::from(given.expect("HARNESS_SERVER must name the reference-server binary"));
    assert!(path.is_file(), "{}: no such binary", path.display());
    path
}

/// A run with a folder of its own.
pub(crate) struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub(crate) fn command(&self, scenario: &str, more: &[&str]) -> Command {
        let mut run = command(&["run", scenario, "--out"]);
        run.arg(self.out()).arg("--server").arg(server()).args(more);
        run
    }

    #[track_caller]
    pub(crate) fn run(&self, scenario: &str, more: &[&str]) -> Done {
        finish(self.command(scenario, more).spawn().unwrap())
    }

    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let path = self.out().join("result.json");
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), self.logs()));
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn page(&self) -> String {
        fs::read_to_string(self.out().join("report.html")).unwrap()
    }

    pub(crate) fn logs(&self) -> String {
        let logs = fs::read_dir(self.out().join("logs"))
            .into_iter()
            .flatten()
            .flatten();
        let texts = logs.map(|log| fs::read_to_string(log.path()).unwrap_or_default());
        texts.collect()
    }
}

#[track_caller]
pub(crate) fn number(result: &Value, pointer: &str) -> u64 {
    let value = result
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{pointer} is missing"));
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{pointer} is {value}"))
}
