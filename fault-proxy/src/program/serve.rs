//! The server, with Toxiproxy's flags.
//!
//! **In:** the flags. **Out:** a server until SIGINT or SIGTERM; or place, fact and hint of what kept it from that.

use super::{cli, failure::Failure, flag, log};
use clap::{Args, CommandFactory, FromArgMatches, Parser, error::ErrorKind};
use fault_proxy::{
    process::{self, ProcessError},
    server::{COMPATIBLE_VERSION, Metrics, ServerConfig},
};
use std::{
    ffi::OsString,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
};

/// As `ServerConfig` has it.
const HELD_MIB: u32 = 256;
const HELD_MIB_MAX: i64 = 1 << 20;

const AFTER_HELP: &str = "\
`fault-proxy cli` drives it: `fault-proxy cli --help`. Flags may be written as Toxiproxy's: -host 0.0.0.0 -port=8474.
LOG_LEVEL in the environment: trace, debug, info (default), warn, error, disabled.";

/// A TCP proxy that injects faults, with Toxiproxy's API
#[derive(Debug, Parser)]
#[command(disable_version_flag = true, after_help = AFTER_HELP)]
struct ServeArgs {
    /// Host that the API listens on
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Port of the API; 0 takes a free one
    #[arg(long, default_value_t = 8474)]
    port: u16,
    /// Proxies to create at once: a JSON file, `[{"name","listen","upstream","enabled"}]`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Decides every draw: jitter, which connections a toxicity below 1 affects. 0: drawn at the start and logged
    #[arg(long, default_value = "0", allow_hyphen_values = true, value_parser = flag::seed)]
    seed: u64,
    #[command(flatten)]
    metrics: MetricsArgs,
    /// Let other processes with this flag listen on the same ports; the kernel spreads the connections over them
    #[arg(long)]
    share_ports: bool,
    /// Name the API may be asked for by, beside addresses, localhost, this machine's name and "toxiproxy"; can be
    /// repeated. `*`: any name, and web pages from anywhere
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Megabytes that all connections together may hold back for toxics; beyond that senders wait
    #[arg(long, value_name = "MIB", default_value_t = HELD_MIB, value_parser = clap::value_parser!(u32).range(1..=HELD_MIB_MAX))]
    held_mib: u32,
    /// Print the version
    #[arg(long)]
    version: bool,
}

#[derive(Debug, Args)]
struct MetricsArgs {
    /// Serve GET /metrics: connections, bytes and toxics of every proxy, for Prometheus
    #[arg(long)]
    proxy_metrics: bool,
    /// Serve GET /metrics: processor time, memory, threads and files of the process
    #[arg(long)]
    runtime_metrics: bool,
}

/// Serves until it is told to end.
pub(super) fn main(program: &'static str, words: Vec<OsString>) -> Result<(), Failure> {
    let args = parse(program, words)?;
    let version = env!("CARGO_PKG_VERSION");
    if args.version {
        let mut out = io::stdout();
        writeln!(
            out,
            "{program} {version}, as Toxiproxy version {COMPATIBLE_VERSION}"
        )?;
        return Ok(out.flush()?);
    }
    log::start().map_err(|error| Failure::new(format!("the log did not start: {error}")))?;
    let listener = listen(&args)?;
    let seed = seed(args.seed);
    let config = ServerConfig {
        seed,
        metrics: Metrics {
            proxies: args.metrics.proxy_metrics,
            runtime: args.metrics.runtime_metrics,
        },
        share_ports: args.share_ports,
        allowed_hosts: args.allow_host,
        held_bytes_max: (args.held_mib as usize) << 20,
        returns_memory: true,
    };
    let host = args.host.as_str();
    let port = listener.local_addr().map_or(args.port, |at| at.port());
    tracing::info!(
        host,
        port,
        version,
        compatible = COMPATIBLE_VERSION,
        seed,
        "Starting HTTP server"
    );
    process::run(listener, &config, args.config.as_deref(), |_| Ok(())).map_err(failure)
}

fn parse(program: &'static str, words: Vec<OsString>) -> Result<ServeArgs, Failure> {
    let first = words.first().and_then(|word| word.to_str());
    let first = first.map(ToOwned::to_owned);
    let switches = ["proxy_metrics", "runtime_metrics", "share_ports", "version"];
    let mut command = ServeArgs::command().name(program).bin_name(program);
    for name in switches {
        command = command.mut_arg(name, flag::switch);
    }
    let words = std::iter::once(program.into()).chain(words);
    let parsed = command
        .try_get_matches_from(words)
        .and_then(|matches| ServeArgs::from_arg_matches(&matches));
    parsed.map_err(|error| match first {
        Some(word) if error.kind() == ErrorKind::UnknownArgument && cli::has(&word) => {
            Failure::usage(format!("{program} {word}: the server has no such command"))
                .hint(format!("`fault-proxy cli {word}` asks a server that runs"))
        }
        _ => error.into(),
    })
}

/// IPv4 first where a name has both, as in Go; an empty host is every address.
fn listen(args: &ServeArgs) -> Result<TcpListener, Failure> {
    let (host, port) = (args.host.as_str(), args.port);
    let place = format!("--host {host} --port {port}");
    let bound = if host.is_empty() {
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|_| TcpListener::bind(("0.0.0.0", port)))
    } else {
        addresses(host, port).and_then(|found| TcpListener::bind(found.as_slice()))
    };
    bound.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "is a Toxiproxy running there already? --port 0 takes a free port, and the log says which"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 are for root: take a higher one",
            _ => "write a host of this machine, such as localhost, 127.0.0.1 or 0.0.0.0",
        };
        Failure::new(format!("{place}: {error}")).hint(hint)
    })
}

fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.truncate(1);
    Ok(found)
}

/// A seed that was not given is drawn, from what the system gives a hasher; one that every reader of JSON holds exactly.
fn seed(given: u64) -> u64 {
    let mut seed = given;
    while seed == 0 {
        seed = RandomState::new().build_hasher().finish() >> 11;
    }
    seed
}

fn failure(error: ProcessError) -> Failure {
    let hint = error.hint();
    let failure = match &error {
        ProcessError::Proxies { .. } => Failure::new(format!("--config {error}")),
        _ => Failure::new(error.to_string()),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::seed;

    #[test]
    fn a_seed_that_was_given_stays_and_another_is_drawn() {
        assert_eq!(seed(7), 7);
        assert!((1..1 << 53).contains(&seed(0)));
        assert_ne!(seed(0), seed(0));
    }
}
