//! Row 1: a connection token is looked up and then deleted, in two steps.
//!
//! Asked where a token is used up, in `auth::token`: GET, a moment, DEL, as code that was written
//! against a plain key-value store does it. The moment is what a busy server or a slow network adds
//! by itself.

use std::time::Duration;

use super::{Defects, Spec};
use crate::store::{Link, LinkError};

pub(super) const SPEC: Spec = Spec {
    row: 1,
    name: "token-double-spend",
    wrong: "a connection token is looked up and then deleted, in two steps",
    seen: "two connects that race with one token both get in",
    rate: None,
};

/// Between the look and the deletion.
const MOMENT: Duration = Duration::from_millis(5);

impl Defects {
    /// Whether a token is looked at first and deleted later.
    pub(crate) fn spends_twice(&self) -> bool {
        self.has(&SPEC)
    }
}

/// The token's value, deleted only after it was given out.
pub(crate) async fn take(link: &Link, key: &str) -> Result<Option<String>, LinkError> {
    let value = super::token_reusable::look(link, key).await?;
    tokio::time::sleep(MOMENT).await;
    if value.is_some() {
        let mut command = redis::cmd("DEL");
        command.arg(key);
        let _deleted: u64 = link.run(&command).await?;
    }
    Ok(value)
}
