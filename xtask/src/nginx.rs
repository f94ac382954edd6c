//! This module finds nginx, which the tests of `deploy/` run.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::package::Program;

const NGINX: Program = Program {
    names: &["nginx"],
    variable: "NGINX",
    packages: ["nginx", "nginx"],
};

/// The binary, installed first where it is missing; `None`, said loudly, where that cannot be.
pub(crate) fn ensure() -> Result<Option<PathBuf>, Failure> {
    match NGINX.ensure() {
        Ok(found) => Ok(Some(found)),
        Err(missing @ Failure::Missing { .. }) => {
            let hint = missing.hint().unwrap_or_default();
            println!("!!! SKIPPED: the tests behind nginx: {missing}; {hint}");
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
