//! This module is `harness recover`: cleans up after runs that were killed together with their
//! janitor.

use std::io::Write;

use clap::Args;

use super::failure::Failure;
use crate::environment::recover;
use crate::exit::Exit;
use crate::scenario::address;

#[derive(Args, Debug)]
pub(super) struct RecoverArgs {
    /// Look for the runs' proxies here, instead of where they were created
    #[arg(long, value_name = "URL")]
    toxiproxy: Option<String>,
}

pub(super) fn run(args: &RecoverArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    if let Some(url) = &args.toxiproxy {
        let checked = address::base_url(url, &["http"]);
        checked.map_err(|complaint| Failure::of("--toxiproxy", complaint))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, format!("no runtime: {error}")))?;
    let swept = runtime
        .block_on(recover(args.toxiproxy.as_deref()))
        .map_err(|error| Failure::diagnosed(Exit::Environment, &error))?;
    for line in &swept.done {
        writeln!(out, "{line}")?;
    }
    if swept.done.is_empty() && swept.problems.is_empty() {
        writeln!(out, "nothing was left behind")?;
    }
    if swept.problems.is_empty() {
        return Ok(Exit::Pass);
    }
    let fact = swept.problems.join("\nerror: ");
    Err(Failure::new(Exit::Environment, fact)
        .hint("the leases of these runs are kept: run `harness recover` again"))
}
