//! `slicer`: data arrives in small pieces, some time apart.
//!
//! **Units:** `average_size` and `size_variation` in bytes, `delay` in µs after each piece. A chunk
//! is halved, off-centre by up to the variation, until no piece is longer than average plus
//! variation. A variation above the average counts as the average, and an average of 0, which is what
//! a toxic without attributes has, cuts nothing: each chunk is one piece, and the delay stands between
//! chunks. Without a delay the kernel may put pieces together again. Delays follow a schedule: what a
//! wait takes too long is made up for by those after it, but none is shorter than half the delay, so
//! that pieces stay apart.

use super::kind::{Attributes, Reach, Settings, US_MAX, Work, attribute};
use super::{Inbox, Moment, Step};
use crate::{chance::below, json::Fields, refusal::Refusal};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slicer {
    average_bytes: i64,
    variation_bytes: i64,
    delay_us: i64,
}

impl Settings for Slicer {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        let size = (0, i64::MAX / 4);
        Ok(Self {
            average_bytes: attribute(fields, "average_size", self.average_bytes, size)?,
            variation_bytes: attribute(fields, "size_variation", self.variation_bytes, size)?,
            delay_us: attribute(fields, "delay", self.delay_us, (0, US_MAX))?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![
            ("average_size", self.average_bytes.into()),
            ("size_variation", self.variation_bytes.into()),
            ("delay", self.delay_us.into()),
        ]
    }
}

impl Slicer {
    /// Lengths of the pieces of a chunk of `length` bytes, in order.
    fn cut(self, length: usize, moment: &mut Moment<'_>) -> VecDeque<usize> {
        let average = usize::try_from(self.average_bytes).unwrap_or(usize::MAX);
        if average == 0 {
            return VecDeque::from([length]);
        }
        let variation = usize::try_from(self.variation_bytes).unwrap_or(usize::MAX);
        let variation = variation.min(average);
        let piece_max = average.saturating_add(variation);
        let mut pieces = VecDeque::new();
        let mut uncut = vec![length];
        while let Some(length) = uncut.pop() {
            if length <= piece_max {
                pieces.push_back(length);
                continue;
            }
            let spread = u64::try_from(variation)
                .unwrap_or(u64::MAX)
                .saturating_mul(2);
            let drawn = usize::try_from(below(moment.chance, spread)).unwrap_or(0);
            let left = (length / 2 + drawn)
                .saturating_sub(variation)
                .clamp(1, length - 1);
            uncut.push(length - left);
            uncut.push(left);
        }
        pieces
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: Slicer,
    /// What is left of the plan for the first chunk of the inbox.
    pieces: VecDeque<usize>,
    not_before: Option<Instant>,
}

impl Work<Slicer> for Active {
    fn start(settings: Slicer, _: Instant) -> Self {
        Self {
            settings,
            pieces: VecDeque::new(),
            not_before: None,
        }
    }

    /// The rest of a chunk that was being sliced goes in one piece.
    fn change(&mut self, settings: Slicer, _: Instant) {
        self.settings = settings;
        self.not_before = None;
        if !self.pieces.is_empty() {
            self.pieces = VecDeque::from([usize::MAX]);
        }
    }

    fn step(&mut self, inbox: &mut Inbox, mut moment: Moment<'_>) -> Step {
        let now = moment.now;
        if let Some(due) = self.not_before.filter(|due| now < *due) {
            return Step::Wait(due);
        }
        let Some(front) = inbox.front() else {
            self.not_before = None;
            return inbox.nothing();
        };
        if self.pieces.is_empty() {
            self.pieces = self.settings.cut(front.bytes.len(), &mut moment);
        }
        let piece = self.pieces.pop_front().unwrap_or(usize::MAX);
        let delay = Duration::from_micros(u64::try_from(self.settings.delay_us).unwrap_or(0));
        let scheduled = self.not_before.unwrap_or(now) + delay;
        self.not_before = (!delay.is_zero()).then(|| scheduled.max(now + delay / 2));
        match inbox.take(piece) {
            Some(chunk) => Step::Pass(chunk),
            None => inbox.nothing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Active, Slicer, Work as _};
    use crate::toxic::{Chunk, Inbox, Line, Moment, Step};
    use bytes::Bytes;
    use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
    use std::time::Duration;
    use tokio::time::Instant;

    fn slicer(average_bytes: i64, variation_bytes: i64, delay_us: i64) -> Slicer {
        Slicer {
            average_bytes,
            variation_bytes,
            delay_us,
        }
    }

    /// Lengths of the pieces of one chunk, and when each went: a wait ends so much too late.
    fn pieces(settings: Slicer, length: usize, late: Duration) -> Vec<(usize, Duration)> {
        let start = Instant::now();
        let mut now = start;
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut active = Active::start(settings, now);
        let mut inbox = Inbox::default();
        inbox.push(Chunk {
            bytes: Bytes::from(vec![0; length]),
            at: now,
        });
        inbox.end();
        let mut pieces = Vec::new();
        loop {
            let moment = Moment {
                now,
                line: &Line::default(),
                abandoned: false,
                chance: &mut chance,
            };
            match active.step(&mut inbox, moment) {
                Step::Pass(chunk) => pieces.push((chunk.bytes.len(), now - start)),
                Step::Wait(due) => now = due + late,
                Step::End => return pieces,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn pieces_are_at_most_average_and_variation_and_the_variation_at_most_the_average() {
        for (average, variation, longest) in [(100, 0, 100), (100, 30, 130), (100, 5_000, 200)] {
            let pieces = pieces(slicer(average, variation, 0), 10_000, Duration::ZERO);
            assert_eq!(pieces.iter().map(|piece| piece.0).sum::<usize>(), 10_000);
            assert!(pieces.iter().all(|piece| (1..=longest).contains(&piece.0)));
            assert!(pieces.len() >= 10_000 / longest, "{}", pieces.len());
        }
        let whole = pieces(slicer(0, 50, 10), 10_000, Duration::ZERO);
        assert_eq!(whole, [(10_000, Duration::ZERO)]);
    }

    #[test]
    fn what_waits_take_too_long_is_made_up_for_without_gluing_pieces() {
        const MS: Duration = Duration::from_millis(1);
        for (late, expected) in [
            (Duration::ZERO, MS),
            (MS / 4, MS),
            (4 * MS, 4 * MS + MS / 2),
        ] {
            let pieces = pieces(slicer(100, 0, 1_000), 10_000, late);
            let gap = |pair: &[(usize, Duration)]| pair[1].1.checked_sub(pair[0].1).unwrap();
            let mut gaps = pieces.windows(2).map(gap);
            assert!(gaps.clone().all(|gap| gap >= MS / 2), "{pieces:?}");
            let last = gaps.next_back();
            assert_eq!(last, Some(expected), "with waits {late:?} too long");
        }
    }
}
