//! This module is `harness proxy`: the fault proxy on its own, with Toxiproxy's API.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use fault_proxy::server::{Server, ServerConfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::environment::raise_files;
use crate::exit::Exit;
use crate::intake;

/// A file with every proxy that fits into a machine is smaller.
const CONFIG_BYTES_MAX: u64 = 16 << 20;
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
    let environment = |fact: String| Failure::new(Exit::Environment, fact);
    let listen = args.listen;
    let bound = TcpListener::bind(listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    let listener = bound.map_err(|error| {
        environment(format!("--listen {listen}: {error}"))
            .hint("is a Toxiproxy running there already? port 0 takes a free port")
    })?;
    raise_files().map_err(|error| environment(error.to_string()))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| environment(format!("the runtime did not start: {error}")))?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|error| environment(error.to_string()))?;
        let stop = CancellationToken::new();
        let no_signals = |error| environment(format!("signals cannot be caught: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let address = listener.local_addr()?;
        let server = Server::new(&ServerConfig {
            seed: args.seed,
            proxy_metrics: args.proxy_metrics,
            share_ports: args.share_ports,
            allowed_hosts: args.allow_host.clone(),
            held_bytes_max: (args.held_mib as usize) << 20,
        });
        if let Some(file) = &args.config {
            configure(&server, file).await?;
        }
        writeln!(out, "listening on http://{address}")?;
        out.flush()?;
        let told = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.cancel();
        };
        let (served, ()) = tokio::join!(server.run(listener, stop.clone()), told);
        served.map_err(|error| environment(error.to_string()))?;
        Ok(Exit::Pass)
    })
}

async fn configure(server: &Server, file: &Path) -> Result<(), Failure> {
    let place = file.display();
    let usage = |fact: String| Failure::new(Exit::Usage, format!("--config {place}: {fact}"));
    let config = intake::bytes(file, CONFIG_BYTES_MAX);
    let config = config.map_err(|error| usage(error.to_string()))?;
    let created = server.populate(&config).await;
    created.map(drop).map_err(|error| {
        usage(error.to_string()).hint(
            "write it as Toxiproxy does: [{\"name\": \"redis\", \"listen\": \"127.0.0.1:26379\", \
             \"upstream\": \"127.0.0.1:6379\"}]",
        )
    })
}
