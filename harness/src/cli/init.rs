//! This module is `harness init`: copies of what ships, to be edited.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::overrides::quoted;
use crate::exit::Exit;
use crate::intake::reason;
use crate::scenario::protocol;
use crate::scenario::shipped::{self, SHIPPED};

#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Which scenario or protocol of those that ship: `harness list` in an empty folder shows the scenarios
    #[arg(default_value = "smoke", value_name = "NAME")]
    name: String,
    /// The file that is written [default: NAME.toml in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &InitArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let name = &*args.name;
    let text = shipped::text(name).or_else(|| protocol::text(name));
    let Some(text) = text else {
        let scenarios: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let protocols: Vec<&str> = protocol::names().collect();
        let fact = format!("{name}: nothing ships under that name");
        return Err(Failure::new(Exit::Usage, fact).hint(format!(
            "scenarios: {}; protocols: {}",
            scenarios.join(", "),
            protocols.join(", ")
        )));
    };
    let usual = PathBuf::from(format!("{name}.toml"));
    let path = args.out.as_ref().unwrap_or(&usual);
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        let shown = path.display();
        return Err(if error.kind() == ErrorKind::AlreadyExists {
            Failure::new(Exit::Usage, format!("{shown}: is there already"))
                .hint("name another file: --out FILE")
        } else {
            Failure::new(
                Exit::Storage,
                format!("{shown}: cannot be written: {}", reason(&error)),
            )
        });
    }
    writeln!(out, "{}", path.display())?;
    if shipped::text(name).is_some() {
        writeln!(out, "next: harness run {}", quoted(path))?;
    } else {
        writeln!(
            out,
            "next: [target] protocol = \"./{}\" in a scenario beside it",
            path.display()
        )?;
    }
    Ok(Exit::Pass)
}
