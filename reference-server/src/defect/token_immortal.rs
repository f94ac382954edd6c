//! Row 3: a connection token is stored without an end of its life.
//!
//! Asked where a token was stored, in `token`: its expiry is taken away again.

use super::Entry;
use crate::store::{Link, LinkError};

pub(super) const ENTRY: Entry = Entry {
    row: 3,
    name: "token-immortal",
    wrong: "a connection token is stored without an end of its life",
    seen: "a token still opens a socket long after `expires_in`",
    rate: None,
};

/// Lets the token live for ever.
pub(crate) async fn keep(link: &Link, key: &str) -> Result<(), LinkError> {
    let mut command = redis::cmd("PERSIST");
    command.arg(key);
    let _kept: u64 = link.run(&command).await?;
    Ok(())
}
