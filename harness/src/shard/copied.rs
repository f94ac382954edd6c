//! This module leaves the words of the run's own part in the folder, where the other parts leave theirs.
//!
//! **In:** what that part, a process of the run, says. **Out:** where its counters stand, for who looks at the run from
//! outside; its last word, for who adds up what the parts left. What cannot be left is missing there, and not in the run.

use tokio_util::bytes::Bytes;

use super::channel::TELL_EVERY_BY_FILE;
use super::file::{replace, sign};
use super::mailbox::{ShardFolder, blocking, since};
use super::message::{FrameError, FromShard, encode};
use crate::clock::monotonic_ns;

/// A folder that is written to.
pub(super) struct Copied {
    folder: ShardFolder,
    /// How often counters were told, and when last.
    told: u64,
    told_ns: Option<u64>,
}

impl Copied {
    pub(super) const fn to(folder: ShardFolder) -> Self {
        Self {
            folder,
            told: 0,
            told_ns: None,
        }
    }

    pub(super) async fn hear(&mut self, word: &FromShard) {
        match word {
            FromShard::Tally(_) => {
                let is_due = |ns: u64| since(ns) >= TELL_EVERY_BY_FILE;
                if self.told_ns.is_none_or(is_due) {
                    (self.told, self.told_ns) = (self.told + 1, Some(monotonic_ns()));
                    let (path, number) = (self.folder.file("told"), self.told);
                    put(word, move |frame| sign(&path, (number, number), &frame)).await;
                }
            }
            FromShard::Done(_) => {
                let path = self.folder.frame("from", 2);
                put(word, move |frame| replace(&path, &[&frame])).await;
            }
            FromShard::Hello(_) | FromShard::Ready | FromShard::Unable(_) | FromShard::Heard(_) => {
            }
        }
    }
}

async fn put(word: &FromShard, write: impl FnOnce(Bytes) -> std::io::Result<()> + Send + 'static) {
    let written = async {
        let frame = encode(word)?;
        Ok::<_, FrameError>(blocking(move || write(frame)).await?)
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "the shared folder does not take a word of the run's own part");
    }
}
