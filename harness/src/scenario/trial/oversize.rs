//! Trial `oversize`.

use super::spec::{Need, Promise, Spec};
use crate::known::Known;
use crate::scenario::keys::{Count, keys};

/// One over the limit of the wire contract ("Frames, client to server").
const USUAL: u32 = 10_001;
/// What a socket of the harness sends at once has 256 KiB, with all that is around the text.
const CHARACTERS_MAX: u32 = 200_000;

keys! {
    /// A message over the length limit is refused.
    pub(crate) struct Oversize {
        /// Characters of its text: one more than the server may take.
        #[serde(default = "usual", skip_serializing_if = "is_usual")]
        characters "characters": Count<u32> = USUAL, 2..=CHARACTERS_MAX;
    }
}

impl Spec for Oversize {
    const NAME: &str = "oversize";
    const PROMISES: &[Promise] = &[Promise::new(
        "an oversized message is refused",
        Known::OversizeAccepted,
    )];
    const NEEDS: &[Need] = &[Need::Refusals];
}

const fn usual() -> u32 {
    USUAL
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_usual(characters: &u32) -> bool {
    *characters == USUAL
}
