//! This module decides for a plan whose certificates its target may show, and reads the one of the clients.

use std::path::{Path, PathBuf};

use super::TargetError;
use crate::intake::{self, IntakeError};
use crate::plan::TlsPlan;
use crate::trust::{Identity, Trust, certificates};

const NO_TEXT: &str = "it is no PEM, which is text: `openssl x509 -inform der` makes one of DER";
/// A file with every authority of a system is smaller.
const AUTHORITY_BYTES_MAX: u64 = 4 << 20;

/// Whom the plan believes, and what it shows of itself.
pub(crate) fn trust(plan: &TlsPlan) -> Result<Trust, TargetError> {
    let identity = identity(plan)?;
    if plan.insecure {
        return Trust::blind(identity).map_err(TargetError::NoTls);
    }
    let Some(path) = &plan.ca else {
        return Trust::system(None, identity).map_err(TargetError::NoTls);
    };
    let path = PathBuf::from(path);
    let text = text(&path);
    let trust = text.and_then(|text| {
        let trust = Trust::system(Some(text.as_bytes()), identity);
        trust.map_err(|error| error.to_string())
    });
    trust.map_err(|reason| TargetError::Authority { path, reason })
}

/// The certificate and the key of the client; `None`: it shows none.
fn identity(plan: &TlsPlan) -> Result<Option<Identity>, TargetError> {
    let (Some(certificate), Some(private)) = (&plan.cert, &plan.key) else {
        return Ok(None);
    };
    let problem = |key: &'static str, path: &str, reason: String| TargetError::Identity {
        key,
        path: PathBuf::from(path),
        reason,
    };
    let chain = text(Path::new(certificate)).and_then(|text| {
        let read = certificates(text.as_bytes());
        read.map_err(|error| error.to_string())
    });
    let chain = chain.map_err(|reason| problem("cert", certificate, reason))?;
    let identity = text(Path::new(private)).and_then(|text| {
        let read = Identity::of(chain, text.as_bytes());
        read.map_err(|error| error.to_string())
    });
    identity
        .map(Some)
        .map_err(|reason| problem("key", private, reason))
}

/// A file that is PEM; `Err`: why not.
fn text(path: &Path) -> Result<String, String> {
    intake::text(path, AUTHORITY_BYTES_MAX).map_err(|error| match error {
        IntakeError::NotUtf8 { .. } => NO_TEXT.to_owned(),
        other => other.to_string(),
    })
}
