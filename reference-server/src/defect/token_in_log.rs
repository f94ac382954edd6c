//! Row 5: the access log has the whole request line of every connect.
//!
//! Asked where an upgrade is judged, in `http::upgrade`: the address is logged with its query, as
//! access logs do.

use axum::http;

use super::{Defects, Spec};

pub(super) const SPEC: Spec = Spec {
    row: 5,
    name: "token-in-log",
    wrong: "the access log has the whole request line of every connect",
    seen: "tokens that still open a socket stand in the log",
    rate: None,
};

impl Defects {
    /// Writes the access log.
    pub(crate) fn log_access(&self, address: &http::Uri) {
        if self.has(&SPEC) {
            tracing::info!(target: "[WS_AUTH]", %address, "connect");
        }
    }
}
