//! `packet_loss`: now and then a chunk is dropped, as a link would that loses packets.
//!
//! **Units:** `loss_rate`, the probability that a chunk is dropped, and `correlation`, what is added to
//! it after a chunk that was dropped, so that losses come in bursts; both 0..=1. A chunk is what was
//! read together, 32 KiB at most. The end of the stream is never lost.
//!
//! Below a proxy there is TCP, which repeats what a network loses: what is dropped here is lost for
//! good, and the stream goes on with a hole. To see what lost packets do to a TCP connection, delay it
//! (`latency` with jitter).
//!
//! **Source:** Toxiproxy after 2.12, which limits both attributes to their range instead of refusing.

use super::kind::{Attributes, Reach, Settings, Work, share, share_shown};
use super::{Inbox, Moment, Step};
use crate::{chance::wide_ratio, json::Fields, refusal::Refusal};
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PacketLoss {
    loss_ratio: f64,
    correlation_ratio: f64,
}

impl Settings for PacketLoss {
    type Active = Active;
    const REACH: Reach = Reach::Stream;

    fn merged(self, fields: Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            loss_ratio: share(fields, "loss_rate", self.loss_ratio)?,
            correlation_ratio: share(fields, "correlation", self.correlation_ratio)?,
        })
    }

    fn attributes(self) -> Attributes {
        vec![
            ("loss_rate", share_shown(self.loss_ratio)),
            ("correlation", share_shown(self.correlation_ratio)),
        ]
    }
}

#[derive(Debug)]
pub(crate) struct Active {
    settings: PacketLoss,
    /// The chunk before was.
    dropped: bool,
}

impl Work<PacketLoss> for Active {
    fn start(settings: PacketLoss, _: Instant) -> Self {
        Self {
            settings,
            dropped: false,
        }
    }

    fn change(&mut self, settings: PacketLoss, _: Instant) {
        self.settings = settings;
    }

    fn step(&mut self, inbox: &mut Inbox, moment: Moment<'_>) -> Step {
        while let Some(chunk) = inbox.pop() {
            let burst = if self.dropped {
                self.settings.correlation_ratio
            } else {
                0.0
            };
            self.dropped = wide_ratio(moment.chance) < self.settings.loss_ratio + burst;
            if !self.dropped {
                return Step::Pass(chunk);
            }
        }
        inbox.nothing()
    }
}

#[cfg(test)]
mod tests {
    use super::{Active, PacketLoss, Work as _};
    use crate::toxic::{Chunk, Inbox, Line, Moment, Step};
    use bytes::Bytes;
    use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
    use tokio::time::Instant;

    /// Which of so many chunks get through.
    fn through(loss_ratio: f64, correlation_ratio: f64, chunks: usize) -> Vec<bool> {
        let now = Instant::now();
        let settings = PacketLoss {
            loss_ratio,
            correlation_ratio,
        };
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut active = Active::start(settings, now);
        let mut inbox = Inbox::default();
        let mut passed = Vec::new();
        for _ in 0..chunks {
            inbox.push(Chunk {
                bytes: Bytes::from_static(b"x"),
                at: now,
            });
            let moment = Moment {
                now,
                line: &Line::default(),
                abandoned: false,
                chance: &mut chance,
            };
            match active.step(&mut inbox, moment) {
                Step::Pass(_) => passed.push(true),
                Step::Idle => passed.push(false),
                other => panic!("{other:?}"),
            }
        }
        passed
    }

    fn lost(passed: &[bool]) -> usize {
        passed.iter().filter(|passed| !**passed).count()
    }

    #[test]
    fn a_share_of_the_chunks_is_lost() {
        assert_eq!(lost(&through(0.0, 1.0, 10_000)), 0);
        assert_eq!(lost(&through(1.0, 0.0, 10_000)), 10_000);
        let tenth = lost(&through(0.1, 0.0, 10_000));
        assert!((850..1_150).contains(&tenth), "{tenth}");
    }

    #[test]
    fn correlation_is_added_after_a_loss_and_makes_bursts() {
        let passed = through(0.1, 0.6, 20_000);
        let pairs = passed.windows(2).filter(|pair| !pair[0]);
        let (after, again) = pairs.fold((0, 0), |(after, again), pair| {
            (after + 1, again + usize::from(!pair[1]))
        });
        let share = f64::from(u32::try_from(again).unwrap()) / f64::from(after);
        assert!((0.66..0.74).contains(&share), "{share} of {after}");
    }
}
