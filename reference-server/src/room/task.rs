//! A task that is not finished, and the text that is kept to queue it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::event::Asker;
use super::place::Place;
use crate::clock;
use crate::store::StreamId;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Sent to the queue; not known whether it arrived.
    Asked,
    /// `task_queued` was said: it must be answered.
    Acked,
    /// Asked through another socket's server, or before this room existed.
    Foreign,
}

/// A task that is not finished.
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) stage: Stage,
    /// The socket that asked last.
    pub(super) owner: u64,
    pub(super) client_message_id: Option<Box<str>>,
    /// When its first event came; `None` until then, or where that was missed.
    pub(super) first: Option<Place>,
    /// The ordinal that comes next.
    pub(super) next: u32,
    /// Known by its name alone: which ordinal comes next is known when the first one came.
    pub(super) unseen: bool,
    pub(super) silent_since_ms: u64,
    /// Who asked.
    pub(super) user: u64,
    /// What was asked, to queue it again.
    pub(super) text: Option<Kept>,
    /// Its place in the queue, as far as it is known.
    pub(super) entry: Option<StreamId>,
    pub(super) born_ms: u64,
    pub(super) redrives: u8,
}

impl Task {
    pub(super) fn foreign(id: u64, next: u32, first: Option<Place>) -> Self {
        let now_ms = clock::since_start_ms();
        Self {
            id,
            stage: Stage::Foreign,
            owner: 0,
            client_message_id: None,
            first,
            next,
            unseen: false,
            silent_since_ms: now_ms,
            user: 0,
            text: None,
            entry: None,
            born_ms: now_ms,
            redrives: 0,
        }
    }
}

/// Bounds the text kept for queueing again.
pub(super) struct TextBudget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Text within the budget; gives its bytes back when it is dropped.
pub(super) struct Kept {
    pub(super) text: Box<str>,
    used: Arc<AtomicUsize>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.text.len(), Ordering::Relaxed);
    }
}

impl TextBudget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// A copy of `text`, where there is room for it.
    pub(super) fn keep(&self, text: &str) -> Option<Kept> {
        let before = self.used.fetch_add(text.len(), Ordering::Relaxed);
        let kept = Kept {
            text: text.into(),
            used: Arc::clone(&self.used),
        };
        (before + text.len() <= self.limit).then_some(kept)
    }
}

impl Task {
    /// Notes who asked, where another instance took the message.
    pub(super) fn asked_by(&mut self, asker: Option<Asker<'_>>) {
        if self.client_message_id.is_none()
            && let Some(asker) = asker
        {
            self.user = asker.user;
            self.client_message_id = asker.client_message_id();
        }
    }
}
