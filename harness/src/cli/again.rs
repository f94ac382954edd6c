//! This module says a run in words: the arguments of `harness run` that decide what is run.
//!
//! **In:** what was asked for. **Out:** words for a process, and the same for a shell. What is about folder and screen is
//! left out.

use std::ffi::OsString;
use std::path::Path;

use super::overrides::{OverrideArgs, quoted};
use crate::environment::ServerFlag;

/// What decides what a run does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub scenario: &'a Path,
    pub changes: &'a OverrideArgs,
    pub server: Option<&'a Path>,
    pub server_flags: &'a [ServerFlag],
    pub allow_hosts: &'a [String],
    pub allow_faults: bool,
}

impl Asked<'_> {
    /// Word by word; the seed is the run's own.
    pub(super) fn words(&self, seed: u64) -> Vec<OsString> {
        let mut words = vec![path(self.scenario)];
        words.extend(self.changes.words(seed).into_iter().map(OsString::from));
        if let Some(server) = self.server {
            words.extend([OsString::from("--server"), path(server)]);
        }
        let flags = self.server_flags.iter();
        let flags = flags.map(|flag| ("--server-flag", flag.to_string()));
        let hosts = self.allow_hosts.iter();
        let hosts = hosts.map(|host| ("--allow-host", host.clone()));
        for (flag, value) in flags.chain(hosts) {
            words.extend([flag.into(), value.into()]);
        }
        if self.allow_faults {
            words.push("--allow-faults".into());
        }
        words
    }

    /// The command that repeats the run, fit for a shell.
    pub(super) fn command(&self, seed: u64) -> String {
        let words: Vec<String> = self.words(seed).iter().map(quoted).collect();
        format!("harness run {}", words.join(" "))
    }
}

/// No flag of ours, whatever it begins with.
pub(super) fn path(path: &Path) -> OsString {
    match path.as_os_str().as_encoded_bytes() {
        [b'-', ..] => Path::new(".").join(path).into_os_string(),
        _ => path.as_os_str().to_owned(),
    }
}
