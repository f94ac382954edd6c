//! This module is `harness proxy`: the fault proxy on its own, with Toxiproxy's API. The program `fault-proxy` is the same with
//! Toxiproxy's flags.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args;
use fault_proxy::process::{self, ProcessError};
use fault_proxy::server::{Metrics, ServerConfig};

use super::failure::Failure;
use crate::exit::Exit;

/// As `ServerConfig` has it.
const HELD_MIB: u32 = 256;
const HELD_MIB_MAX: i64 = 1 << 20;

#[derive(Args, Debug)]
pub(super) struct ProxyArgs {
    /// Address of the API; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8474")]
    listen: SocketAddr,
    /// Decides jitter and which connections a toxic with a toxicity below 1 affects
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Proxies to create at once: a JSON file in Toxiproxy's format, `[{"name","listen","upstream"}]`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve GET /metrics: connections, bytes and toxics of every proxy, for Prometheus
    #[arg(long)]
    proxy_metrics: bool,
    /// Let other `harness proxy --share-ports` processes listen on the same ports; the kernel
    /// spreads the connections over them
    #[arg(long)]
    share_ports: bool,
    /// Name the API may be asked for by, beside addresses, localhost, this machine's name and
    /// "toxiproxy"; can be repeated. `*`: any name, and web pages from anywhere
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Megabytes that all connections together may hold back for toxics; beyond that senders wait
    #[arg(long, value_name = "MIB", default_value_t = HELD_MIB, value_parser = clap::value_parser!(u32).range(1..=HELD_MIB_MAX))]
    held_mib: u32,
}

/// Serves until SIGINT or SIGTERM.
pub(super) fn run(args: &ProxyArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let listen = args.listen;
    let listener = TcpListener::bind(listen).map_err(|error| {
        let fact = format!("--listen {listen}: {error}");
        Failure::new(Exit::Environment, fact)
            .hint("is a Toxiproxy running there already? port 0 takes a free port")
    })?;
    let config = ServerConfig {
        seed: args.seed,
        metrics: Metrics {
            proxies: args.proxy_metrics,
            runtime: false,
        },
        share_ports: args.share_ports,
        allowed_hosts: args.allow_host.clone(),
        held_bytes_max: (args.held_mib as usize) << 20,
        returns_memory: true,
    };
    let ready = |address| {
        writeln!(out, "listening on http://{address}")?;
        out.flush()
    };
    process::run(listener, &config, args.config.as_deref(), ready).map_err(failure)?;
    Ok(Exit::Pass)
}

fn failure(error: ProcessError) -> Failure {
    let hint = error.hint();
    let failure = match error {
        ProcessError::Ready(error) => Failure::from(error),
        ProcessError::Proxies { .. } => Failure::new(Exit::Usage, format!("--config {error}")),
        other => Failure::new(Exit::Environment, other.to_string()),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
