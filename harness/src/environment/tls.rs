//! This module tries out whether a target speaks TLS, and whether it is who it says.
//!
//! **In:** the target's address, whom to believe. **Out:** what its clients need, or which of the two sides is
//! wrong: the scheme in the URL, or the certificate.

use std::io;

use tokio::net::TcpStream;

use super::error::EnvironmentError;
use super::host::Place;
use super::server::CONNECT_PATIENCE;
use crate::trust::{Tls, Trust, distrust};

/// # Errors
///
/// The target does not speak TLS, or with a certificate that is not believed.
pub(super) async fn check(place: &Place, tls: &Tls) -> Result<(), EnvironmentError> {
    let Err(error) = handshake(place, tls).await else {
        return Ok(());
    };
    let address = place.host_and_port();
    Err(match distrust(&error) {
        Some(reason) => EnvironmentError::Untrusted { address, reason },
        None => EnvironmentError::NotTls {
            address,
            reason: error.to_string(),
        },
    })
}

/// Whether a target that does not answer plain HTTP would answer TLS.
pub(super) async fn speaks_tls(place: &Place) -> bool {
    let tls = Trust::blind()
        .ok()
        .and_then(|trust| trust.tls(&place.host).ok());
    match tls {
        Some(tls) => handshake(place, &tls).await.is_ok(),
        None => false,
    }
}

async fn handshake(place: &Place, tls: &Tls) -> io::Result<()> {
    let trying = async {
        let stream = TcpStream::connect(place.address()).await?;
        tls.connector.connect(tls.name.clone(), stream).await
    };
    match tokio::time::timeout(CONNECT_PATIENCE, trying).await {
        Ok(tried) => tried.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
