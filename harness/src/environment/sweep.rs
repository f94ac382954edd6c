//! This module gives back what a run held: processes, proxies, directories, the lease itself.
//!
//! **In:** a [`Lease`]. **Out:** what was done and what could not be. Used by the janitor at the end
//! of every run, and by `harness recover` where the janitor is gone too.
//!
//! On a Toxiproxy that others use, a proxy is emptied and disabled before it is deleted: a real
//! Toxiproxy can hang for good when a proxy with a stuck client is deleted, so what cannot be
//! emptied is left in place and named. Processes and directories of other users are left alone, whatever a lease says.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use fault_proxy::client::{Client, ClientError};
use nix::sys::signal::Signal;

use super::lease::{self, Lease, LeasedProxies};
use super::process::ProcessId;
use super::proxy::api_client;

/// After SIGTERM, before SIGKILL.
const TERM_PATIENCE: Duration = Duration::from_millis(1_200);
/// After SIGKILL: the kernel takes the memory back.
const KILL_PATIENCE: Duration = Duration::from_secs(1);
/// For a Toxiproxy that is not ours, all calls together.
const PROXIES_PATIENCE: Duration = Duration::from_secs(10);
const NOT_FOUND: u16 = 404;

/// What came of giving back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// One sentence each.
    pub done: Vec<String>,
    pub problems: Vec<String>,
}

/// Ends the processes, cleans the foreign Toxiproxy and removes directory and lease. The lease
/// stays where something could not be given back, for `harness recover`.
pub(super) async fn sweep(lease: &Lease, leases: &Path) -> Swept {
    let mut swept = Swept::default();
    if lease.boot == lease::boot_id() {
        end_processes(lease, &mut swept).await;
    }
    if let Some(proxies) = &lease.toxiproxy {
        let prefix = lease::own_prefix(&lease.run_id);
        let cleaning = clean_toxiproxy(proxies, &prefix, &mut swept);
        if tokio::time::timeout(PROXIES_PATIENCE, cleaning)
            .await
            .is_err()
        {
            let url = &proxies.url;
            swept.problems.push(format!(
                "toxiproxy {url} did not answer within {PROXIES_PATIENCE:?}"
            ));
        }
    }
    remove_directory(lease, &mut swept);
    if swept.problems.is_empty() {
        let file = lease::file(leases, &lease.run_id);
        if let Err(error) = fs::remove_file(&file)
            && error.kind() != ErrorKind::NotFound
        {
            swept.problems.push(format!("{}: {error}", file.display()));
        }
    }
    swept
}

async fn end_processes(lease: &Lease, swept: &mut Swept) {
    let alive = |process: &ProcessId| process.is_alive();
    for held in &lease.processes {
        let pid = held.process.pid;
        if held.process.is_alive() && !held.process.is_ours() {
            let what = &held.what;
            swept.problems.push(format!(
                "{what} (pid {pid}) runs for another user: left alone"
            ));
        }
    }
    let named: Vec<(&str, ProcessId)> = lease
        .processes
        .iter()
        .map(|held| (held.what.as_str(), held.process))
        .filter(|(_, process)| alive(process) && process.is_ours())
        .collect();
    for (_, process) in &named {
        // A stopped process handles no other signal: it is continued first.
        process.signal(Signal::SIGCONT);
        process.signal(Signal::SIGTERM);
    }
    all_ended_within(&named, TERM_PATIENCE).await;
    for (_, process) in named.iter().filter(|(_, process)| alive(process)) {
        process.signal(Signal::SIGKILL);
    }
    all_ended_within(&named, KILL_PATIENCE).await;
    for (what, process) in named {
        let pid = process.pid;
        if process.is_alive() {
            swept
                .problems
                .push(format!("{what} (pid {pid}) did not end"));
        } else {
            swept.done.push(format!("ended {what} (pid {pid})"));
        }
    }
}

async fn all_ended_within(processes: &[(&str, ProcessId)], patience: Duration) {
    let all = async {
        for (_, process) in processes {
            process.ended_within(patience).await;
        }
    };
    // Whoever is still alive then is looked for by the caller.
    if tokio::time::timeout(patience, all).await.is_err() {
        tracing::debug!("not every process ended in time");
    }
}

async fn clean_toxiproxy(proxies: &LeasedProxies, prefix: &str, swept: &mut Swept) {
    let client = match api_client(&proxies.url) {
        Ok(client) => client,
        Err(error) => {
            swept.problems.push(error.to_string());
            return;
        }
    };
    for name in &proxies.names {
        match remove_proxy(&client, name).await {
            Ok(true) => swept
                .done
                .push(format!("removed proxy {name} from {}", proxies.url)),
            Ok(false) => {}
            // Nobody listens: the Toxiproxy has ended, and our proxies with it.
            Err(ClientError::Unreachable { source, .. }) if source.is_connect() => return,
            Err(error) => swept
                .problems
                .push(format!("proxy {name} is left at {}: {error}", proxies.url)),
        }
    }
    for name in &proxies.existing {
        match restore_proxy(&client, name, prefix).await {
            Ok(true) => swept
                .done
                .push(format!("put proxy {name} of {} back", proxies.url)),
            Ok(false) => {}
            Err(ClientError::Unreachable { source, .. }) if source.is_connect() => return,
            Err(error) => swept.problems.push(format!(
                "proxy {name} of {} is not as it was: {error}",
                proxies.url
            )),
        }
    }
}

/// Takes this run's toxics off somebody else's proxy and enables it; `false` where nothing was to
/// be done. Nothing else of it is touched.
pub(super) async fn restore_proxy(
    client: &Client,
    name: &str,
    prefix: &str,
) -> Result<bool, ClientError> {
    let found = match client.proxy(name).await {
        Ok(found) => found,
        Err(error) if error.status() == Some(NOT_FOUND) => return Ok(false),
        Err(error) => return Err(error),
    };
    let ours = found
        .toxics
        .iter()
        .filter(|toxic| toxic.name.starts_with(prefix));
    let mut changed = false;
    for toxic in ours {
        client.remove_toxic(name, &toxic.name).await?;
        changed = true;
    }
    if !found.enabled {
        client.set_enabled(name, true).await?;
        changed = true;
    }
    Ok(changed)
}

/// Empties, disables and deletes one proxy of ours; `false` when there was none.
pub(super) async fn remove_proxy(client: &Client, name: &str) -> Result<bool, ClientError> {
    let found = match client.proxy(name).await {
        Ok(found) => found,
        Err(error) if error.status() == Some(NOT_FOUND) => return Ok(false),
        Err(error) => return Err(error),
    };
    for toxic in &found.toxics {
        client.remove_toxic(name, &toxic.name).await?;
    }
    if found.enabled {
        client.set_enabled(name, false).await?;
    }
    client.delete(name).await?;
    Ok(true)
}

fn remove_directory(lease: &Lease, swept: &mut Swept) {
    let path = &lease.directory;
    let expected = lease::directory_name(&lease.run_id);
    let mut left = |reason: &str| {
        let path = path.display();
        swept.problems.push(format!("{path} {reason}: left alone"));
    };
    if path.file_name().is_none_or(|name| *name != *expected) || !path.is_absolute() {
        return left("is not a directory of this run");
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return left(&format!("cannot be looked at ({error})")),
        Ok(found) => {
            if let Err(error) = lease::private(&found, lease::Kind::Folder) {
                return left(&format!("is not this run's ({error})"));
            }
        }
    }
    match fs::remove_dir_all(path) {
        Ok(()) => swept.done.push(format!("removed {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => swept.problems.push(format!("{}: {error}", path.display())),
    }
}
