//! This module holds the flags of a shard that are those of a run too.

use std::path::PathBuf;

use clap::Args;

/// What a shard is told that is a run too.
#[derive(Args, Clone, Debug)]
pub(super) struct PlaceArgs {
    /// Folder for the result and its reports, of the part with index 0 [default: `result` in the shared folder]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Serve Prometheus metrics while running, from the part with index 0
    #[arg(long, value_name = "ADDR")]
    pub(super) prometheus: Option<std::net::SocketAddr>,
    /// The reference-server binary [default: the one beside this one]
    #[arg(long, value_name = "PATH", env = "HARNESS_SERVER")]
    pub(super) server: Option<PathBuf>,
    /// Allow traffic to this host, which is not this machine
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
    /// Allow faults against a host that is not this machine
    #[arg(long)]
    pub(super) allow_faults: bool,
    /// No progress on stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}
