//! This module puts fault proxies between clients and server, in processes of their own.
//!
//! **In:** where the server is, how many processes. **Out:** one [`ProxyHost`] and
//! [`ProxyLink`](super::ProxyLink) for each.
//!
//! Every client's socket passes through two files of such a process, so thousands of clients need
//! several. Each listens on an address of its own (127.0.0.1, 127.0.0.2, …): clients are spread
//! over them evenly, and a fault and its probe reach every one of them.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ProxyHost;
use crate::environment::EnvironmentError;
use crate::environment::janitor::{JanitorClient, OWN_PROGRAM, SpawnSpec};
use crate::environment::process::ProcessId;
use crate::environment::process::{ReadyWait, announced, log_end};

const READY_TIMEOUT: Duration = Duration::from_secs(10);
const ANNOUNCEMENT: &str = "listening on ";
const WHAT: &str = "the edge proxy";

/// One process of the edge link.
#[derive(Debug)]
pub(crate) struct Edge {
    pub process: ProcessId,
    pub host: ProxyHost,
}

/// Starts `harness proxy` on a free port and waits until it says where it listens; `number` counts
/// from 0.
pub(crate) async fn start(
    janitor: &JanitorClient,
    logs: &Path,
    number: u8,
    seed: u64,
) -> Result<Edge, EnvironmentError> {
    let log = logs.join(match number {
        0 => "edge.log".to_owned(),
        number => format!("edge-{}.log", number + 1),
    });
    let from = log_end(&log);
    let spec = SpawnSpec {
        what: "edge proxy".to_owned(),
        program: PathBuf::from(OWN_PROGRAM),
        args: ["proxy", "--listen", "127.0.0.1:0", "--seed"]
            .into_iter()
            .map(str::to_owned)
            .chain([seed.to_string()])
            .collect(),
        env: Vec::new(),
        log: log.clone(),
    };
    let process = janitor.spawn(WHAT, spec).await?;
    let wait = ReadyWait {
        what: WHAT,
        timeout: READY_TIMEOUT,
        process,
        log: log.clone(),
    };
    let address = wait
        .until(async || {
            announced(&log, from, ANNOUNCEMENT)
                .and_then(|text| text.rsplit('/').next()?.parse().ok())
                .ok_or_else(|| "it has not said where it listens".to_owned())
        })
        .await?;
    let listen = Ipv4Addr::new(127, 0, 0, number.saturating_add(1));
    Ok(Edge {
        process,
        host: ProxyHost::child(address, listen)?,
    })
}
