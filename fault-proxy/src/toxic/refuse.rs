//! `refuse`: the next connections are accepted and reset at once.
//!
//! **Units:** `connections`, counted from the toxic's creation or from the last time its attributes
//! were set; 0 refuses every one. The listener stays open, so a client sees its connect succeed and
//! then a reset; a proxy that is disabled refuses the connect itself. Connections that are open
//! already, and those toxicity spares, are left alone and not counted.
//!
//! An extension.

use super::kind::{Attributes, Opening, Passing, Reach, Settings, attribute};
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refuse {
    connections: i64,
}

impl Settings for Refuse {
    type Active = Passing;
    const REACH: Reach = Reach::Opening;
    const IS_EXTENSION: bool = true;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            connections: attribute(fields, "connections", self.connections, (0, i64::MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![("connections", self.connections.into())]
    }

    fn opening(self) -> Option<Opening> {
        Some(Opening::Refused)
    }
}

impl Refuse {
    /// Whether the connection is refused before which `earlier` others were.
    pub(super) fn applies_after(self, earlier: u64) -> bool {
        u64::try_from(self.connections).is_ok_and(|limit| limit == 0 || earlier < limit)
    }
}
