//! One direction of a connection: from a source socket through the toxics to a destination.
//!
//! **In:** bytes of the source, toxics, the time. **Out:** bytes to the destination; then, once,
//! [`Link::is_finished`], whereupon the connection closes the destination.
//!
//! Without toxics a chunk goes from the thread's buffer straight to the destination; what that does
//! not take at once is kept, and nothing more is read until it is gone. With toxics every stage has
//! a bounded inbox, and the source is read while the first one has room.

mod apply;

use super::{
    ends::{Destination, Ends},
    held::Held,
    scratch,
    stage::Stage,
    traffic::Flow,
};
use crate::toxic::{Chunk, Step};
use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    pin::Pin,
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
    /// By an error.
    SourceBroken,
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
    /// Everything is written.
    Finished,
    /// The destination takes no more.
    Broken,
}

#[derive(Debug)]
pub(super) struct Link {
    stages: Vec<Stage>,
    /// Nothing has changed since no stage could do more, but the time.
    settled: bool,
    /// Bytes in the stages, once they have been counted after a change.
    staged_bytes: Option<usize>,
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
            settled: true,
            staged_bytes: None,
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
        matches!(self.output, Output::Finished | Output::Broken)
    }

    /// The source has ended its direction in order, and everything it said has been passed on.
    pub(super) fn is_said(&self) -> bool {
        self.output == Output::Finished && self.cause == Some(Cause::Source)
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

    /// When a toxic wants to act next. One that has been taken out since may have wanted that.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The source was closed by this proxy, or both peers have ended: what is held still goes out,
    /// nothing more is read. Answers whether that is news.
    pub(super) fn abandon(&mut self) -> bool {
        self.stir();
        self.end_input();
        std::mem::replace(&mut self.input, Input::Abandoned) != Input::Abandoned
    }

    /// Reads, moves and writes whatever can be, and arranges to be woken for the rest. Answers
    /// whether anything came from the source.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut ends: Ends<'_>) -> bool {
        let mut received = false;
        while !self.is_finished() {
            self.write(cx, &mut ends);
            let moved = self.move_chunks();
            let read = self.read(cx, &mut ends);
            received |= read;
            if !moved && !read {
                break;
            }
        }
        self.tell_held();
        received
    }

    /// Something is new for the stages.
    fn stir(&mut self) {
        self.settled = false;
        self.staged_bytes = None;
    }

    fn tell_held(&mut self) {
        let count = || self.stages.iter().map(Stage::held_bytes).sum();
        let staged_bytes = *self.staged_bytes.get_or_insert_with(count);
        self.held.set(staged_bytes + self.pending_bytes);
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
        self.tell_held();
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
                Poll::Ready(ended) => {
                    let broken = ended.map_or(Cause::SourceBroken, |()| Cause::Source);
                    self.cause.get_or_insert(broken);
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
            first.own.inbox.push(Chunk {
                bytes: Bytes::copy_from_slice(bytes),
                at: Instant::now(),
            });
            return self.stir();
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
                    // There may be room for more.
                    self.settled = false;
                }
                Poll::Ready(Err(_)) => return self.break_off(),
                Poll::Pending => return,
            }
        }
        if self.output == Output::Last {
            self.finish(Output::Finished);
        }
    }

    /// Lets every stage do what it can now; answers whether anything moved.
    fn move_chunks(&mut self) -> bool {
        let is_due = |due| due <= Instant::now();
        if self.settled && !self.due.is_some_and(is_due) {
            return false;
        }
        let now = Instant::now();
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
                self.settled = true;
                return moved_at_all;
            }
            self.staged_bytes = None;
            moved_at_all = true;
        }
    }

    /// Lets one stage do so.
    fn move_through(&mut self, index: usize, now: Instant) -> bool {
        let mut moved = false;
        loop {
            moved |= self.hand_on(index);
            let stage = &mut self.stages[index];
            if stage.own.passed.is_some() {
                return moved;
            }
            let held_bytes = stage.own.inbox.held_bytes();
            let step = stage.step(now, self.input == Input::Abandoned);
            // What was dropped made room, too.
            let dropped = stage.own.inbox.held_bytes() < held_bytes;
            match step {
                Step::Pass(chunk) => stage.own.passed = Some(chunk),
                Step::Idle => return moved | dropped,
                Step::Wait(due) => {
                    self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
                    return moved | dropped;
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
        match self.stages[index].own.passed.take() {
            Some(chunk) => {
                self.place(index + 1, chunk);
                true
            }
            None => false,
        }
    }

    fn place(&mut self, index: usize, chunk: Chunk) {
        match self.stages.get_mut(index) {
            Some(stage) => stage.own.inbox.push(chunk),
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
        self.stir();
        match self.stages.first_mut() {
            Some(first) => first.own.inbox.end(),
            None => self.end_output(),
        }
    }

    fn end_output(&mut self) {
        if self.output == Output::Open {
            self.output = Output::Last;
        }
    }

    /// The destination takes no more.
    fn break_off(&mut self) {
        self.cause.get_or_insert(Cause::Destination);
        self.finish(Output::Broken);
    }

    fn finish(&mut self, how: Output) {
        self.output = how;
        self.stages.clear();
        self.staged_bytes = None;
        self.pending.clear();
        self.pending_bytes = 0;
        self.due = None;
    }
}
