//! What the server signs with its key: access and refresh tokens, and the CSRF token of a session.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::directory::User;
use super::jwt::{Claims, Kind};
use super::{jwt, secret};
use crate::args::AuthArgs;
use crate::clock;

/// The key, and how long tokens live.
pub(crate) struct Signer {
    key: Vec<u8>,
    access_life: Duration,
    refresh_life: Duration,
}

impl Signer {
    /// Signs with `key`.
    pub(crate) fn new(key: &[u8], auth: &AuthArgs) -> Self {
        Self {
            key: key.to_vec(),
            access_life: auth.jwt_ttl,
            refresh_life: auth.refresh_ttl,
        }
    }

    /// A token of that kind for a user's session, and when it ends, in seconds since 1970.
    pub(crate) fn issue(
        &self,
        (user, session): (&User, &Option<String>),
        kind: Kind,
    ) -> (String, u64) {
        let life = match kind {
            Kind::Access => self.access_life,
            Kind::Refresh => self.refresh_life,
        };
        let iat = clock::unix_s();
        let exp = iat.saturating_add(life.as_secs());
        let claims = Claims {
            sub: user.id,
            username: user.name.clone(),
            typ: kind,
            sid: session.clone(),
            iat,
            exp,
            nbf: None,
        };
        (jwt::issue(&self.key, &claims), exp)
    }

    /// The claims of a token, if it is a good one of that kind.
    pub(crate) fn verify(&self, token: &str, kind: Kind) -> Option<Claims> {
        let verified = jwt::verify(&self.key, token, kind, clock::unix_s());
        verified
            .inspect_err(|problem| tracing::debug!(target: "[WS_AUTH]", %problem, "token refused"))
            .ok()
    }

    /// The CSRF token of a session: nobody can make one up, or use that of another session.
    pub(crate) fn csrf_token(&self, session: &str) -> String {
        // What is signed for access tokens begins otherwise.
        let parts = [b"csrf\0".as_slice(), session.as_bytes()];
        URL_SAFE_NO_PAD.encode(secret::hmac_sha256(&self.key, &parts))
    }
}
