//! When something happened in a room, as far as that can be compared.

use crate::store::StreamId;

/// An entry of the history. Where Redis lost the history, ids may begin anew, lower than before: so
/// an entry is later than another if the ids had begun anew more often by then, or else by its id.
/// The default is earlier than all, and stands for what is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// How often the ids had begun anew.
    pub(super) epoch: u32,
    /// The entry.
    pub(super) id: StreamId,
}
