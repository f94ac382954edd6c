//! Trial `origin`.

use super::keys::keys;
use super::spec::{Need, Promise, Spec};
use crate::known::Known;

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
