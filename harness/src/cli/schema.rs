//! This module is `harness schema`: the JSON Schema of the scenario file.

use std::io::Write;

use super::failure::Failure;
use crate::exit::Exit;
use crate::scenario::schema;

pub(super) fn run(out: &mut impl Write) -> Result<Exit, Failure> {
    write!(out, "{}", schema::text())?;
    Ok(Exit::Pass)
}
