//! Why the flags do not make a server or a worker.

use std::time::Duration;

use super::tls::TlsError;
use crate::auth::secret;
use crate::defect::DefectError;
use crate::store::NotADatabase;

/// Why the flags do not make a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A flag must be more than nothing.
    #[error("{flag}: must be more than 0")]
    Zero {
        /// The flag's name.
        flag: &'static str,
    },
    /// More than the server can tell apart, or hold.
    #[error("{flag}: must be at most {most}")]
    TooMany {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        most: u64,
    },
    /// Less than the server can work with.
    #[error("{flag}: must be at least {least}")]
    TooFew {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        least: u64,
    },
    /// A rate is not a positive number.
    #[error("{flag}: {value} is not a rate; write a number from 0.000001 to 1000000")]
    Rate {
        /// The flag's name.
        flag: &'static str,
        /// What was given.
        value: f64,
    },
    /// One value must not be under another.
    #[error("{flag}: must be at least {least:?} ({why})")]
    TooShort {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        least: Duration,
        /// Where the bound comes from.
        why: &'static str,
    },
    /// Nobody would answer.
    #[error(
        "--worker none: a worker of its own cannot reach `--channel-layer memory`; use `redis`"
    )]
    NoWorker,
    /// A secret that can be guessed.
    #[error("--jwt-secret: has {bytes} bytes; give at least 16, or leave it out for a random one")]
    WeakSecret {
        /// Bytes given.
        bytes: usize,
    },
    /// A Redis URL cannot be read. The URL itself is not printed: it may hold a password.
    #[error("{flag}: not a Redis URL ({problem}); write redis://:PASSWORD@HOST:PORT")]
    Url {
        /// The flag's name.
        flag: &'static str,
        /// What the parser says.
        problem: NotADatabase,
    },
    /// Certificate or key are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A defect is unknown or its rate is wrong.
    #[error("--defect: {0}")]
    Defect(#[from] DefectError),
    /// No randomness for the secrets.
    #[error(transparent)]
    Randomness(#[from] secret::NoRandomness),
}
