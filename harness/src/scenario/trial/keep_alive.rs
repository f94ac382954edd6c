//! Trial `keep-alive`.

use super::spec::{Promise, Spec, TIMES};
use crate::known::Known;
use crate::scenario::keys::{Time, keys};
use crate::scenario::value::SECOND;

keys! {
    /// A silent socket hears a ping of the server in time.
    pub(crate) struct KeepAlive {
        /// Longest silence of the server; it pings every 25 s without more.
        within_us "within": Time = 30 * SECOND, TIMES;
    }
}

impl Spec for KeepAlive {
    const NAME: &str = "keep-alive";
    const PROMISES: &[Promise] = &[Promise::new("the server pings", Known::NoServerPing)];

    fn longest_us(&self) -> u64 {
        self.within_us * 2
    }
}
