//! Trial `heartbeat`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A heartbeat is answered, and is no message.
    pub(crate) struct Heartbeat {
    }
}

impl Spec for Heartbeat {
    const NAME: &str = "heartbeat";
    const PROMISES: &[Promise] = &[Promise::new("a heartbeat is answered", Known::PingAsChat)];
    const NEEDS: &[Need] = &[Need::Heartbeat];
}
