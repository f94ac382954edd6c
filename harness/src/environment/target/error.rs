//! This module names what keeps a target from being loaded, with a hint each.

use miette::Diagnostic;

use super::refused::CredentialRefused;
use crate::account::Ask;
use crate::trust::{TlsFailure, TrustError};

/// Why a target cannot be loaded.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum TargetError {
    #[error("environment.target: {}", no_tls(address, failure))]
    #[diagnostic(help("{}", failure.hint()))]
    NotShaken {
        address: String,
        failure: TlsFailure,
    },
    #[error("environment.target: {address} speaks TLS, and was asked in plain text")]
    #[diagnostic(help("write wss:// or https://"))]
    SpeaksTls { address: String },
    #[error("environment.tls.ca {}: {reason}", path.display())]
    #[diagnostic(help(
        "give a PEM file that holds the authority's certificate, or the server's own"
    ))]
    Authority {
        path: std::path::PathBuf,
        reason: String,
    },
    #[error("environment.tls.{key}: {}: {reason}", .path.display())]
    Identity {
        /// `cert` or `key`.
        key: &'static str,
        path: std::path::PathBuf,
        reason: String,
    },
    #[error("TLS cannot be set up: {0}")]
    #[diagnostic(transparent)]
    NoTls(#[source] TrustError),
    #[error("environment.target: {0}")]
    #[diagnostic(transparent)]
    CredentialRefused(Box<CredentialRefused>),
    #[error("environment.target: no {} at {url}: {fact}", ask.word())]
    #[diagnostic(help(
        "is this the port of a chat server, and does it speak the contract or a [target] of yours?"
    ))]
    NoCredential { url: String, ask: Ask, fact: String },
    #[error("{place}: the value of {header} cannot be sent: it holds {what}")]
    #[diagnostic(help(
        "headers are of printable ASCII; is there a line break at the end of the variable?"
    ))]
    Header {
        place: &'static str,
        header: String,
        what: &'static str,
    },
    #[error("{place}: {fact}")]
    #[diagnostic(help("see `users` and `payloads` in scenarios/README.md"))]
    UserFile { place: String, fact: String },
    #[error("the HTTP client could not be set up: {0}")]
    Http(#[source] reqwest::Error),
}

fn no_tls(address: &str, failure: &TlsFailure) -> String {
    match failure {
        TlsFailure::Certificate(why) => {
            format!("the certificate of {address} is not believed: {why}")
        }
        TlsFailure::NotTls => format!("{address} does not speak TLS: {failure}"),
        other => format!("no TLS with {address}: {other}"),
    }
}
