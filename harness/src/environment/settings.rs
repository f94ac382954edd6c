//! This module holds what the command line says about the environment.

use std::path::PathBuf;
use std::str::FromStr;

use super::machine::OutError;
use crate::scenario::cpus::Cpus;

/// Characters of a flag and its value.
const FLAG_CHARACTERS_MAX: usize = 200;
/// What a flag about an address, a secret or the harness's own means is called.
const NOT_HERE: [&str; 7] = [
    "password", "secret", "url", "listen", "tls", "worker", "defect",
];

/// What the command line says about the environment, beside the plan.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Unique on this machine; part of every name given to something outside.
    pub run_id: String,
    /// Directory of the run; logs go to `logs/` below it.
    pub out: PathBuf,
    /// `--server PATH`.
    pub server_binary: Option<PathBuf>,
    /// `--server-flag NAME=VALUE`: no part of the plan, so that two builds of a server, or one build in two ways, are
    /// asked the same.
    pub server_flags: Vec<ServerFlag>,
    /// Processors of all that is started; `None`: those of this process.
    pub cpus: Option<Cpus>,
    /// `--allow-host HOST`, as given.
    pub allow_hosts: Vec<String>,
    /// `--allow-faults`.
    pub allow_faults: bool,
    /// Hears what somebody who waits for the start should know, a line at a time.
    pub say: fn(&str),
    /// Hears of each part of the environment that is there, in a word or two.
    pub step: fn(&str),
}

impl Settings {
    /// The run's log directory, made, and absolute: the janitor opens files there too.
    pub(super) fn logs(&self) -> Result<PathBuf, OutError> {
        let logs = self.out.join("logs");
        let made = std::fs::create_dir_all(&logs).and_then(|()| std::path::absolute(logs));
        made.map_err(|source| OutError::NotWritable {
            path: self.out.clone(),
            source,
        })
    }
}

/// A flag of `reference-server serve`, without its dashes, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerFlag {
    pub name: String,
    pub value: String,
}

impl std::fmt::Display for ServerFlag {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}={}", self.name, self.value)
    }
}

impl FromStr for ServerFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or("expected NAME=VALUE, such as slow-cpu=10%")?;
        let named = name.trim_start_matches('-');
        let is_name = !named.is_empty()
            && named
                .chars()
                .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-');
        if !is_name {
            return Err("expected a flag of `reference-server serve` without its dashes, such as slow-cpu=10%".to_owned());
        }
        if NOT_HERE.iter().any(|part| named.contains(part)) {
            return Err(format!(
                "--{named} is not for here: set it in the scenario, under environment.server"
            ));
        }
        if text.chars().count() > FLAG_CHARACTERS_MAX || value.chars().any(char::is_control) {
            return Err(format!(
                "expected at most {FLAG_CHARACTERS_MAX} characters, and none that cannot be seen"
            ));
        }
        Ok(Self {
            name: named.to_owned(),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_a_name_and_a_value_and_never_a_secret() {
        let flag: ServerFlag = "slow-cpu=10%".parse().unwrap();
        assert_eq!(
            (flag.name.as_str(), flag.value.as_str()),
            ("slow-cpu", "10%")
        );
        assert_eq!(
            "--chunks=4".parse::<ServerFlag>().unwrap().to_string(),
            "chunks=4"
        );
        for text in [
            "",
            "slow-cpu",
            "=1",
            "a b=1",
            "jwt-secret=x",
            "redis-url=x",
            "listen=x",
            "chunks=1\n2",
        ] {
            assert!(text.parse::<ServerFlag>().is_err(), "{text}");
        }
    }
}
