//! Row 8: the token endpoint waits for Redis however long that is away.
//!
//! Asked before a token is issued, in `token`.

use super::{Defect, Defects, Entry};
use crate::store::Link;

pub(super) const ENTRY: Entry = Entry {
    row: 8,
    name: "token-endpoint-hang",
    wrong: "the token endpoint waits for Redis however long that is away",
    seen: "the request for a token hangs for the whole outage instead of failing",
    rate: None,
};

impl Defects {
    /// Returns when Redis answers, without a bound.
    pub(crate) async fn wait_to_issue(self, link: &Link) {
        if self.has(Defect::TokenEndpointHang) {
            super::connect_hang::until_there(link).await;
        }
    }
}
