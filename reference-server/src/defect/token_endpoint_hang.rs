//! Row 8: the token endpoint waits for Redis however long that is away.
//!
//! Asked before a token is issued, in `auth::token`, and where answers are limited in time, in
//! `http::accept`.

use std::time::Duration;

use super::connect_hang::{self, until_there};
use super::{Defects, Spec};
use crate::store::Link;

pub(super) const SPEC: Spec = Spec {
    row: 8,
    name: "token-endpoint-hang",
    wrong: "the token endpoint waits for Redis however long that is away",
    seen: "the request for a token hangs for the whole outage instead of failing",
    rate: None,
};

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_hours(1);

impl Defects {
    /// Returns when Redis answers, without a bound.
    pub(crate) async fn wait_to_issue(&self, link: &Link) {
        if self.has(&SPEC) {
            until_there(link).await;
        }
    }

    /// How long an answer over HTTP may take.
    pub(crate) fn answer_within(&self, limit: Duration) -> Duration {
        let hangs = self.has(&connect_hang::SPEC) || self.has(&SPEC);
        if hangs { FOR_EVER } else { limit }
    }
}
