//! Row 7: a connect waits for Redis however long that is away.
//!
//! Asked before an upgrade is judged, in `http::upgrade`. `token_endpoint_hang` lifts the time
//! limit of the answer for both.

use std::time::Duration;

use super::{Defects, Spec};
use crate::store::Link;

pub(super) const SPEC: Spec = Spec {
    row: 7,
    name: "connect-hang",
    wrong: "a connect waits for Redis however long that is away",
    seen: "the client shows \"Connecting…\" for ever",
    rate: None,
};

impl Defects {
    /// Returns when Redis answers, without a bound.
    pub(crate) async fn wait_for_tokens(&self, link: &Link) {
        if self.has(&SPEC) {
            until_there(link).await;
        }
    }
}

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until the database answers.
pub(super) async fn until_there(link: &Link) {
    while link.run::<String>(&redis::cmd("PING")).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}
