//! This module is what a client asks of a goose user, and what it gets.
//!
//! **Units:** microseconds since load start.

use tokio::sync::oneshot;

use super::denied::Denied;
use crate::account::Jar;
use crate::plan::visit::Visit;

/// A client needs what opens a socket.
#[derive(Debug)]
pub(super) struct Errand {
    pub visit: Visit,
    /// What it has; given back with the answer.
    pub keys: Keys,
    /// The last session was cut off.
    pub after_cut: bool,
    /// When the attempt should have begun, and when it did.
    pub intended_us: u64,
    pub begun_us: u64,
    pub reply: oneshot::Sender<(Keys, Result<Ready, Denied>)>,
}

/// What opens a session.
#[derive(Debug)]
pub(super) struct Ready {
    /// When the attempt began, and when `connected` must have come.
    pub begun_us: u64,
    pub deadline_us: u64,
    pub secret: String,
    /// What the server has set, as it goes back; empty: nothing.
    pub cookies: String,
    /// Opens the second socket of [`ClientDefect::RacingConnects`].
    ///
    /// [`ClientDefect::RacingConnects`]: crate::plan::ClientDefect::RacingConnects
    pub stray: Option<String>,
}

/// What gets a client in without a login.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The access token, while it is believed good.
    pub access: Option<String>,
    /// When another one is to follow it; `None`: when it is refused.
    pub renew_us: Option<u64>,
    /// The cookie that gets a new one without a login.
    pub refresh: Option<String>,
    /// The connection token used last.
    pub used: Option<String>,
    /// What the server has set.
    pub jar: Jar,
}
