//! This module names what of a plan cannot be done in this environment, with a hint each.

use miette::Diagnostic;

/// What of the plan cannot be done here.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum PreflightError {
    #[error("fault {fault}: {place} {host} is not this machine, and faults there are not allowed")]
    #[diagnostic(help("add --allow-faults if you may break that system"))]
    FaultsNotAllowed {
        fault: String,
        place: &'static str,
        host: String,
    },
    #[error("fault {fault} (line {line}): {reason}")]
    FaultImpossible {
        fault: String,
        line: u32,
        reason: &'static str,
    },
    #[error("environment.server.instances: {instances}, but the edge link leads to one server")]
    #[diagnostic(help(
        "write `instances = 1` (more clients than its open files carry ask for more), or no edge"
    ))]
    EdgeOfSeveral { instances: u16 },
    #[error("no server was to be started")]
    #[diagnostic(help("write `instances = 1`, or no edge"))]
    NoServer,
    #[error("environment.redis: the reference server needs a Redis, and the plan has none")]
    #[diagnostic(help("leave `redis` at \"private\", or give a redis:// URL"))]
    ServerWithoutRedis,
}
