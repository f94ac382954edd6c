//! This module cleans up after runs whose harness *and* janitor were killed.
//!
//! **In:** the folder of the manifests. **Out:** what was found and done, one sentence each. A run
//! that is still alive, or whose janitor is at work, is left alone, and so is everything that is
//! not of this user.

use std::path::Path;
use std::time::Duration;

use super::manifest::{self, HeldProcess, Manifest};
use super::protocol::MARK;
use super::sweep::{Swept, sweep};
use crate::environment::EnvironmentError;
use crate::environment::process::ProcessId;
use crate::environment::proxy::ProxyError;
use crate::environment::toxiproxy::api_client;

/// A janitor whose harness has gone is done within this.
const JANITOR_TIMEOUT: Duration = Duration::from_secs(15);

/// Cleans up by every manifest of this user whose harness is dead. `toxiproxy` stands in for the
/// address in the manifest; proxies there that no manifest names are reported and never touched.
pub(crate) async fn recover(toxiproxy: Option<&str>) -> Result<Swept, EnvironmentError> {
    recover_in(&manifest::directory()?, toxiproxy).await
}

pub(crate) async fn recover_in(
    leases: &Path,
    toxiproxy: Option<&str>,
) -> Result<Swept, EnvironmentError> {
    let mut total = Swept::default();
    let mut live_runs = Vec::new();
    for file in manifest::list(leases)? {
        let mut manifest = match manifest::read(&file) {
            Ok(manifest) => manifest,
            Err(error) => {
                total.problems.push(error.to_string());
                continue;
            }
        };
        let run = manifest.run_id.clone();
        let this_boot = manifest.boot == manifest::boot_id();
        if this_boot && manifest.harness.is_alive() {
            let pid = manifest.harness.pid;
            total
                .done
                .push(format!("run {run} is running (pid {pid}): left alone"));
            live_runs.push(run);
            continue;
        }
        if this_boot
            && manifest.janitor.is_alive()
            && manifest.janitor.ended_within(JANITOR_TIMEOUT).await
        {
            // It has done all this itself, unless its manifest is still there.
            if !file.exists() {
                total
                    .done
                    .push(format!("run {run}: its janitor has just cleaned up"));
                continue;
            }
        }
        if let (Some(held), Some(url)) = (&mut manifest.toxiproxy, toxiproxy) {
            url.clone_into(&mut held.url);
        }
        add_marked(&mut manifest);
        let swept = sweep(&manifest, leases).await;
        let named = |text: String| format!("run {run}: {text}");
        total
            .done
            .push(named("its harness is gone; cleaning up".to_owned()));
        total.done.extend(swept.done.into_iter().map(named));
        total.problems.extend(swept.problems.into_iter().map(named));
    }
    if let Some(url) = toxiproxy {
        report_strangers(url, &live_runs, &mut total).await?;
    }
    Ok(total)
}

/// Processes that carry the run's mark but did not reach the manifest any more.
fn add_marked(manifest: &mut Manifest) {
    let mark = format!("{MARK}={}", manifest.run_id);
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for process in pids.filter_map(ProcessId::of) {
        let marked = std::fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|text| {
            text.split(|byte| *byte == 0)
                .any(|one| one == mark.as_bytes())
        });
        let known = manifest
            .processes
            .iter()
            .any(|held| held.process == process);
        if marked && !known && process.is_ours() {
            manifest.processes.push(HeldProcess {
                what: "process of the run".to_owned(),
                process,
            });
        }
    }
}

async fn report_strangers(
    url: &str,
    live_runs: &[String],
    total: &mut Swept,
) -> Result<(), EnvironmentError> {
    for name in api_client(url)
        .map_err(ProxyError::from)?
        .proxies()
        .await
        .map_err(ProxyError::from)?
        .into_keys()
    {
        let live = live_runs
            .iter()
            .any(|run| name.starts_with(&manifest::directory_name(run)));
        if name.starts_with("harness-") && !live {
            total.done.push(format!(
                "proxy {name} at {url} has no lease on this machine: left alone"
            ));
        }
    }
    Ok(())
}
