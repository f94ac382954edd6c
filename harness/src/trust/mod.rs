//! This module decides whose certificates are believed.
//!
//! **In:** nothing, certificates of one's own, or the wish to believe everybody. **Out:** [`Trust`], with which
//! sockets and HTTP requests speak TLS, all of them the same way; and why TLS did not come about ([`TlsFailure`]).
//!
//! Without more, the certificates that this system trusts are believed.
//!
//! **Source:** RFC 8446, through rustls with aws-lc-rs; the system's store through the verifier that the
//! HTTP client uses too.

mod alert;
mod error;
mod failure;
mod identity;
mod verify;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_platform_verifier::Verifier;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(crate) use error::TrustError;
pub(crate) use failure::{TlsFailure, causes, innermost, tls_error};
pub(crate) use identity::{Identity, certificates};
use verify::{Asked, Blind, Named};

use crate::route::{self, Tunnel};

/// How long a server that asked for a certificate may take to say that it will not do without.
const OBJECTION_PATIENCE: Duration = Duration::from_secs(1);

/// How to speak TLS with one target; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    pub connector: TlsConnector,
    /// The name its certificate must be for.
    pub name: ServerName<'static>,
    asked: Arc<Asked>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Connects, shakes hands and leaves. Where the server asks for a certificate of the client, waits for
    /// what it says to having got none: in TLS 1.3 that comes after the handshake.
    ///
    /// # Errors
    ///
    /// No connection, no TLS, a certificate that is not believed, or an objection of the server.
    pub(crate) async fn handshake(
        &self,
        (address, tunnel): (SocketAddr, Option<&Tunnel>),
        patience: Duration,
    ) -> Result<(), TlsFailure> {
        let trying = async {
            let stream = route::connect(address, tunnel).await?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let shaken = match timeout(patience, trying).await {
            Ok(shaken) => shaken,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        match shaken {
            Ok(stream) if self.asked.is_set() => object(stream, &self.asked).await,
            Ok(_) => Ok(()),
            Err(error) => Err(self.asked.told(TlsFailure::of_io(&error))),
        }
    }
}

/// What the server says to a client without a certificate, or with one that it does not take; nothing, where it was a mere question.
async fn object(mut stream: TlsStream<TcpStream>, asked: &Asked) -> Result<(), TlsFailure> {
    let mut byte = [0];
    match timeout(OBJECTION_PATIENCE, stream.read(&mut byte)).await {
        Ok(Ok(1..)) | Err(_) => Ok(()),
        Ok(Ok(0)) => Err(asked.unanswered()),
        Ok(Err(error)) => match TlsFailure::of_io(&error) {
            TlsFailure::Ended | TlsFailure::Reset => Err(asked.unanswered()),
            other => Err(asked.told(other)),
        },
    }
}

/// Whether TLS is spoken there at all, whoever it is.
pub(crate) async fn speaks_tls(
    to: (SocketAddr, Option<&Tunnel>),
    host: &str,
    patience: Duration,
) -> bool {
    let tls = Trust::blind(None)
        .ok()
        .and_then(|trust| trust.tls(host).ok());
    let Some(tls) = tls else {
        return false;
    };
    match tls.handshake(to, patience).await {
        Ok(()) => true,
        Err(failure) => failure.is_of_tls(),
    }
}

/// Whom to believe; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    config: Arc<ClientConfig>,
    asked: Arc<Asked>,
}

impl Trust {
    /// Believes what the system believes, and the certificates in `authority` (PEM) too: as those of
    /// authorities, and as a server's own. `identity` is what a server is shown that asks who this is.
    pub(crate) fn system(
        authority: Option<&[u8]>,
        identity: Option<Identity>,
    ) -> Result<Self, TrustError> {
        let own = authority.map(certificates).transpose()?.unwrap_or_default();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(own.clone(), Arc::clone(&provider));
        let verifier = verifier.map_err(match authority {
            Some(_) => TrustError::Unusable,
            None => TrustError::NoAuthorities,
        })?;
        Self::with(provider, Arc::new(Named::new(verifier, own)), identity)
    }

    /// Believes everybody: for a certificate that cannot be checked.
    pub(crate) fn blind(identity: Option<Identity>) -> Result<Self, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(Blind::new(Arc::clone(&provider)));
        Self::with(provider, verifier, identity)
    }

    fn with(
        provider: Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
        identity: Option<Identity>,
    ) -> Result<Self, TrustError> {
        let asked = Arc::new(Asked::new(identity));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::clone(&asked) as _);
        Ok(Self {
            config: Arc::new(config),
            asked,
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
            asked: Arc::clone(&self.asked),
        })
    }
}

/// Has HTTP requests believe the same; with `None`, for plain requests, nobody. Either way no store of the
/// system is read for it: a machine without one can speak plain HTTP.
pub(crate) fn with_trust(
    builder: reqwest::ClientBuilder,
    trust: Option<&Trust>,
) -> reqwest::ClientBuilder {
    if let Some(trust) = trust {
        return builder.tls_backend_preconfigured(ClientConfig::clone(&trust.config));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    match config {
        Ok(config) => builder.tls_backend_preconfigured(
            config
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth(),
        ),
        Err(_) => builder,
    }
}

#[cfg(test)]
mod tests;
