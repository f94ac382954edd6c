//! The certificate and key of the server, read once at start.
//!
//! **In:** two PEM files. **Out:** what a TLS handshake needs. **Source:** RFC 8446, through rustls
//! with aws-lc-rs.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls;

/// A certificate chain has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the files are of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("{flag}: {}: {problem}; give a file in PEM", path.display())]
    File {
        /// The flag's name.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: PemError,
    },
    /// A file in PEM without a certificate.
    #[error("--tls-cert: {}: holds no certificate; its first must be the server's own", .0.display())]
    NoCertificate(PathBuf),
    /// A file in PEM without a private key.
    #[error("--tls-key: {}: holds no private key", .0.display())]
    NoKey(PathBuf),
    /// The two do not belong together.
    #[error("--tls-key: {}: is not the key of the first certificate in --tls-cert", .0.display())]
    Mismatch(PathBuf),
    /// The certificate or the key is of no form that is known.
    #[error("--tls-cert, --tls-key: {0}")]
    Unusable(#[source] rustls::Error),
}

/// A regular file, and no more of it than it may hold: a pipe is not waited for, a device not read
/// for ever.
fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    let wrong = |fact: &str| PemError::Io(io::Error::new(io::ErrorKind::InvalidInput, fact));
    let is_regular = |found: Metadata| {
        let regular = found.is_file().then_some(());
        regular.ok_or_else(|| wrong("it is no regular file"))
    };
    // Before and after: to open a device may be to start something, and another file may lie there
    // by then.
    is_regular(std::fs::metadata(path).map_err(PemError::Io)?)?;
    let mut options = File::options();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path).map_err(PemError::Io)?;
    is_regular(file.metadata().map_err(PemError::Io)?)?;
    let mut pem = Vec::new();
    let mut most = file.take(FILE_BYTES_MAX + 1);
    most.read_to_end(&mut pem).map_err(PemError::Io)?;
    if pem.len() as u64 > FILE_BYTES_MAX {
        return Err(wrong("it is longer than any chain of certificates"));
    }
    Ok(pem)
}

/// Reads the certificate chain and its key.
pub(crate) fn load(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let file = |flag, path: &Path| {
        let path = path.to_owned();
        move |problem| TlsError::File {
            flag,
            path,
            problem,
        }
    };
    let pem = read(cert).map_err(file("--tls-cert", cert))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(file("--tls-cert", cert))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.to_owned()));
    }
    let pem = read(key).map_err(file("--tls-key", key))?;
    let private = match PrivateKeyDer::from_pem_slice(&pem) {
        Err(PemError::NoItemsFound) => return Err(TlsError::NoKey(key.to_owned())),
        read => read.map_err(file("--tls-key", key))?,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(chain, private)
        });
    let mut config = config.map_err(|problem| match problem {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch(key.to_owned()),
        problem => TlsError::Unusable(problem),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
