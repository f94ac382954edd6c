//! This module reads what the harness shows of itself: a certificate of the client, and its key.
//!
//! **In:** two PEM texts. **Out:** an [`Identity`]; the same pair for all clients.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::error::TrustError;

/// A certificate of the client, with those that lead to its authority, and its key.
#[derive(Clone)]
pub(crate) struct Identity(pub(super) Arc<CertifiedKey>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Certificates, that of the client first.
///
/// # Errors
///
/// If the text is no PEM, or holds none.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = read.map_err(TrustError::NotPem)?;
    if certificates.is_empty() {
        return Err(TrustError::Empty);
    }
    Ok(certificates)
}

impl Identity {
    /// Of a certificate and the text with its key.
    ///
    /// # Errors
    ///
    /// If there is no key that can be read, or it is of another certificate.
    pub(crate) fn of(
        certificates: Vec<CertificateDer<'static>>,
        key: &[u8],
    ) -> Result<Self, TrustError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_unreadable| TrustError::NoKey)?;
        let provider = aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(certificates, key, &provider);
        certified
            .map(|certified| Self(Arc::new(certified)))
            .map_err(TrustError::NotOfKey)
    }
}
