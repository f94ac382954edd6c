//! Row 2: a connection token is not deleted when it is used.
//!
//! Asked where a token is used up, in `auth::token`: GET and nothing else.

use super::{Defects, Spec};
use crate::store::{Link, LinkError};

pub(super) const SPEC: Spec = Spec {
    row: 2,
    name: "token-reusable",
    wrong: "a connection token is not deleted when it is used",
    seen: "one token opens sockets until it expires",
    rate: None,
};

impl Defects {
    /// Whether a token that is used stays good.
    pub(crate) fn reuses_tokens(&self) -> bool {
        self.has(&SPEC)
    }
}

/// The token's value, which stays where it is.
pub(crate) async fn look(link: &Link, key: &str) -> Result<Option<String>, LinkError> {
    let mut command = redis::cmd("GET");
    command.arg(key);
    link.run(&command).await
}
