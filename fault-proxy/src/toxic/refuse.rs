//! `refuse`: the next connections are accepted and reset at once.
//!
//! **Units:** `connections`, counted from the toxic's creation or from the last time its attributes
//! were set; 0 refuses every one. The listener stays open, so a client sees its connect succeed and
//! then a reset; a proxy that is disabled refuses the connect itself. Connections that are open
//! already, and those toxicity spares, are left alone and not counted.
//!
//! An extension.

use super::attribute;
use crate::{json::Fields, refusal::Refusal};

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refuse {
    connections: i64,
}

impl Refuse {
    pub(super) fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            connections: attribute(fields, "connections", self.connections, (0, i64::MAX))?,
        })
    }

    pub(super) fn attributes(self) -> Vec<(&'static str, i64)> {
        vec![("connections", self.connections)]
    }

    /// Whether the connection is refused before which `earlier` others were.
    pub(super) fn applies_after(self, earlier: u64) -> bool {
        u64::try_from(self.connections).is_ok_and(|limit| limit == 0 || earlier < limit)
    }
}
