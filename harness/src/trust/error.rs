//! This module says why nobody can be believed, or nothing shown.

use miette::Diagnostic;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::pki_types::InvalidDnsNameError;
use tokio_rustls::rustls::pki_types::pem;

use super::failure;

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum TrustError {
    #[error("it is no PEM: {0}")]
    NotPem(#[source] pem::Error),
    #[error("it holds no certificate")]
    Empty,
    #[error(
        "it holds no private key that can be read: one in PEM, without a passphrase, is wanted"
    )]
    NoKey,
    #[error("it is not the key of the certificate: {}", failure::words(.0))]
    NotOfKey(#[source] Error),
    #[error("a certificate in it cannot be used: {}", failure::words(.0))]
    Unusable(#[source] Error),
    #[error("this system has no certificates of authorities: {}", failure::words(.0))]
    #[diagnostic(help("install ca-certificates, or name the authority with --ca FILE"))]
    NoAuthorities(#[source] Error),
    #[error("{}", failure::words(.0))]
    Setup(#[source] Error),
    #[error("no certificate can be for the host {host}")]
    Name {
        host: String,
        #[source]
        source: InvalidDnsNameError,
    },
}
