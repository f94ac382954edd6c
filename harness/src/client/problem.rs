//! This module names why a connection, or TLS on it, did not come about.
//!
//! **In:** errors of the system and of TLS. **Out:** the typed problems of `failure`.

use std::error::Error;
use std::io;

use tokio_rustls::rustls;

use crate::failure::{DialProblem, TlsProblem, TunnelProblem};
use crate::route::TunnelError;
use crate::trust::tls_error;

/// Why there is no connection.
pub(crate) fn dial_problem(error: &io::Error) -> DialProblem {
    let number = error.raw_os_error().unwrap_or(0);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialProblem::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => DialProblem::Reset,
        io::ErrorKind::TimedOut => DialProblem::Timeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            DialProblem::Unreachable
        }
        // Ports, files or memory of this machine.
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => DialProblem::Local(number),
        _ if is_exhaustion(number) => DialProblem::Local(number),
        _ => DialProblem::System(number),
    }
}

fn is_exhaustion(number: i32) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
    [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(&number)
}

/// Why a proxy opened no way.
pub(crate) fn tunnel_problem(error: &TunnelError) -> TunnelProblem {
    match error {
        TunnelError::Status { status, .. } => TunnelProblem::Status(*status),
        TunnelError::NotHttp => TunnelProblem::NotHttp,
        TunnelError::TooLong => TunnelProblem::TooLong,
        TunnelError::Closed => TunnelProblem::Closed,
        TunnelError::Broken(_) => TunnelProblem::Reset,
        TunnelError::Silent => TunnelProblem::Timeout,
        TunnelError::Early => TunnelProblem::Early,
    }
}

/// Why there is no TLS.
pub(crate) fn tls_problem(error: &(dyn Error + 'static)) -> TlsProblem {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => TlsProblem::Alert(u8::from(*alert)),
        Some(rustls::Error::InvalidCertificate(_)) => TlsProblem::Certificate,
        Some(_) => TlsProblem::Handshake,
        None => TlsProblem::Ended,
    }
}
