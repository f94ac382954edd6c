//! This module finds `redis-server`, without which nothing here runs.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::package::Program;

const REDIS: Program = Program {
    names: &["redis-server", "valkey-server"],
    variable: "REDIS_SERVER",
    packages: ["redis-server", "redis"],
};

/// The binary, installed first where it is missing.
pub(crate) fn ensure() -> Result<PathBuf, Failure> {
    REDIS.ensure()
}
