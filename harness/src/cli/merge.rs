//! This module is `harness merge`: the result of a run, made again of what its parts left in the folder they shared.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::{claim, run};
use crate::exit::Exit;
use crate::result::store::Identity;
use crate::run::{MergeError, merge};

/// Every part leaves its last word in the folder, the run what it alone knows: with all of it the result and the reports are
/// those of the run, bit for bit. Where a part left nothing the result is invalid and names it; where the run did, nothing is
/// known of faults, trials, the server and the machine, and the result is invalid too
#[derive(Args, Debug)]
pub(super) struct MergeArgs {
    /// The folder that the parts shared: --shared of `harness shard`
    dir: PathBuf,
    /// Folder for the result and its reports, new or empty [default: `merged` in the shared folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the run that --out already holds
    #[arg(long)]
    overwrite: bool,
}

/// Adds up, judges, and writes what a run would have written. Exits as the run would have.
pub(super) fn run(args: &MergeArgs, out: &mut (impl Write + Send)) -> Result<Exit, Failure> {
    let folder = args.out.clone();
    let folder = folder.unwrap_or_else(|| args.dir.join("merged"));
    let claim = claim::look(&folder, args.overwrite)?;
    let merged = merge(&args.dir)?;
    let identity = &merged.result.run;
    let mut taken = claim.take(Identity {
        id: identity.id.clone(),
        started_at: identity.started_at.clone(),
    })?;
    taken.begin();
    run::keep(&merged, taken, (&folder, out))
}

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        let exit = match error {
            MergeError::Archive(_) => Exit::Storage,
            _ => Exit::Usage,
        };
        Self::new(exit, error.to_string()).hint(error.hint())
    }
}
