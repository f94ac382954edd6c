//! This module names the alerts by which the other end of a TLS connection says why it ends.
//!
//! **In:** an alert's number. **Out:** its name and a hint.
//!
//! **Source:** RFC 8446, section 6, with the names of the IANA registry.

use std::fmt;

use tokio_rustls::rustls::AlertDescription;

pub(super) const NO_CERTIFICATE_OF_OURS: &str = "show one: --client-cert FILE --client-key FILE";

/// An alert of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert(u8);

impl Alert {
    pub(super) fn of(alert: AlertDescription) -> Self {
        Self(alert.into())
    }

    pub(super) const fn wants_certificate(self) -> bool {
        matches!(self.0, 41 | 116)
    }

    /// It is what servers say to a certificate of the client that they do not take.
    pub(super) const fn is_about_certificate(self) -> bool {
        matches!(self.0, 42..=46 | 48 | 49 | 51)
    }

    pub(super) const fn hint(self) -> &'static str {
        match self.0 {
            41 | 116 => NO_CERTIFICATE_OF_OURS,
            112 => "the server knows no host of that name: name it as its certificate does",
            40 | 47 | 70 | 71 => {
                "TLS 1.2 and 1.3 are offered: see which the server takes, and whether it wants a certificate of the client (--client-cert)"
            }
            _ => "look at the server's log: the alert is its word",
        }
    }

    /// As the registry names it.
    const fn name(self) -> &'static str {
        match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => "of no known name",
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}
