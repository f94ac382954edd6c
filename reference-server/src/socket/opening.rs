//! What an upgrade comes to: a socket, or a refusal with a close code.

use std::net::IpAddr;

use super::code;
use crate::bound::{Member, Place};
use crate::route::{Kind, Route};

/// An upgrade that was granted.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Where to.
    pub(crate) route: Route,
    /// The user's number.
    pub(crate) user: u64,
    /// When the access token behind it ends, seconds since 1970.
    pub(crate) jwt_expires_s: u64,
    /// The user's place for it, and what it shares with others; absent where it is only to be
    /// refused.
    pub(crate) member: Option<Member>,
    /// The address's place for it, where addresses have a bound.
    pub(crate) _place: Option<Place<IpAddr>>,
}

/// An upgrade that is completed only to say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The close code.
    pub(crate) code: u16,
    /// For people.
    pub(crate) reason: &'static str,
}

impl Refused {
    /// As it is said on that kind of socket: the admin feed has codes of its own.
    pub(crate) fn on(self, kind: Kind) -> Self {
        let code = match (kind, self.code) {
            (Kind::Admin, code::UNAUTHENTICATED) => code::ADMIN_UNAUTHENTICATED,
            (Kind::Admin, code::FORBIDDEN) => code::ADMIN_FORBIDDEN,
            (_, code) => code,
        };
        Self { code, ..self }
    }
}
