//! Trial `token-log`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// Tokens that opened sockets do not stand in the server's log.
    pub(crate) struct TokenLog {
    }
}

impl Spec for TokenLog {
    const NAME: &str = "token-log";
    const PROMISES: &[Promise] = &[Promise::new("no token in the log", Known::TokenInLog)];
    const NEEDS: &[Need] = &[Need::Contract, Need::ServerLog];
}
