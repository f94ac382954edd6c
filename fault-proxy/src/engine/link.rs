//! One direction of a connection: from a source socket through the toxics to a destination.
//!
//! **In:** bytes of the source, toxics, the time. **Out:** bytes to the destination; then, once,
//! [`Link::is_finished`], whereupon the connection closes the destination.
//!
//! Without toxics a chunk goes from the thread's buffer straight to the destination; what that does
//! not take at once is kept, and nothing more is read until it is gone. With toxics every stage has
//! a bounded inbox, and the source is read while the first one has room.

use super::{
    ends::{Destination, Ends},
    held::Held,
    scratch,
    stage::{Identity, Stage},
    traffic::Flow,
};
use crate::toxic::{Chunk, Removal, Step, Toxic};
use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Instant,
};

/// Output waiting for the destination beyond which the last stage is not asked for more.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// What ended a link first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Source,
    Destination,
    Toxic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    /// The source has ended, or a toxic has ended the stream.
    Over,
    /// Nobody is left at the source.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Open,
    /// Nothing more comes out of the stages.
    Last,
    /// Everything is written, or the destination is broken.
    Finished,
}

#[derive(Debug)]
pub(super) struct Link {
    stages: Vec<Stage>,
    /// The newest toxic this link has met; a stage that has ended must not come back.
    newest_toxic: u64,
    pending: VecDeque<Bytes>,
    pending_bytes: usize,
    /// What all of that is, to be told to the other connections.
    held: Held,
    input: Input,
    output: Output,
    cause: Option<Cause>,
    resets: bool,
    due: Option<Instant>,
}

impl Link {
    pub(super) fn new(held: Held) -> Self {
        Self {
            stages: Vec::new(),
            newest_toxic: 0,
            pending: VecDeque::new(),
            pending_bytes: 0,
            held,
            input: Input::Open,
            output: Output::Open,
            cause: None,
            resets: false,
            due: None,
        }
    }

    /// Everything that will reach the destination has reached it.
    pub(super) fn is_finished(&self) -> bool {
        self.output == Output::Finished
    }

    /// What ended this link, once something has.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Nothing more comes in, though what is held may still go out.
    pub(super) fn is_over(&self) -> bool {
        self.input != Input::Open
    }

    /// A toxic asked for a reset rather than a clean close.
    pub(super) fn resets(&self) -> bool {
        self.resets
    }

    /// When a toxic wants to act next, valid until the next poll.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The source was closed by this proxy, or both peers have ended: what is held still goes out,
    /// nothing more is read. Answers whether that is news.
    pub(super) fn abandon(&mut self) -> bool {
        self.end_input();
        std::mem::replace(&mut self.input, Input::Abandoned) != Input::Abandoned
    }

    /// Brings the stages in line with the toxics now in force. Nothing held is lost.
    pub(super) fn apply(&mut self, toxics: &[Arc<Toxic>], identity: &Identity) {
        if toxics.is_empty() && self.stages.is_empty() || self.is_finished() {
            return;
        }
        let now = Instant::now();
        let mut index = 0;
        while let Some(stage) = self.stages.get_mut(index) {
            let kept = toxics.iter().find(|toxic| toxic.id == stage.id());
            let removal = match kept {
                Some(toxic) => stage.update(toxic, now),
                None => stage.removal(),
            };
            match (kept, removal) {
                (Some(_), Removal::Flush | Removal::Close) => index += 1,
                (None, Removal::Flush) => self.flush_stage(index),
                (_, Removal::Reset) => {
                    self.resets = true;
                    self.end_stage(index);
                    index = 0;
                }
                (None, Removal::Close) => {
                    self.end_stage(index);
                    index = 0;
                }
            }
        }
        for toxic in toxics.iter().filter(|toxic| toxic.id > self.newest_toxic) {
            if self.output == Output::Open {
                self.stages.push(Stage::new(toxic, identity, now));
            }
        }
        let newest = toxics.iter().map(|toxic| toxic.id).max().unwrap_or(0);
        self.newest_toxic = self.newest_toxic.max(newest);
    }

    /// Reads, moves and writes whatever can be, and arranges to be woken for the rest. Answers
    /// whether anything came from the source.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut ends: Ends<'_>) -> bool {
        self.due = None;
        let mut received = false;
        while !self.is_finished() {
            self.write(cx, &mut ends);
            let moved = !self.stages.is_empty() && self.move_chunks(Instant::now());
            let read = self.read(cx, &mut ends);
            received |= read;
            if !moved && !read {
                break;
            }
        }
        self.held.set(self.held_bytes());
        received
    }

    fn held_bytes(&self) -> usize {
        let stages = self.stages.iter().map(Stage::held_bytes).sum::<usize>();
        stages + self.pending_bytes
    }

    fn read(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>) -> bool {
        let has_room = match self.stages.first() {
            Some(stage) => stage.has_room(),
            None => self.pending.is_empty(),
        };
        if self.is_finished() || self.input != Input::Open || !has_room {
            return false;
        }
        let Ends {
            source: Some(source),
            destination,
            flow,
        } = ends
        else {
            return false;
        };
        self.held.set(self.held_bytes());
        let bytes_max = self.held.allows(scratch::READ_BYTES_MAX);
        if bytes_max == 0 {
            return false;
        }
        scratch::with(|buffer| {
            let mut space = ReadBuf::new(&mut buffer[..bytes_max]);
            match Pin::new(&mut **source).poll_read(cx, &mut space) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) if !space.filled().is_empty() => {
                    flow.receive(space.filled().len());
                    self.receive(cx, space.filled(), (destination, flow));
                }
                // A broken source ends the stream like a closed one.
                Poll::Ready(Ok(()) | Err(_)) => {
                    self.cause.get_or_insert(Cause::Source);
                    self.end_input();
                }
            }
            true
        })
    }

    fn receive(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        (to, flow): (&mut Destination<'_>, &Flow),
    ) {
        if let Some(first) = self.stages.first_mut() {
            first.inbox.push(Chunk {
                bytes: Bytes::copy_from_slice(bytes),
                at: Instant::now(),
            });
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match to.write_some(cx, rest) {
                Poll::Ready(Ok(written)) => {
                    flow.send(written);
                    rest = &rest[written..];
                }
                Poll::Ready(Err(_)) => return self.break_off(),
                Poll::Pending => return self.queue_output(Bytes::copy_from_slice(rest)),
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, ends: &mut Ends<'_>) {
        while let Some(front) = self.pending.front_mut() {
            match ends.destination.write_some(cx, front) {
                Poll::Ready(Ok(written)) => {
                    ends.flow.send(written);
                    self.pending_bytes -= written;
                    front.advance(written);
                    if front.is_empty() {
                        self.pending.pop_front();
                    }
                }
                Poll::Ready(Err(_)) => return self.break_off(),
                Poll::Pending => return,
            }
        }
        if self.output == Output::Last {
            self.finish();
        }
    }

    /// Lets every stage do what it can now; answers whether anything moved.
    fn move_chunks(&mut self, now: Instant) -> bool {
        let mut moved_at_all = false;
        loop {
            self.due = None;
            let mut moved = false;
            let mut index = 0;
            while index < self.stages.len() {
                moved |= self.move_through(index, now);
                index += 1;
            }
            if !moved {
                return moved_at_all;
            }
            moved_at_all = true;
        }
    }

    fn move_through(&mut self, index: usize, now: Instant) -> bool {
        let mut moved = false;
        loop {
            moved |= self.hand_on(index);
            let stage = &mut self.stages[index];
            if stage.passed.is_some() {
                return moved;
            }
            match stage.step(now, self.input == Input::Abandoned) {
                Step::Pass(chunk) => stage.passed = Some(chunk),
                Step::Idle => return moved,
                Step::Wait(due) => {
                    self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
                    return moved;
                }
                Step::Reset => {
                    self.resets = true;
                    self.end_stage(index);
                    return true;
                }
                Step::End => {
                    self.end_stage(index);
                    return true;
                }
            }
        }
    }

    /// Gives what a stage has passed to the next one, or to the output, if there is room.
    fn hand_on(&mut self, index: usize) -> bool {
        let has_room = match self.stages.get(index + 1) {
            Some(next) => next.has_room(),
            None => self.pending_bytes < OUTPUT_BYTES_MAX,
        };
        if !has_room {
            return false;
        }
        match self.stages[index].passed.take() {
            Some(chunk) => {
                self.place(index + 1, chunk);
                true
            }
            None => false,
        }
    }

    fn place(&mut self, index: usize, chunk: Chunk) {
        match self.stages.get_mut(index) {
            Some(stage) => stage.inbox.push(chunk),
            None => self.queue_output(chunk.bytes),
        }
    }

    fn queue_output(&mut self, bytes: Bytes) {
        self.pending_bytes += bytes.len();
        self.pending.push_back(bytes);
    }

    fn end_input(&mut self) {
        if self.input == Input::Open {
            self.input = Input::Over;
        }
        match self.stages.first_mut() {
            Some(first) => first.inbox.end(),
            None => self.end_output(),
        }
    }

    fn end_output(&mut self) {
        if self.output == Output::Open {
            self.output = Output::Last;
        }
    }

    /// The stream ends at this stage: it and those before it are gone with what they held.
    fn end_stage(&mut self, index: usize) {
        self.cause.get_or_insert(Cause::Toxic);
        self.stages.drain(..=index);
        self.end_input();
    }

    /// Takes a stage out; what it held goes to the next one, whose turn in the order it is.
    fn flush_stage(&mut self, index: usize) {
        let mut stage = self.stages.remove(index);
        if let Some(chunk) = stage.passed.take() {
            self.place(index, chunk);
        }
        while let Some(chunk) = stage.inbox.pop() {
            self.place(index, chunk);
        }
        if stage.inbox.is_ended() {
            match self.stages.get_mut(index) {
                Some(next) => next.inbox.end(),
                None => self.end_output(),
            }
        }
    }

    /// The destination takes no more.
    fn break_off(&mut self) {
        self.cause.get_or_insert(Cause::Destination);
        self.finish();
    }

    fn finish(&mut self) {
        self.output = Output::Finished;
        self.stages.clear();
        self.pending.clear();
        self.pending_bytes = 0;
        self.due = None;
    }
}
