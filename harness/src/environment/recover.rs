//! This module cleans up after runs whose harness *and* janitor were killed.
//!
//! **In:** the lease directory. **Out:** what was found and done, one sentence each. A run that is
//! still alive, or whose janitor is at work, is left alone, and so is everything that is not of this user.

use std::path::Path;
use std::time::Duration;

use super::error::EnvironmentError;
use super::janitor::MARK;
use super::lease::{self, Lease, LeasedProcess};
use super::process::ProcessId;
use super::proxy::api_client;
use super::sweep::{Swept, sweep};

/// A janitor whose harness has gone is done within this.
const JANITOR_PATIENCE: Duration = Duration::from_secs(15);

/// Cleans every lease of this user whose harness is dead. `toxiproxy` stands in for the address
/// in the lease; proxies there that no lease names are reported and never touched.
pub(crate) async fn recover(toxiproxy: Option<&str>) -> Result<Swept, EnvironmentError> {
    recover_in(&lease::directory()?, toxiproxy).await
}

pub(super) async fn recover_in(
    leases: &Path,
    toxiproxy: Option<&str>,
) -> Result<Swept, EnvironmentError> {
    let mut total = Swept::default();
    let mut live_runs = Vec::new();
    for file in lease::list(leases)? {
        let mut lease = match lease::read(&file) {
            Ok(lease) => lease,
            Err(error) => {
                total.problems.push(error.to_string());
                continue;
            }
        };
        let run = lease.run_id.clone();
        let this_boot = lease.boot == lease::boot_id();
        if this_boot && lease.harness.is_alive() {
            let pid = lease.harness.pid;
            total
                .done
                .push(format!("run {run} is running (pid {pid}): left alone"));
            live_runs.push(run);
            continue;
        }
        if this_boot
            && lease.janitor.is_alive()
            && lease.janitor.ended_within(JANITOR_PATIENCE).await
        {
            // It has done all this itself, unless its lease is still there.
            if !file.exists() {
                total
                    .done
                    .push(format!("run {run}: its janitor has just cleaned up"));
                continue;
            }
        }
        if let (Some(held), Some(url)) = (&mut lease.toxiproxy, toxiproxy) {
            url.clone_into(&mut held.url);
        }
        add_marked(&mut lease);
        let swept = sweep(&lease, leases).await;
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

/// Processes that carry the run's mark but did not reach the lease any more.
fn add_marked(lease: &mut Lease) {
    let mark = format!("{MARK}={}", lease.run_id);
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for process in pids.filter_map(ProcessId::of) {
        let marked = std::fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|text| {
            text.split(|byte| *byte == 0)
                .any(|one| one == mark.as_bytes())
        });
        let known = lease.processes.iter().any(|held| held.process == process);
        if marked && !known && process.is_ours() {
            lease.processes.push(LeasedProcess {
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
    for name in api_client(url)?.proxies().await?.into_keys() {
        let live = live_runs
            .iter()
            .any(|run| name.starts_with(&lease::directory_name(run)));
        if name.starts_with("harness-") && !live {
            total.done.push(format!(
                "proxy {name} at {url} has no lease on this machine: left alone"
            ));
        }
    }
    Ok(())
}
