//! Flags and environment, as typed, one file per group; `config` turns them into what the server
//! uses.
//!
//! Every default of the contract is here and nowhere else. A secret has an environment variable
//! because the command line of a process can be read by every user of the machine.

mod auth;
mod bound;
mod chat;
mod redis;
mod slow;
mod socket;
mod value;

pub(crate) use auth::AuthArgs;
pub(crate) use bound::BoundArgs;
pub(crate) use chat::{ChatArgs, WorkArgs};
pub(crate) use redis::{QueueArgs, RedisArgs, StoreArgs};
pub(crate) use slow::SlowArgs;
pub(crate) use socket::SocketArgs;
pub(crate) use value::{ChannelKind, Refuse, WorkerKind};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use value::duration;

/// Reference WebSocket chat server, with the failures of real ones as switches.
#[derive(Debug, Parser)]
#[command(name = "reference-server", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Print the defects this build can show, and what each does.
    #[arg(long)]
    pub(crate) list_defects: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve HTTP and WebSocket clients, with the task worker inside.
    Serve(Box<ServeArgs>),
    /// Work on the task queue as a process of its own, beside servers that run with `--worker
    /// none`.
    Worker(Box<WorkerArgs>),
    /// Send one message through the channel layer: prints `Channel layer OK`, or what failed and
    /// exits with 1.
    Health(HealthArgs),
}

/// Flags of `serve`.
#[derive(Debug, Args)]
#[command(next_line_help = false)]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "REFERENCE_SERVER_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: SocketAddr,
    /// Threads of the runtime; 0 means one per core.
    #[arg(long, env = "REFERENCE_SERVER_THREADS", default_value_t = 0)]
    pub(crate) threads: usize,
    /// What to log, in the form of `tracing`'s filters.
    #[arg(long, env = "REFERENCE_SERVER_LOG", default_value = "info")]
    pub(crate) log: String,
    /// Time the sockets have to end after SIGTERM.
    #[arg(long, env = "REFERENCE_SERVER_DRAIN", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// Certificate chain in PEM, the server's own first: speak TLS.
    #[arg(long, env = "REFERENCE_SERVER_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM.
    #[arg(
        long,
        env = "REFERENCE_SERVER_TLS_KEY",
        hide_env_values = true,
        requires = "tls_cert"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where tasks are worked on.
    #[arg(
        long,
        env = "REFERENCE_SERVER_WORKER",
        value_enum,
        default_value = "inside"
    )]
    pub(crate) worker: WorkerKind,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    #[command(flatten)]
    pub(crate) auth: AuthArgs,
    #[command(flatten)]
    pub(crate) chat: ChatArgs,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) bound: BoundArgs,
    #[command(flatten)]
    pub(crate) slow: SlowArgs,
    /// Turn a failure on: NAME, or NAME=RATE with a share of 0 to 1. Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_DEFECT", value_delimiter = ',')]
    pub(crate) defect: Vec<String>,
}

/// Flags of `worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Address of `/healthz`, `/readyz` and `/metrics`; port 0 takes a free one and prints it.
    #[arg(
        long,
        env = "REFERENCE_SERVER_LISTEN",
        default_value = "127.0.0.1:8081"
    )]
    pub(crate) listen: SocketAddr,
    /// What to log, in the form of `tracing`'s filters.
    #[arg(long, env = "REFERENCE_SERVER_LOG", default_value = "info")]
    pub(crate) log: String,
    /// Time to finish the answers in hand after SIGTERM; what is left goes to other workers.
    #[arg(long, env = "REFERENCE_SERVER_DRAIN", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    #[command(flatten)]
    pub(crate) slow: SlowArgs,
    /// Turn a failure of the worker on: NAME, or NAME=RATE with a share of 0 to 1. Repeatable.
    #[arg(long, env = "REFERENCE_SERVER_DEFECT", value_delimiter = ',')]
    pub(crate) defect: Vec<String>,
}

/// Flags of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
