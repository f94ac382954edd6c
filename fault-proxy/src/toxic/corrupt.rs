//! `corrupt`: now and then a bit of the data is flipped.
//!
//! **Units:** `one_in`, the mean number of bytes of which one is damaged, at least one, for each connection and
//! direction. The gaps between damaged bytes are drawn evenly from none to twice the mean, from the seed of the server, so that
//! a run can be repeated. Length and order of the data stay, and so does the end of the stream.
//!
//! An extension, for memory, cables and middleboxes that damage what TCP's checksum does not catch: a peer that
//! speaks TLS ends the connection, and one that does not has to notice by itself.

use super::kind::{Attributes, Reach, Settings, Work, attribute};
use super::{Inbox, Moment, Step};
use crate::{chance::below, json::Fields, refusal::Refusal};
use bytes::BytesMut;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Corrupt {
    one_in: i64,
}

impl Settings for Corrupt {
    type Active = Active;
    const REACH: Reach = Reach::Stream;
    const IS_EXTENSION: bool = true;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        let one_in = attribute(fields, "one_in", self.one_in, (0, i64::MAX / 2))?;
        if one_in == 0 {
            let fact = "one_in must be at least 1".to_owned();
            return Err(Refusal::InvalidAttribute(fact));
        }
        Ok(Self { one_in })
    }

    fn attributes(self) -> Attributes {
        vec![("one_in", self.one_in.into())]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: Corrupt,
    /// Bytes that pass before the next one is damaged, once that has been drawn.
    gap: Option<u64>,
}

impl Active {
    fn draw(&self, moment: &mut Moment<'_>) -> u64 {
        let one_in = u64::try_from(self.settings.one_in).unwrap_or(1).max(1);
        below(moment.chance, 2 * one_in - 1)
    }

    /// Flips a bit of every byte whose turn it is.
    fn damage(&mut self, bytes: &mut [u8], moment: &mut Moment<'_>) {
        let mut rest = bytes;
        loop {
            let gap = match self.gap {
                Some(gap) => gap,
                None => self.draw(moment),
            };
            let (at, length) = (usize::try_from(gap).unwrap_or(usize::MAX), rest.len());
            let Some((_, [byte, after @ ..])) = rest.split_at_mut_checked(at) else {
                self.gap = Some(gap.saturating_sub(length as u64));
                return;
            };
            *byte ^= 1 << below(moment.chance, 8);
            self.gap = None;
            rest = after;
        }
    }
}

impl Work<Corrupt> for Active {
    fn start(settings: Corrupt, _: Instant) -> Self {
        Self {
            settings,
            gap: None,
        }
    }

    fn change(&mut self, settings: Corrupt, _: Instant) {
        self.settings = settings;
        self.gap = None;
    }

    fn step(&mut self, inbox: &mut Inbox, mut moment: Moment<'_>) -> Step {
        let Some(mut chunk) = inbox.pop() else {
            return inbox.nothing();
        };
        let mut bytes = BytesMut::from(chunk.bytes);
        self.damage(&mut bytes, &mut moment);
        chunk.bytes = bytes.freeze();
        Step::Pass(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::{Active, Corrupt};
    use crate::toxic::kind::Work as _;
    use crate::toxic::{Chunk, Inbox, Line, Moment, Step};
    use bytes::Bytes;
    use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
    use tokio::time::Instant;

    /// Sends zeros in chunks of `length` bytes through the toxic.
    fn through(one_in: i64, seed: u64, (chunks, length): (usize, usize)) -> Vec<u8> {
        let now = Instant::now();
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut active = Active::start(Corrupt { one_in }, now);
        let mut inbox = Inbox::default();
        let mut output = Vec::new();
        for _ in 0..chunks {
            inbox.push(Chunk {
                bytes: Bytes::from(vec![0; length]),
                at: now,
            });
            let moment = Moment {
                now,
                line: &Line::default(),
                abandoned: false,
                chance: &mut chance,
            };
            match active.step(&mut inbox, moment) {
                Step::Pass(chunk) => output.extend_from_slice(&chunk.bytes),
                other => panic!("{other:?}"),
            }
        }
        output
    }

    #[test]
    fn one_bit_in_so_many_bytes_is_flipped_and_nothing_else() {
        for (one_in, sizes) in [(1, (10, 100)), (50, (1_000, 100)), (50, (100_000, 1))] {
            let output = through(one_in, 7, sizes);
            assert_eq!(output.len(), sizes.0 * sizes.1);
            assert!(output.iter().all(|byte| byte.count_ones() <= 1));
            let damaged = output.iter().filter(|byte| **byte != 0).count();
            let expected = output.len() / usize::try_from(one_in).unwrap();
            assert!(damaged.abs_diff(expected) * 10 <= expected, "{damaged}");
        }
    }

    #[test]
    fn the_same_seed_damages_the_same_bytes_however_they_come() {
        let whole = through(40, 3, (1, 10_000));
        assert_eq!(whole, through(40, 3, (100, 100)));
        assert_ne!(whole, through(40, 4, (1, 10_000)));
    }
}
