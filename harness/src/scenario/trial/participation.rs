//! Trial `participation`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::keys;

keys! {
    /// A chat of others stays closed.
    pub(crate) struct Participation {
    }
}

impl Spec for Participation {
    const NAME: &str = "participation";
    const PROMISES: &[Promise] = &[Promise::new(
        "a chat of others is closed",
        Known::NotAParticipant,
    )];
    const NEEDS: &[Need] = &[Need::Contract, Need::PeopleChat];
}
