//! This module is what frames travel on between a run and a process of its load: a socket of this machine, or a folder
//! that machines share.

use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio_util::bytes::Bytes;

use super::mailbox::Mailbox;
use super::message::{FrameError, Frames};

/// How often counters are told over a socket, and through a folder, where each time is a file.
const TELL_EVERY: Duration = Duration::from_millis(250);
pub(super) const TELL_EVERY_BY_FILE: Duration = Duration::from_secs(2);

/// Either way.
pub(super) enum Channel {
    Socket(Frames),
    Folder(Mailbox),
}

impl Channel {
    /// Sends a frame. It arrives, in order.
    pub(super) async fn send(&mut self, frame: Bytes) -> Result<(), FrameError> {
        match self {
            Self::Socket(frames) => Ok(frames.send(frame).await?),
            Self::Folder(mailbox) => Ok(mailbox.send(frame).await?),
        }
    }

    /// Sends a frame in whose place the next such may come: through a folder it may never be read.
    pub(super) async fn post(&mut self, frame: Bytes) -> Result<(), FrameError> {
        match self {
            Self::Socket(_) => self.send(frame).await,
            Self::Folder(mailbox) => {
                mailbox.post(frame);
                Ok(())
            }
        }
    }

    /// Takes back what was posted and perhaps not read.
    pub(super) fn unpost(&self) {
        if let Self::Folder(mailbox) = self {
            mailbox.post(Bytes::new());
        }
    }

    /// The next frame; `None`: the other side is gone. Dropping it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, FrameError>> {
        match self {
            Self::Socket(frames) => {
                let frame = frames.next().await?;
                Some(frame.map(Into::into).map_err(Into::into))
            }
            Self::Folder(mailbox) => Some(mailbox.next().await?.map_err(Into::into)),
        }
    }

    /// How often counters are told.
    pub(super) const fn tell_every(&self) -> Duration {
        match self {
            Self::Socket(_) => TELL_EVERY,
            Self::Folder(_) => TELL_EVERY_BY_FILE,
        }
    }

    /// What is said is there for others when nobody reads it now.
    pub(super) const fn outlives_the_run(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// Waits until the other side has read everything. What is in a folder stays there.
    pub(super) async fn drained(&mut self) {
        if let Self::Socket(frames) = self {
            while frames.next().await.is_some() {}
        }
    }
}
