//! This module is `harness shard`, hidden: a run starts one for each part of a load that is driven in several processes.

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::exit::Exit;
use crate::shard::serve;

#[derive(Args, Debug)]
pub(super) struct ShardArgs {
    /// Where the run listens
    #[arg(long, value_name = "NAME")]
    run: String,
}

/// Drives a part of the load of the run that started it; what it has to say goes to its log.
pub(super) fn run(args: &ShardArgs) -> Result<Exit, Failure> {
    let filter = EnvFilter::new("info,goose=error,rustls_platform_verifier=off");
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false);
    if log.with_writer(std::io::stderr).try_init().is_err() {
        tracing::debug!("a log is kept already");
    }
    let served =
        serve(&args.run).map_err(|error| Failure::new(Exit::Environment, error.to_string()));
    served.map(|()| Exit::Pass)
}
