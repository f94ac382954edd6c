//! This module is `harness completions` and `harness man`: what a shell and a reader want to know of the command line, made of
//! the same description as its help.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;
use crate::exit::Exit;
use crate::intake::reason;

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Folder for one page a subcommand, made where it is missing; without it the first page goes to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(
    args: &CompletionsArgs,
    mut command: Command,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let name = command.get_name().to_owned();
    // The crate writes to memory without an error, and panics at a pipe that is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out.write_all(&script)?;
    Ok(Exit::Pass)
}

pub(super) fn man(args: &ManArgs, command: Command, out: &mut impl Write) -> Result<Exit, Failure> {
    let Some(folder) = &args.out else {
        clap_mangen::Man::new(command).render(out)?;
        return Ok(Exit::Pass);
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    match written {
        Ok(()) => Ok(Exit::Pass),
        Err(error) => Err(Failure::new(
            Exit::Storage,
            format!(
                "{}: cannot be written: {}",
                folder.display(),
                reason(&error)
            ),
        )),
    }
}
