//! `blackhole`: nothing gets through in either direction, and nobody is told.
//!
//! What arrives is dropped, an end included, and the sockets stay open: a network that swallows
//! packets, or a firewall that forgot the connection. Taking it away resets the connections that
//! lost something, since their streams have holes; those that lost nothing go on.
//!
//! An extension: Toxiproxy's `timeout` works on one direction and closes every connection when it
//! is removed.

use super::kind::{Attributes, Reach, Removal, Settings, Work};
use super::{Inbox, Moment, Step};
use crate::{json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Blackhole;

impl Settings for Blackhole {
    type Active = Active;
    const REACH: Reach = Reach::Both;
    const IS_EXTENSION: bool = true;

    fn merged(self, _: Fields<'_>) -> Result<Self, Refusal> {
        Ok(self)
    }

    fn attributes(self) -> Attributes {
        Vec::new()
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    dropped: bool,
}

impl Work<Blackhole> for Active {
    fn start(_: Blackhole, _: Instant) -> Self {
        Self { dropped: false }
    }

    fn change(&mut self, _: Blackhole, _: Instant) {}

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        self.dropped |= inbox.clear();
        // With both peers gone there is nobody left to keep in the dark.
        if moment.abandoned && inbox.is_ended() {
            Step::End
        } else {
            Step::Idle
        }
    }

    fn removal(&self) -> Removal {
        if self.dropped {
            Removal::Reset
        } else {
            Removal::Flush
        }
    }
}
