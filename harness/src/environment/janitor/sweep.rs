//! This module gives back what a run held: processes, proxies, directories, the manifest itself.
//!
//! **In:** a [`Manifest`]. **Out:** what was done and what could not be. Used by the janitor at the
//! end of every run, and by `harness recover` where the janitor is gone too.
//!
//! Processes and directories of other users are left alone, whatever a manifest says.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use fault_proxy::client::ClientError;
use nix::sys::signal::Signal;

use super::manifest::{self, HeldProxies, Manifest};
use crate::environment::private::{self, FileKind};
use crate::environment::process::ProcessId;
use crate::environment::toxiproxy::{api_client, own_prefix, remove_proxy, restore_proxy};

/// After SIGTERM, before SIGKILL.
const TERM_TIMEOUT: Duration = Duration::from_millis(1_200);
/// After SIGKILL: the kernel takes the memory back.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);
/// For a Toxiproxy that is not ours, all calls together.
const PROXIES_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of giving back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// One sentence each.
    pub done: Vec<String>,
    pub problems: Vec<String>,
}

/// Ends the processes, cleans the foreign Toxiproxy and removes directory and manifest. The
/// manifest stays where something could not be given back, for `harness recover`.
pub(crate) async fn sweep(manifest: &Manifest, leases: &Path) -> Swept {
    let mut swept = Swept::default();
    if manifest.boot == manifest::boot_id() {
        end_processes(manifest, &mut swept).await;
    }
    if let Some(proxies) = &manifest.toxiproxy {
        let prefix = own_prefix(&manifest.run_id);
        let cleaning = clean_toxiproxy(proxies, &prefix, &mut swept);
        if tokio::time::timeout(PROXIES_TIMEOUT, cleaning)
            .await
            .is_err()
        {
            let url = &proxies.url;
            swept.problems.push(format!(
                "toxiproxy {url} did not answer within {PROXIES_TIMEOUT:?}"
            ));
        }
    }
    remove_directory(manifest, &mut swept);
    if swept.problems.is_empty() {
        let file = manifest::file(leases, &manifest.run_id);
        if let Err(error) = fs::remove_file(&file)
            && error.kind() != ErrorKind::NotFound
        {
            swept.problems.push(format!("{}: {error}", file.display()));
        }
    }
    swept
}

async fn end_processes(manifest: &Manifest, swept: &mut Swept) {
    let alive = |process: &ProcessId| process.is_alive();
    for held in &manifest.processes {
        let pid = held.process.pid;
        if held.process.is_alive() && !held.process.is_ours() {
            let what = &held.what;
            swept.problems.push(format!(
                "{what} (pid {pid}) runs for another user: left alone"
            ));
        }
    }
    let named: Vec<(&str, ProcessId)> = manifest
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
    all_ended_within(&named, TERM_TIMEOUT).await;
    for (_, process) in named.iter().filter(|(_, process)| alive(process)) {
        process.signal(Signal::SIGKILL);
    }
    all_ended_within(&named, KILL_TIMEOUT).await;
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

async fn all_ended_within(processes: &[(&str, ProcessId)], timeout: Duration) {
    let all = async {
        for (_, process) in processes {
            process.ended_within(timeout).await;
        }
    };
    // Whoever is still alive then is looked for by the caller.
    if tokio::time::timeout(timeout, all).await.is_err() {
        tracing::debug!("not every process ended in time");
    }
}

async fn clean_toxiproxy(proxies: &HeldProxies, prefix: &str, swept: &mut Swept) {
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

fn remove_directory(manifest: &Manifest, swept: &mut Swept) {
    let path = &manifest.directory;
    let expected = manifest::directory_name(&manifest.run_id);
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
            if let Err(error) = private::check(&found, FileKind::Folder) {
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
