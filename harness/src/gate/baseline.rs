//! This module keeps the runs of a side for later: `reports/baselines/main.json`.
//!
//! **In:** the facts of runs. **Out:** a [`Baseline`], on disk and back. It holds numbers only, a few kilobytes a run, so that
//! it can lie in git: what each run measured, the noise from run to run, the kind of machine, the plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::facts::{HostClass, PlanPrint, RunFacts};
use super::metric::Metric;
use super::prospect::{self, Prospect};
use super::rules::{RUNS_MIN, Rules};
use super::sides;
use super::statistics::Spread;
use crate::intake::{self, IntakeError};

/// Version of the format.
pub(crate) const SCHEMA: &str = "harness.baseline/1";
/// Where baselines lie that are named without a folder.
pub(crate) const FOLDER: &str = "reports/baselines";
/// Largest baseline that is read: ten thousand runs.
const BYTES_MAX: u64 = 128 << 20;
/// Longest name of a baseline, in bytes: it is one of a file.
const NAME_BYTES_MAX: usize = 100;

/// Runs that are kept to be compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Baseline {
    /// [`SCHEMA`].
    pub schema: String,
    pub name: String,
    /// RFC 3339, UTC.
    pub saved_at: String,
    /// Of the harness that saved it.
    pub harness_version: String,
    pub host: HostClass,
    pub plan: PlanPrint,
    /// From run to run, planned waits left out, as logarithms.
    pub noise: BTreeMap<Metric, Spread>,
    pub runs: Vec<RunFacts>,
}

/// Why a baseline cannot be kept or read.
#[derive(Debug, Error)]
pub(crate) enum BaselineError {
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: IntakeError,
    },
    #[error("{}:{line}:{column}: is not a baseline: {problem}", path.display())]
    NotABaseline {
        path: PathBuf,
        line: usize,
        column: usize,
        problem: String,
    },
    #[error("{}: has the format \"{found}\", and this harness reads \"{SCHEMA}\"", path.display())]
    OtherFormat { path: PathBuf, found: String },
    #[error("\"{0}\" is no name of a baseline")]
    Name(String),
}

impl BaselineError {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "`harness baseline list` shows which there are",
            Self::NotABaseline { .. } => {
                "baselines are written by `harness baseline save`; this one is damaged or something else"
            }
            Self::OtherFormat { .. } => "save it again, with this version of the harness",
            Self::Name(_) => {
                "use letters, digits, \"-\", \"_\" and \".\", and begin with a letter or digit"
            }
        }
    }
}

/// The file of the baseline of that name.
pub(crate) fn path_of(folder: &Path, name: &str) -> Result<PathBuf, BaselineError> {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let begins = name.starts_with(char::is_alphanumeric);
    if !begins || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(BaselineError::Name(name.chars().take(40).collect()));
    }
    Ok(folder.join(format!("{name}.json")))
}

impl Baseline {
    /// A baseline of these runs; `None` of no run at all. Without `full`, curves are kept at the percentiles that are drawn.
    pub(crate) fn of(
        name: &str,
        saved_at: String,
        mut runs: Vec<RunFacts>,
        full: bool,
    ) -> Option<Self> {
        let first = runs.first()?;
        let (host, plan) = (first.host.clone(), first.plan.clone());
        let noise = prospect::noise_of(&runs, &Rules::default());
        if !full {
            runs.iter_mut().for_each(sides::thin);
        }
        Some(Self {
            schema: SCHEMA.to_owned(),
            name: name.to_owned(),
            saved_at,
            harness_version: env!("CARGO_PKG_VERSION").to_owned(),
            host,
            plan,
            noise,
            runs,
        })
    }

    /// Enough runs to gate by.
    pub(crate) const fn is_enough(&self) -> bool {
        self.runs.len() >= RUNS_MIN
    }

    /// What a gate by it would find of a metric, with as many new runs as it has.
    pub(crate) fn prospect(&self, metric: &Metric, rules: &Rules) -> Option<Prospect> {
        prospect::prospect(&self.runs, metric, rules)
    }

    /// The file's content.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }

    /// Reads one back.
    pub(crate) fn read(path: &Path) -> Result<Self, BaselineError> {
        let bytes = intake::bytes(path, BYTES_MAX).map_err(|source| BaselineError::Read {
            path: path.to_owned(),
            source,
        })?;
        parse(path, &bytes)
    }

    /// Why it cannot be used any more for runs of that plan on that machine: `None`, it can.
    pub(crate) fn stale(&self, host: &HostClass, load: Option<&str>) -> Option<String> {
        if !self.host.is_like(host) {
            return Some(format!("it was made on {}, and this is {host}", self.host));
        }
        if load.is_some_and(|load| load != self.plan.load) {
            return Some("the scenario's plan is another one today".to_owned());
        }
        None
    }
}

#[derive(Deserialize)]
struct Head {
    schema: String,
}

/// A baseline of a file's bytes.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Baseline, BaselineError> {
    let other = |error: serde_json::Error| BaselineError::NotABaseline {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        problem: error.to_string(),
    };
    let head: Head = serde_json::from_slice(bytes).map_err(other)?;
    if head.schema != SCHEMA {
        return Err(BaselineError::OtherFormat {
            path: path.to_owned(),
            found: head.schema,
        });
    }
    serde_json::from_slice(bytes).map_err(other)
}
