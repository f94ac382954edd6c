//! What can go wrong between the client and the API.

use reqwest::Method;
use std::time::Duration;

/// Why a call of the fault proxy's API did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the API is not an `http://host:port` address.
    ///
    /// It may hold a password, and is not repeated.
    #[error("the address of the fault proxy: {reason}; write it as http://host:port")]
    BadUrl { reason: String },
    /// The HTTP client could not be set up.
    #[error("the HTTP client for the fault proxy could not be set up")]
    Setup(#[source] reqwest::Error),
    /// Nothing answered within the time limit.
    #[error(
        "fault proxy: {method} {path} had no answer within {waited:?}; a real Toxiproxy hangs here \
         when a client of the proxy has stopped reading while its toxics are changed"
    )]
    Timeout {
        method: Method,
        path: String,
        waited: Duration,
    },
    /// The API could not be reached, or the connection broke during the call.
    #[error("fault proxy: {method} {path} could not be sent")]
    Unreachable {
        method: Method,
        path: String,
        #[source]
        source: reqwest::Error,
    },
    /// The API answered with an error.
    #[error("fault proxy: {method} {path} was refused with {status}: {message}")]
    Refused {
        method: Method,
        path: String,
        status: u16,
        message: String,
    },
    /// The API answered with something else than its documented JSON.
    #[error("fault proxy: the answer to {method} {path} cannot be read")]
    Unreadable {
        method: Method,
        path: String,
        #[source]
        source: serde_json::Error,
    },
    /// The API said yes, but reading back shows something else.
    #[error("fault proxy: {change} was acknowledged but reads back as {found}")]
    Unconfirmed { change: String, found: String },
}

impl ClientError {
    /// The HTTP status of a refusal, such as 404 for what does not exist.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::BadUrl { .. }
            | Self::Setup(_)
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::Unreadable { .. }
            | Self::Unconfirmed { .. } => None,
        }
    }
}
