//! This module checks the certificate that a server shows.
//!
//! **In:** the certificate and the host's name. **Out:** belief, or why not.
//!
//! [`Named`] believes what the system's verifier believes. Beyond that it believes a server that shows exactly a
//! certificate that was named: who names it knows it, whether or not it says that it is an authority's (as the
//! one that `openssl req -x509` makes for itself does). Its name, its time and the signature of the handshake are
//! checked all the same.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ResolvesClientCert, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
};

use super::failure::{Question, TlsFailure};
use super::identity::Identity;

/// The system's verifier, and certificates that were named.
#[derive(Debug)]
pub(super) struct Named {
    system: Verifier,
    named: Vec<CertificateDer<'static>>,
}

impl Named {
    pub(super) const fn new(system: Verifier, named: Vec<CertificateDer<'static>>) -> Self {
        Self { system, named }
    }

    /// The verifier has looked at a certificate's own time before it looks who signed it, and what it is for.
    fn knows(&self, shown: &CertificateDer<'_>, error: &Error) -> bool {
        let Error::InvalidCertificate(problem) = error else {
            return false;
        };
        let only_the_signer = match problem {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => true,
            CertificateError::Other(OtherError(other)) => {
                let other = other.downcast_ref::<webpki::Error>();
                other == Some(&webpki::Error::CaUsedAsEndEntity)
            }
            _ => false,
        };
        only_the_signer && self.named.iter().any(|named| named == shown)
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.system.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if self.knows(end_entity, &error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}

/// Takes every certificate; signatures of the handshake are checked all the same.
pub(super) struct Blind(Arc<CryptoProvider>);

impl Blind {
    pub(super) const fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }
}

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
        verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Shows the client's certificate, if it has one, and remembers that one was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    identity: Option<Identity>,
    is_asked: AtomicBool,
}

impl Asked {
    pub(super) fn new(identity: Option<Identity>) -> Self {
        Self {
            identity,
            is_asked: AtomicBool::new(false),
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// What a connection fails by, where the server had asked who this is.
    pub(super) fn told(&self, failure: TlsFailure) -> TlsFailure {
        match (self.is_set(), &self.identity) {
            (false, _) => failure.asked(Question::None),
            (true, None) => failure.asked(Question::Unanswered),
            (true, Some(_)) => failure.asked(Question::Answered),
        }
    }

    /// The server ended without a word after it had asked.
    pub(super) fn unanswered(&self) -> TlsFailure {
        match self.identity {
            Some(_) => TlsFailure::Unaccepted,
            None => TlsFailure::Unidentified,
        }
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.is_asked.store(true, Ordering::Relaxed);
        let identity = self.identity.as_ref();
        identity.map(|identity| Arc::clone(&identity.0))
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
