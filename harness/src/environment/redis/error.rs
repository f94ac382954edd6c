//! This module names what keeps a Redis from being used, with a hint each.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

/// Why a Redis cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum RedisError {
    #[error("{}: {source}", path.display())]
    PrivateFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{place}: Redis at {address} does not accept the password: {answer}")]
    #[diagnostic(help(
        "write the URL as redis://:${{env:REDIS_PASSWORD}}@host:port and set that variable"
    ))]
    WrongPassword {
        place: &'static str,
        address: String,
        answer: String,
    },
    #[error("{place}: {address} does not answer as Redis does: {answer}")]
    #[diagnostic(help("is this the port of another service?"))]
    NotRedis {
        place: &'static str,
        address: String,
        answer: String,
    },
}
