//! This module starts processes that drive a part of the load: this very program.
//!
//! **In:** which, and the name under which the run waits for them. **Out:** a [`LoadProcess`] each.

use std::path::PathBuf;
use std::time::Duration;

use super::Environment;
use super::EnvironmentError;
use super::janitor::{OWN_PROGRAM, SpawnSpec};
use super::process::ProcessId;

const WHAT: &str = "a process of the load";

/// A process that drives a part of the load.
#[derive(Clone, Debug)]
pub(crate) struct LoadProcess {
    /// From 1.
    pub number: u16,
    pub log: PathBuf,
    process: ProcessId,
}

impl LoadProcess {
    pub(crate) const fn pid(&self) -> i32 {
        self.process.pid
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    /// Whether it is gone within that time.
    pub(crate) async fn ended_within(&self, patience: Duration) -> bool {
        self.process.ended_within(patience).await
    }
}

/// Where this system keeps the authorities it believes, if it was told so by these variables.
fn believed() -> Vec<(String, String)> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
    let named = named.map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    named.into_iter().flatten().collect()
}

impl Environment {
    /// Starts one that comes back to the run under `name`, and ends with the run.
    pub(crate) async fn start_load_process(
        &mut self,
        number: u16,
        name: &str,
    ) -> Result<LoadProcess, EnvironmentError> {
        let log = self.logs.join(format!("shard-{number}.log"));
        let spec = SpawnSpec {
            what: format!("shard {number}"),
            program: PathBuf::from(OWN_PROGRAM),
            args: ["shard", "--run", name].map(str::to_owned).to_vec(),
            env: believed(),
            log: log.clone(),
        };
        let process = self.stack.start_load(WHAT, spec).await?;
        Ok(LoadProcess {
            number,
            log,
            process,
        })
    }
}
