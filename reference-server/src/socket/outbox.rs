//! Frames that wait for a slow reader, bounded in number, bytes and time.

use std::collections::VecDeque;

use crate::bound::{Held, OutboxBounds};
use crate::clock;
use crate::wire::Frame;

/// What a waiting frame costs beside its bytes: its place in the queue, which grows by doubling,
/// and its allocation.
const KEEPING_BYTES: usize = 128;

/// What waits, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(Frame, u64)>,
    held: Held,
    /// Part of the oldest frame is on the wire already: it cannot be dropped any more.
    started: bool,
    full_since_ms: Option<u64>,
    /// The close code sent, and when.
    pub(super) closing: Option<(u16, u64)>,
    /// The connection is of no more use.
    pub(super) gone: bool,
}

impl Outbox {
    /// An empty one, whose bytes `held` counts.
    pub(super) fn new(held: Held) -> Self {
        Self {
            held,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_half_empty(&self, bounds: &OutboxBounds) -> bool {
        self.waiting.len() <= bounds.frames / 2
            && self.held.bytes() <= bounds.bytes / 2
            && (self.is_empty() || self.held.together() <= bounds.user_bytes / 2)
    }

    /// The next frame to write.
    pub(super) fn front(&self) -> Option<Frame> {
        self.waiting.front().map(|(frame, _)| frame.clone())
    }

    /// Notes that `written` bytes of the oldest frame are on the wire.
    pub(super) fn advance(&mut self, written: usize) {
        let Some((frame, _)) = self.waiting.front_mut() else {
            return;
        };
        let whole = written == frame.bytes().len();
        if whole {
            self.waiting.pop_front();
        } else {
            *frame = frame.rest(written);
        }
        self.started = !whole;
        let given_back = written + if whole { KEEPING_BYTES } else { 0 };
        self.held.set(self.held.bytes() - given_back);
        if self.is_empty() {
            // The reader caught up; an outbox that is empty because everything expired is still
            // full.
            self.full_since_ms = None;
            self.waiting.shrink_to(0);
        }
    }

    /// Adds a frame, of which a first part may be `started`. Returns how many old ones had to go.
    pub(super) fn push(&mut self, frame: Frame, started: bool, bounds: &OutboxBounds) -> u64 {
        self.held
            .set(self.held.bytes() + frame.bytes().len() + KEEPING_BYTES);
        self.started |= started && self.waiting.is_empty();
        self.waiting.push_back((frame, clock::since_start_ms()));
        let mut dropped = 0;
        while self.waiting.len() > bounds.frames
            || self.held.bytes() > bounds.bytes
            || self.held.together() > bounds.user_bytes
        {
            if !self.drop_oldest() {
                break;
            }
            self.full_since_ms.get_or_insert_with(clock::since_start_ms);
            dropped += 1;
        }
        dropped
    }

    /// Drops what is older than the bound. Returns how many.
    pub(super) fn expire(&mut self, now_ms: u64, bounds: &OutboxBounds) -> u64 {
        let oldest_ms = now_ms.saturating_sub(clock::millis(bounds.age));
        let mut dropped = 0;
        loop {
            let at = usize::from(self.started);
            let expired = self
                .waiting
                .get(at)
                .is_some_and(|(_, since)| *since < oldest_ms);
            if !expired || !self.drop_oldest() {
                return dropped;
            }
            dropped += 1;
            self.full_since_ms.get_or_insert(now_ms);
        }
    }

    /// Notes that the reader takes everything at once.
    pub(super) fn caught_up(&mut self) {
        self.full_since_ms = None;
    }

    /// Whether there is nothing to look after.
    pub(super) fn is_calm(&self) -> bool {
        self.is_empty() && self.full_since_ms.is_none()
    }

    /// Whether the reader has not caught up for as long as a frame may wait.
    pub(super) fn is_stuck(&self, now_ms: u64, bounds: &OutboxBounds) -> bool {
        let age_ms = clock::millis(bounds.age);
        self.full_since_ms
            .is_some_and(|since| now_ms.saturating_sub(since) >= age_ms)
    }

    /// Forgets everything that is not partly on the wire.
    pub(super) fn clear(&mut self) {
        while self.drop_oldest() {}
    }

    fn drop_oldest(&mut self) -> bool {
        let removed = self.waiting.remove(usize::from(self.started));
        if let Some((frame, _)) = &removed {
            self.held
                .set(self.held.bytes() - frame.bytes().len() - KEEPING_BYTES);
        }
        removed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use std::sync::Arc;

    const BOUNDS: OutboxBounds = OutboxBounds {
        frames: 3,
        bytes: 1_000,
        user_bytes: 2_000,
        age: Duration::from_secs(10),
    };

    fn texts(outbox: &mut Outbox) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(frame) = outbox.front() {
            texts.push(String::from_utf8_lossy(&frame.bytes()[2..]).into_owned());
            outbox.advance(frame.bytes().len());
        }
        texts
    }

    #[test]
    fn past_the_bound_the_oldest_goes() {
        let mut outbox = Outbox::default();
        let dropped: u64 = ["a", "b", "c", "d", "e"]
            .map(|text| outbox.push(Frame::text(text), false, &BOUNDS))
            .iter()
            .sum();
        assert_eq!(
            (dropped, texts(&mut outbox)),
            (2, vec!["c".into(), "d".into(), "e".into()])
        );
        assert_eq!(outbox.held.bytes(), 0);
    }

    #[test]
    fn a_frame_partly_on_the_wire_is_never_dropped() {
        let mut outbox = Outbox::default();
        outbox.push(Frame::text("first").rest(4), true, &BOUNDS);
        for text in ["b", "c", "d", "e"] {
            outbox.push(Frame::text(text), false, &BOUNDS);
        }
        assert_eq!(
            outbox.front().unwrap().bytes(),
            b"rst",
            "the rest of the first frame"
        );
        outbox.clear();
        assert_eq!(outbox.front().unwrap().bytes(), b"rst");
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut outbox = Outbox::default();
        outbox.push(Frame::text(&"x".repeat(600)), false, &BOUNDS);
        assert_eq!(
            outbox.push(Frame::text(&"y".repeat(600)), false, &BOUNDS),
            1
        );
    }

    #[test]
    fn a_reader_that_never_catches_up_is_stuck_after_the_age() {
        let mut outbox = Outbox::default();
        for text in ["a", "b", "c", "d"] {
            outbox.push(Frame::text(text), false, &BOUNDS);
        }
        let now_ms = clock::since_start_ms();
        assert!(!outbox.is_stuck(now_ms, &BOUNDS));
        assert!(outbox.is_stuck(now_ms + 10_001, &BOUNDS));
        assert_eq!(outbox.expire(now_ms + 10_001, &BOUNDS), 3);
    }

    #[test]
    fn what_keeps_a_frame_counts_and_is_given_back() {
        let mut outbox = Outbox::default();
        let frame = Frame::text("pong");
        outbox.push(frame.clone(), false, &BOUNDS);
        outbox.push(frame.clone(), false, &BOUNDS);
        let each = frame.bytes().len() + KEEPING_BYTES;
        assert_eq!(outbox.held.bytes(), 2 * each);
        outbox.advance(1);
        assert_eq!(outbox.held.bytes(), 2 * each - 1);
        outbox.advance(frame.bytes().len() - 1);
        assert_eq!(outbox.held.bytes(), each);
    }

    #[test]
    fn the_outboxes_of_a_user_share_a_bound() {
        let account = Arc::default();
        let mut all = [(); 5].map(|()| Outbox::new(Held::by(&account)));
        for outbox in &mut all {
            outbox.push(Frame::text(&"x".repeat(400)), false, &BOUNDS);
        }
        assert!(account.bytes() <= BOUNDS.user_bytes, "{}", account.bytes());
        assert!(all[4].is_empty() && !all[0].is_empty());
        drop(all);
        assert_eq!(account.bytes(), 0);
    }
}
