//! Trial `origin`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A page of another origin gets no socket.
    pub(crate) struct Origin {
    }
}

impl Spec for Origin {
    const NAME: &str = "origin";
    const PROMISES: &[Promise] = &[Promise::new(
        "a page of another site is refused",
        Known::OriginUnchecked,
    )];
    const NEEDS: &[Need] = &[Need::FreeOrigin];
}
