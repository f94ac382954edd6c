//! Row 3: a connection token is stored without an end of its life.
//!
//! Asked where a token was stored, in `auth::token`: its expiry is taken away again.

use super::{Defects, Spec};
use crate::store::{Link, LinkError};

pub(super) const SPEC: Spec = Spec {
    row: 3,
    name: "token-immortal",
    wrong: "a connection token is stored without an end of its life",
    seen: "a token still opens a socket long after `expires_in`",
    rate: None,
};

impl Defects {
    /// Lets the token live for ever.
    pub(crate) async fn keep_token(&self, link: &Link, key: &str) -> Result<(), LinkError> {
        if self.has(&SPEC) {
            let mut command = redis::cmd("PERSIST");
            command.arg(key);
            let _kept: u64 = link.run(&command).await?;
        }
        Ok(())
    }
}
