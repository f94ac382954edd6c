//! Trial `retry`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A message sent again with its id is the same task.
    pub(crate) struct Retry {
    }
}

impl Spec for Retry {
    const NAME: &str = "retry";
    const PROMISES: &[Promise] = &[Promise::new(
        "a message sent again runs once",
        Known::RetryRunsTwice,
    )];
    const NEEDS: &[Need] = &[Need::Tasks];
}
