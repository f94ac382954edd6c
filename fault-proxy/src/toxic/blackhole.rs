//! `blackhole`: nothing gets through in either direction, and nobody is told.
//!
//! What arrives is dropped, an end included, and the sockets stay open: a network that swallows
//! packets, or a firewall that forgot the connection. Taking it away resets the connections that
//! lost something, since their streams have holes; those that lost nothing go on.
//!
//! An extension: Toxiproxy's `timeout` works on one direction and closes every connection when it
//! is removed.

use super::{Inbox, Moment, Removal, Step};

#[derive(Debug, Default)]
pub(crate) struct Active {
    dropped: bool,
}

impl Active {
    pub(super) fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        self.dropped |= inbox.clear();
        // With both peers gone there is nobody left to keep in the dark.
        if moment.abandoned && inbox.is_ended() {
            Step::End
        } else {
            Step::Idle
        }
    }

    pub(super) fn removal(&self) -> Removal {
        if self.dropped {
            Removal::Reset
        } else {
            Removal::Flush
        }
    }
}
