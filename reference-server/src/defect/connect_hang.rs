//! Row 7: a connect waits for Redis however long that is away.
//!
//! Asked before an upgrade is judged, in `http::upgrade`, and where answers are bounded in time, in `http::accept`.

use std::time::Duration;

use super::{Defect, Defects, Entry};
use crate::store::Link;

pub(super) const ENTRY: Entry = Entry {
    row: 7,
    name: "connect-hang",
    wrong: "a connect waits for Redis however long that is away",
    seen: "the client shows \"Connecting…\" for ever",
    rate: None,
};

impl Defects {
    /// Returns when Redis answers, without a bound.
    pub(crate) async fn wait_for_tokens(self, link: &Link) {
        if self.has(Defect::ConnectHang) {
            until_there(link).await;
        }
    }

    /// How long an answer over HTTP may take.
    pub(crate) fn answer_within(self, limit: Duration) -> Duration {
        let hangs = self.has(Defect::ConnectHang) || self.has(Defect::TokenEndpointHang);
        if hangs { FOR_EVER } else { limit }
    }
}

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_hours(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until the database answers.
pub(super) async fn until_there(link: &Link) {
    while link.run::<String>(&redis::cmd("PING")).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}
