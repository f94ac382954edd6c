//! The data that waits in front of one toxic, and what a toxic can answer.

use super::Line;
use bytes::Bytes;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::VecDeque;
use tokio::time::Instant;

/// What a chunk costs beside its bytes, so that a flood of tiny chunks is bounded too.
const CHUNK_OVERHEAD_BYTES: usize = 96;

/// Bytes that were read together.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// When it was received; a toxic that delays it moves this forward, so that delays add up.
    pub(crate) at: Instant,
}

/// The queue in front of one toxic of one link.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    chunks: VecDeque<Chunk>,
    held_bytes: usize,
    ended: bool,
}

impl Inbox {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.held_bytes += chunk.bytes.len() + CHUNK_OVERHEAD_BYTES;
        self.chunks.push_back(chunk);
    }

    pub(crate) fn front(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.held_bytes -= chunk.bytes.len() + CHUNK_OVERHEAD_BYTES;
        Some(chunk)
    }

    /// Takes up to `bytes_max` bytes of the first chunk and leaves the rest of it in front.
    pub(crate) fn take(&mut self, bytes_max: usize) -> Option<Chunk> {
        let front = self.chunks.front_mut()?;
        if front.bytes.len() <= bytes_max {
            return self.pop();
        }
        self.held_bytes -= bytes_max;
        let bytes = front.bytes.split_to(bytes_max);
        Some(Chunk {
            bytes,
            at: front.at,
        })
    }

    /// Drops everything held; answers whether there was anything.
    pub(crate) fn clear(&mut self) -> bool {
        let held = !self.chunks.is_empty();
        self.chunks.clear();
        self.held_bytes = 0;
        held
    }

    /// Bytes held, each chunk's own cost included.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// No chunk comes after those held.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Nothing is held and nothing will come.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.chunks.is_empty()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// The step of a toxic that does nothing.
    pub(crate) fn pass(&mut self) -> Step {
        match self.pop() {
            Some(chunk) => Step::Pass(chunk),
            None => self.nothing(),
        }
    }

    /// The step when there is no chunk: the end, or more waiting.
    pub(crate) fn nothing(&self) -> Step {
        if self.ended { Step::End } else { Step::Idle }
    }
}

/// What a toxic wants done.
#[derive(Debug)]
pub(crate) enum Step {
    /// Hand this on.
    Pass(Chunk),
    /// Ask again when there is more input.
    Idle,
    /// Ask again then, or when there is more input.
    Wait(Instant),
    /// The stream is over: close the destination once everything passed on is written.
    End,
    /// The same, by a reset of both sockets.
    Reset,
}

/// When a step is taken, in which circumstances, and with which luck.
pub(crate) struct Moment<'a> {
    pub(crate) now: Instant,
    /// Shared by the connections that the toxic affects.
    pub(crate) line: &'a Line,
    /// The source was closed by this proxy, so nobody is left on that side.
    pub(crate) abandoned: bool,
    pub(crate) chance: &'a mut Xoshiro256PlusPlus,
}
