//! This module holds what a server sends on a socket to limits of which the WebSocket library knows none.
//!
//! **In:** the bytes of a connection, in any pieces. **Out:** the first limit, or rule, that they break.
//!
//! The library hands out whole messages, and reads on until it has one: fragments without a payload never end, nor
//! does a message of one byte a second. So the heads of frames are read here once more; payloads are passed by. What
//! the library finds by itself is left to it.
//!
//! **Units:** nanoseconds on the monotonic clock. **Source:** RFC 6455, section 5.2.

use std::time::Duration;

use crate::clock::monotonic_ns;
use crate::failure::{Failure, FailureKind, Limit, Rule};

/// Frames of one message.
const FRAGMENTS_MAX: u32 = 16_384;
/// How long a message may be on its way, without the silences in it: those may be the network's.
const MESSAGE_TIME_MAX: Duration = Duration::from_mins(1);
/// What counts of a silence.
const SILENCE_NS_MAX: u64 = 1_000_000_000;
/// Pings, pongs and closes within [`CONTROL_WINDOW`].
const CONTROL_FRAMES_MAX: u32 = 1_000;
const CONTROL_WINDOW: Duration = Duration::from_secs(1);

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Opcodes from here on are of control frames.
const CONTROL: u8 = 8;
const CONTINUATION: u8 = 0;
/// Longest payload of a control frame, and of a frame whose second byte says all.
const SHORT_MAX: u64 = 125;
const HEAD_BYTES_MAX: usize = 14;

/// What has come on one socket, as far as limits ask.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The head of the frame under way, as far as it is there.
    head: [u8; HEAD_BYTES_MAX],
    have: u8,
    /// Bytes of the frame under way that are still to come.
    missing: u64,
    /// Frames so far of the message under way; 0: its last has begun, or none is.
    fragments: u32,
    /// When a message was first seen without its end; 0: none is under way.
    begun_ns: u64,
    /// When it was last looked at, and how long it has been on its way by then.
    looked_ns: u64,
    spent_ns: u64,
    /// Control frames since then.
    controls: u32,
    controls_ns: u64,
    broken: Option<Box<Failure>>,
}

impl Meter {
    /// Reads on.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.broken.is_none() {
            if self.missing > 0 {
                let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
                let here = bytes.len().min(missing);
                self.missing -= here as u64;
                bytes = &bytes[here..];
            } else {
                self.head[usize::from(self.have)] = bytes[0];
                self.have += 1;
                bytes = &bytes[1..];
                if usize::from(self.have) == self.head_length() {
                    self.frame();
                }
            }
            if self.is_between() {
                self.begun_ns = 0;
            }
        }
    }

    /// Bytes of the head under way, as far as its second byte is there to say.
    fn head_length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let long = match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & MASKED == 0 { 0 } else { 4 };
        2 + long + mask
    }

    /// A head is whole.
    fn frame(&mut self) {
        let [first, second, ..] = self.head;
        let long = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let (length, least) = match second & !MASKED {
            126 => (long(&self.head[2..4]), SHORT_MAX + 1),
            127 => (long(&self.head[2..10]), 1 << 16),
            short => (u64::from(short), 0),
        };
        self.have = 0;
        self.missing = length;
        let opcode = first & 0x0f;
        if length < least {
            self.broken = Some(Box::new(FailureKind::Protocol(Rule::LongLength).into()));
        } else if opcode >= CONTROL {
            self.control();
        } else {
            self.fragments = if opcode == CONTINUATION {
                self.fragments + 1
            } else {
                1
            };
            if self.fragments > FRAGMENTS_MAX {
                let words = format!("more than {FRAGMENTS_MAX} in one message");
                self.breaks(Limit::Fragments, &words);
            }
            if first & FIN != 0 {
                self.fragments = 0;
            }
        }
    }

    fn control(&mut self) {
        if self.controls == 0 {
            self.controls_ns = monotonic_ns();
        }
        self.controls += 1;
        if self.controls <= CONTROL_FRAMES_MAX {
            return;
        }
        self.controls = 0;
        if within(CONTROL_WINDOW, self.controls_ns) {
            let words = format!("more than {CONTROL_FRAMES_MAX} within {CONTROL_WINDOW:?}");
            self.breaks(Limit::ControlFrames, &words);
        }
    }

    fn breaks(&mut self, limit: Limit, words: &str) {
        let failure = Failure::said(FailureKind::Limit(limit), words);
        self.broken.get_or_insert(Box::new(failure));
    }

    /// No frame is under way, nor a message.
    const fn is_between(&self) -> bool {
        self.have == 0 && self.missing == 0 && self.fragments == 0
    }

    /// The reader has all there is and waits for more.
    pub(super) fn wait(&mut self) {
        if self.is_between() {
            return;
        }
        let now_ns = monotonic_ns();
        if self.begun_ns == 0 {
            self.begun_ns = now_ns;
            self.spent_ns = 0;
        } else {
            let silence_ns = now_ns.saturating_sub(self.looked_ns);
            self.spent_ns += silence_ns.min(SILENCE_NS_MAX);
        }
        self.looked_ns = now_ns;
        if u128::from(self.spent_ns) > MESSAGE_TIME_MAX.as_nanos() {
            let words = format!("its end did not come within {MESSAGE_TIME_MAX:?}");
            self.breaks(Limit::MessageTime, &words);
        }
    }

    /// What was broken first.
    pub(super) fn broken(&self) -> Option<&Failure> {
        self.broken.as_deref()
    }

    /// A message, or a frame, has been under way for that long.
    pub(super) fn is_unfinished_for(&self, time: Duration) -> bool {
        self.begun_ns != 0 && !within(time, self.begun_ns)
    }
}

fn within(time: Duration, since_ns: u64) -> bool {
    u128::from(monotonic_ns().saturating_sub(since_ns)) <= time.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: [u8; 2] = [0x89, 0];

    fn after(pieces: &[&[u8]]) -> Meter {
        let mut meter = Meter::default();
        for piece in pieces {
            meter.pass(piece);
        }
        meter
    }

    #[track_caller]
    fn assert_broken(pieces: &[&[u8]], wanted: &FailureKind) {
        let whole = pieces.concat();
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        for pieces in [pieces, &bytes] {
            let meter = after(pieces);
            assert_eq!(meter.broken().map(|failure| &failure.kind), Some(wanted));
        }
    }

    #[test]
    fn whole_messages_of_any_length_leave_nothing_under_way() {
        let medium = [&[0x81, 126, 1, 0][..], &[b'a'; 256]].concat();
        let long = [
            &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..],
            &vec![b'a'; 1 << 16],
        ]
        .concat();
        let fragments = [1, 1, b'a', 0x89, 1, b'p', 0, 0, 0x80, 1, b'b'];
        for whole in [&[0x81, 2, b'{', b'}'][..], &medium, &long, &fragments] {
            for size in [1, 3, 512, whole.len()] {
                let pieces: Vec<&[u8]> = whole.chunks(size).collect();
                let mut meter = after(&pieces);
                meter.wait();
                assert!(meter.is_between() && meter.broken().is_none(), "{meter:?}");
                assert_eq!(meter.begun_ns, 0);
            }
        }
    }

    #[test]
    fn a_message_has_so_many_fragments_and_no_more() {
        let most = FRAGMENTS_MAX as usize;
        let begun = [1, 0];
        let more = [0, 0].repeat(most - 1);
        let end = [0x80, 0];
        let mut meter = after(&[&begun, &more]);
        assert!(meter.broken().is_none());
        meter.pass(&end);
        assert_broken(
            &[&begun, &more, &end],
            &FailureKind::Limit(Limit::Fragments),
        );
        // The next message is counted anew.
        let mut meter = after(&[&begun, &more[2..], &end, &begun, &more[2..], &end]);
        meter.wait();
        assert!(meter.is_between() && meter.broken().is_none());
    }

    #[test]
    fn control_frames_are_counted_by_the_second() {
        let most = CONTROL_FRAMES_MAX as usize;
        let flood = PING.repeat(most);
        assert!(after(&[&flood]).broken().is_none());
        assert_broken(&[&flood, &PING], &FailureKind::Limit(Limit::ControlFrames));
        let mut meter = after(&[&flood]);
        meter.controls_ns -= 2 * 1_000_000_000;
        meter.pass(&PING);
        assert!(meter.broken().is_none(), "they took two seconds");
    }

    #[test]
    fn a_length_is_written_as_short_as_can_be() {
        let rule = FailureKind::Protocol(Rule::LongLength);
        assert_broken(&[&[0x81, 126, 0, 125]], &rule);
        assert_broken(&[&[0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255]], &rule);
        assert!(after(&[&[0x81, 126, 0, 126]]).broken().is_none());
        assert!(
            after(&[&[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]])
                .broken()
                .is_none()
        );
    }

    #[test]
    fn a_message_under_way_for_too_long_is_given_up() {
        for begun in [
            &[0x81][..],
            &[0x81, 5, b'a'],
            &[1, 1, b'a'],
            &[1, 0, 0x89, 0],
        ] {
            let mut meter = after(&[begun]);
            meter.wait();
            assert!(meter.broken().is_none());
            assert!(meter.is_unfinished_for(Duration::ZERO));
            meter.looked_ns = 1;
            meter.wait();
            assert!(meter.broken().is_none(), "a silence may be the network's");
            meter.spent_ns = 60_000_000_000;
            meter.wait();
            let kind = meter.broken().map(|failure| &failure.kind);
            assert_eq!(kind, Some(&FailureKind::Limit(Limit::MessageTime)));
        }
    }
}
