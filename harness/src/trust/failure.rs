//! This module says in words why TLS did not come about, or ended.
//!
//! **In:** the errors of sockets and of HTTP requests. **Out:** [`TlsFailure`], one clause each, with a hint.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{CertificateError, Error, OtherError};

use super::alert::{Alert, NO_CERTIFICATE_OF_OURS};
use crate::format::append;

/// Most names of a certificate that are told.
const NAMES_MAX: usize = 6;
/// Most errors within errors that are looked at.
const DEPTH_MAX: usize = 16;

/// Why TLS did not come about, or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsFailure {
    /// The server's certificate is not believed.
    #[error("{0}")]
    Certificate(Distrust),
    /// The server says why it ends; `asked`: for a certificate of the client, before.
    #[error("the server sent the TLS alert {alert}{}", demand(*alert, *asked))]
    Alert { alert: Alert, asked: Question },
    #[error("it asked for a certificate of the client, got none, and closed the connection")]
    Unidentified,
    #[error("it asked for a certificate of the client, was shown one, and closed the connection")]
    Unaccepted,
    #[error("what it answers is no TLS")]
    NotTls,
    #[error("it has no TLS in common with this client: {0}")]
    Incompatible(String),
    #[error("it breaks the rules of TLS: {0}")]
    Misbehaved(String),
    #[error("the connection ended in the TLS handshake")]
    Ended,
    #[error("the connection was reset in the TLS handshake")]
    Reset,
    #[error("the TLS handshake was not answered in time")]
    Silent,
    #[error("{0}")]
    Other(String),
}

fn demand(alert: Alert, asked: Question) -> &'static str {
    match asked {
        Question::Answered if alert.is_about_certificate() => {
            ": it does not take the certificate of the client"
        }
        Question::Unanswered => DEMAND,
        Question::None if alert.wants_certificate() => DEMAND,
        Question::Answered | Question::None => "",
    }
}

const DEMAND: &str = ": it wants a certificate of the client";
const OTHER_CERTIFICATE: &str = "name one that an authority signed which the server knows: --client-cert FILE --client-key FILE";

/// Whether a server asked for a certificate of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Question {
    #[default]
    None,
    /// There was none to show.
    Unanswered,
    Answered,
}

/// An error and what it is caused by, outermost first.
pub(crate) fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let here = next?;
        // The source of such an error is the source of what it holds.
        let held = here
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => here.source(),
        };
        Some(here)
    })
    .take(DEPTH_MAX)
}

/// The error of TLS in an error, however deep.
pub(crate) fn tls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<Error>())
}

impl TlsFailure {
    /// The failure of TLS in an error, however deep; `None`: it is of another kind.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        tls_error(error).map(Self::of_tls)
    }

    /// What a broken handshake says.
    pub(super) fn of_io(error: &io::Error) -> Self {
        if let Some(failure) = Self::of(error) {
            return failure;
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Ended,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Other(error.to_string()),
        }
    }

    fn of_tls(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(problem) => Self::Certificate(Distrust::of(problem)),
            Error::NoCertificatesPresented => {
                Self::Misbehaved("it shows no certificate".to_owned())
            }
            Error::AlertReceived(alert) => Self::Alert {
                alert: Alert::of(*alert),
                asked: Question::None,
            },
            Error::InvalidMessage(_) => Self::NotTls,
            Error::PeerIncompatible(why) => Self::Incompatible(spelt(&format!("{why:?}"))),
            Error::PeerMisbehaved(why) => Self::Misbehaved(spelt(&format!("{why:?}"))),
            Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
                Self::Misbehaved("a message out of order".to_owned())
            }
            Error::DecryptError => Self::Misbehaved("a record cannot be decrypted".to_owned()),
            Error::PeerSentOversizedRecord => Self::Misbehaved("a record is too long".to_owned()),
            other => Self::Other(other.to_string()),
        }
    }

    /// Of a handshake in which a certificate of the client was asked for.
    pub(super) fn asked(self, asked: Question) -> Self {
        match self {
            Self::Alert { alert, .. } => Self::Alert { alert, asked },
            other => other,
        }
    }

    /// The other end speaks TLS.
    pub(super) const fn is_of_tls(&self) -> bool {
        match self {
            Self::Certificate(_)
            | Self::Alert { .. }
            | Self::Unidentified
            | Self::Unaccepted
            | Self::Incompatible(_)
            | Self::Misbehaved(_) => true,
            Self::NotTls | Self::Ended | Self::Reset | Self::Silent | Self::Other(_) => false,
        }
    }

    /// What can be done about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Certificate(distrust) => distrust.hint(),
            Self::Alert {
                asked: Question::Unanswered,
                ..
            }
            | Self::Unidentified => NO_CERTIFICATE_OF_OURS,
            Self::Alert {
                alert,
                asked: Question::Answered,
            } if alert.is_about_certificate() => OTHER_CERTIFICATE,
            Self::Unaccepted => OTHER_CERTIFICATE,
            Self::Alert { alert, .. } => alert.hint(),
            Self::NotTls | Self::Ended | Self::Reset => {
                "write ws:// or http://, or the port that speaks TLS"
            }
            Self::Incompatible(_) => {
                "TLS 1.2 and 1.3 are offered: let the server speak one of them"
            }
            Self::Misbehaved(_) => "look at the server's log, and at what stands before it",
            Self::Silent => "look whether the server is stopped, or a firewall in between",
            Self::Other(_) => "look at the server's log",
        }
    }
}

/// Why a certificate is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("its authority is not trusted here")]
    Authority,
    #[error("it is an authority's own (CA:TRUE), and no server may show it")]
    OfAuthority,
    #[error("it expired at {0}")]
    Expired(String),
    #[error("it is valid from {0} on, which this machine's clock has not reached")]
    Early(String),
    #[error("it is for {theirs}, and not for {ours}")]
    OtherName { ours: String, theirs: String },
    #[error(
        "it has no subjectAltName, so it is not for {ours}: the common name (CN) counts no more"
    )]
    NoName { ours: String },
    #[error("it was revoked")]
    Revoked,
    #[error("its signature is not that of the authority it names: another one of the same name?")]
    Signature,
    #[error("it is not for servers: its extended key usage leaves out serverAuth")]
    Purpose,
    #[error("it is signed in a way that is not believed any more, or by too short a key")]
    Weak,
    #[error("it is of X.509 version 1, which cannot hold names")]
    Version1,
    #[error("{0}")]
    Other(String),
}

impl Distrust {
    fn of(problem: &CertificateError) -> Self {
        #[expect(
            deprecated,
            reason = "the library still gives them in places; they say less"
        )]
        match problem {
            CertificateError::UnknownIssuer => Self::Authority,
            CertificateError::Expired => Self::Expired("a time in the past".to_owned()),
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(date(*not_after)),
            CertificateError::NotValidYet => Self::Early("a later time".to_owned()),
            CertificateError::NotValidYetContext { not_before, .. } => {
                Self::Early(date(*not_before))
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::name(expected.to_str().into_owned(), presented),
            CertificateError::NotValidForName => Self::Other("it is for another name".to_owned()),
            CertificateError::Revoked => Self::Revoked,
            CertificateError::BadSignature => Self::Signature,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::UnsupportedSignatureAlgorithm
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Weak
            }
            CertificateError::BadEncoding => Self::Other("it cannot be read".to_owned()),
            CertificateError::UnhandledCriticalExtension => {
                Self::Other("it has a critical extension that is not understood here".to_owned())
            }
            CertificateError::Other(OtherError(other)) => {
                match other.downcast_ref::<webpki::Error>() {
                    Some(rule) => Self::rule(rule),
                    // What the system's verifier says where the purpose is another.
                    None => Self::Other(other.to_string()),
                }
            }
            other => Self::Other(other.to_string()),
        }
    }

    fn rule(rule: &webpki::Error) -> Self {
        match rule {
            webpki::Error::CaUsedAsEndEntity => Self::OfAuthority,
            webpki::Error::UnsupportedCertVersion => Self::Version1,
            other => Self::Other(format!(
                "it breaks a rule for certificates: {}",
                spelt(&format!("{other:?}"))
            )),
        }
    }

    fn name(ours: String, theirs: &[String]) -> Self {
        if theirs.is_empty() {
            return Self::NoName { ours };
        }
        let mut named: Vec<&str> = theirs.iter().map(|name| bare(name)).collect();
        let more = named.len().saturating_sub(NAMES_MAX);
        named.truncate(NAMES_MAX);
        let mut theirs = named.join(", ");
        if more > 0 {
            append(&mut theirs, format_args!(" and {more} more"));
        }
        Self::OtherName { ours, theirs }
    }

    const fn hint(&self) -> &'static str {
        match self {
            Self::Authority | Self::Signature | Self::Other(_) => {
                "name its authority, or the certificate itself, with --ca FILE, or go on without a check: --insecure"
            }
            Self::OfAuthority => {
                "name exactly this certificate with --ca FILE, or go on without a check: --insecure"
            }
            Self::Expired(_) | Self::Early(_) => {
                "renew it, or look at this machine's clock; without a check: --insecure"
            }
            Self::OtherName { .. } => {
                "ask for a host that it is for, or have it made for this one; without a check: --insecure"
            }
            Self::NoName { .. } | Self::Version1 => {
                "make one with names: openssl req -x509 … -addext subjectAltName=DNS:localhost,IP:127.0.0.1; without a check: --insecure"
            }
            Self::Revoked | Self::Purpose | Self::Weak => {
                "have the server show another one; without a check: --insecure"
            }
        }
    }
}

/// The name in `DnsName("chat.test")` or `IpAddress(127.0.0.1)`, as the library writes them.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn date(time: UnixTime) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(time.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// `NoCipherSuitesInCommon { … }` as words: no cipher suites in common.
fn spelt(name: &str) -> String {
    let name = name.split([' ', '(', '{']).next().unwrap_or_default();
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// What the library says, in words for people.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::General(text) => text.trim_end_matches('.').to_owned(),
        other => TlsFailure::of_tls(other).to_string(),
    }
}

/// The innermost reason of an error, in words for people: where it is of TLS, those of [`TlsFailure`].
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    if let Some(failure) = TlsFailure::of(error) {
        return match failure {
            TlsFailure::Certificate(why) => format!("the certificate is not believed: {why}"),
            other => other.to_string(),
        };
    }
    let mut cause = error;
    for _ in 0..DEPTH_MAX {
        let Some(deeper) = cause.source() else {
            break;
        };
        cause = deeper;
    }
    cause.to_string()
}
