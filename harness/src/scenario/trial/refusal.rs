//! Trial `refusal`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// Who is refused is told why, by a close code or a status.
    pub(crate) struct Refusal {
    }
}

impl Spec for Refusal {
    const NAME: &str = "refusal";
    const PROMISES: &[Promise] = &[Promise::new("a refusal says why", Known::Silent1006)];
    const NEEDS: &[Need] = &[Need::Credential];
}
