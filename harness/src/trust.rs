//! This module decides whose certificates are believed.
//!
//! **In:** nothing, certificates of an authority of one's own, or the wish to believe everybody. **Out:**
//! [`Trust`], with which sockets and HTTP requests speak TLS, all of them the same way.
//!
//! Without more, the certificates that this system trusts are believed.
//!
//! **Source:** RFC 8446, through rustls with aws-lc-rs; the system's store through the verifier that the
//! HTTP client uses too.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    #[error("it is no PEM: {0}")]
    NotPem(#[source] pem::Error),
    #[error("it holds no certificate")]
    Empty,
    #[error("{0}")]
    Setup(#[source] Error),
    #[error("no certificate can be for the host {host}")]
    Name {
        host: String,
        #[source]
        source: InvalidDnsNameError,
    },
}

/// How to speak TLS with one target; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    pub connector: TlsConnector,
    /// The name its certificate must be for.
    pub name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Connects, shakes hands and leaves.
    ///
    /// # Errors
    ///
    /// No connection, no TLS, or a certificate that is not believed ([`distrust`] tells).
    pub(crate) async fn handshake(
        &self,
        address: SocketAddr,
        patience: Duration,
    ) -> io::Result<()> {
        let trying = async {
            let stream = TcpStream::connect(address).await?;
            self.connector.connect(self.name.clone(), stream).await
        };
        match tokio::time::timeout(patience, trying).await {
            Ok(tried) => tried.map(drop),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Whether TLS is spoken there at all, whoever it is.
pub(crate) async fn speaks_tls(address: SocketAddr, host: &str, patience: Duration) -> bool {
    let tls = Trust::blind().ok().and_then(|trust| trust.tls(host).ok());
    match tls {
        Some(tls) => tls.handshake(address, patience).await.is_ok(),
        None => false,
    }
}

/// Whom to believe; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// Believes what the system believes, and the certificates in `authority` (PEM) too.
    pub(crate) fn system(authority: Option<&[u8]>) -> Result<Self, TrustError> {
        let mut own = Vec::new();
        if let Some(text) = authority {
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
            own = read.map_err(TrustError::NotPem)?;
            if own.is_empty() {
                return Err(TrustError::Empty);
            }
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(own, Arc::clone(&provider));
        let verifier = verifier.map_err(TrustError::Setup)?;
        Self::with(provider, Arc::new(verifier))
    }

    /// Believes everybody: for a certificate that cannot be checked.
    pub(crate) fn blind() -> Result<Self, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(Blind(Arc::clone(&provider)));
        Self::with(provider, verifier)
    }

    fn with(
        provider: Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<Self, TrustError> {
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// For sockets to `host`, a name or an address as it stands in a URL.
    pub(crate) fn tls(&self, host: &str) -> Result<Tls, TrustError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned());
        Ok(Tls {
            connector: TlsConnector::from(Arc::clone(&self.config)),
            name: name.map_err(|source| TrustError::Name {
                host: host.to_owned(),
                source,
            })?,
        })
    }

    /// For HTTP requests.
    pub(crate) fn http(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.tls_backend_preconfigured(ClientConfig::clone(&self.config))
    }
}

/// What a failed handshake says, where it is the certificate's fault: one clause.
pub(crate) fn distrust(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let Error::InvalidCertificate(problem) = error else {
        return None;
    };
    Some(match problem {
        CertificateError::UnknownIssuer => "its authority is not trusted here".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        other => other.to_string(),
    })
}

/// Takes every certificate; signatures of the handshake are checked all the same.
struct Blind(Arc<CryptoProvider>);

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blind")
    }
}

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_must_be_one() {
        let refused = |text: &[u8]| Trust::system(Some(text)).unwrap_err().to_string();
        assert_eq!(refused(b"hello"), "it holds no certificate");
        assert!(refused(b"-----BEGIN CERTIFICATE-----\nx\n").contains("no PEM"));
        Trust::blind().unwrap();
    }
}
