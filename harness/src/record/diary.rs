//! This module is what one client did and heard, in few bytes: the first steps of its stay, and the last.
//!
//! **In:** steps, as they happen. **Out:** [`Step`]s in order of time, for the examples of a report. What
//! lies between the first and the last ones is counted only. No text of a message is ever in it.
//!
//! **Units:** microseconds since load start.

use std::collections::VecDeque;

use crate::failure::Failure;

/// Steps kept from the beginning, and from the end.
const FIRST: usize = 6;
const LAST: usize = 24;

/// One client's steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary {
    first: Vec<Step>,
    last: VecDeque<Step>,
    left_out: u64,
}

/// What happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub at_us: u64,
    pub what: What,
}

/// What a client does or hears. A message goes by its number, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The upgrade is done.
    Upgraded,
    Connected,
    Sent {
        message: u32,
    },
    Queued {
        message: u32,
    },
    /// Chunks that came one after the other, in order.
    Chunks {
        message: u32,
        first: u32,
        last: u32,
    },
    Complete {
        message: u32,
    },
    /// An `error` event.
    Refused(Box<Failure>),
    Ping,
    Pong,
    /// A frame for nothing this client asked.
    Stranger,
    /// The client is told that its access token ends soon, and gets another.
    Renews,
    /// An attempt at a session came to nothing.
    Failed(Box<Failure>),
    /// The server broke the protocol, or a limit of ours: the client closes.
    Violated(Box<Failure>),
    /// The client closes.
    Closes,
    /// The server ended the socket: closed it, or cut it.
    Ended(Box<Failure>),
    /// So many steps that are not kept.
    LeftOut(u64),
}

impl Diary {
    pub(crate) fn note(&mut self, at_us: u64, what: What) {
        let latest = self.last.back_mut().or(self.first.last_mut());
        if latest.is_some_and(|latest| latest.what.goes_on_with(&what)) {
            return;
        }
        let step = Step { at_us, what };
        if self.first.len() < FIRST {
            self.first.push(step);
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(step);
    }

    /// The steps that were kept, in their order, and how many were not.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let gap = self.last.front().filter(|_| self.left_out > 0);
        let gap = gap.map(|next| Step {
            at_us: next.at_us,
            what: What::LeftOut(self.left_out),
        });
        self.first
            .iter()
            .cloned()
            .chain(gap)
            .chain(self.last.iter().cloned())
    }
}

impl What {
    pub(crate) const fn chunk(message: u32, seq: u32) -> Self {
        Self::Chunks {
            message,
            first: seq,
            last: seq,
        }
    }

    /// The next chunk of the same answer is the same step.
    fn goes_on_with(&mut self, next: &Self) -> bool {
        let (
            Self::Chunks { message, last, .. },
            Self::Chunks {
                message: same,
                first: seq,
                last: until,
            },
        ) = (self, next)
        else {
            return false;
        };
        let goes_on = message == same && last.checked_add(1) == Some(*seq);
        if goes_on {
            *last = *until;
        }
        goes_on
    }

    /// For a reader: `->` is what the client sends, `<-` what it gets.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Upgraded => "socket open".to_owned(),
            Self::Connected => "<- connected".to_owned(),
            Self::Sent { message } => format!("-> message {message}"),
            Self::Queued { message } => format!("<- message {message} is queued"),
            Self::Chunks {
                message,
                first,
                last,
            } if first == last => format!("<- chunk {first} of message {message}"),
            Self::Chunks {
                message,
                first,
                last,
            } => format!("<- chunks {first} to {last} of message {message}"),
            Self::Complete { message } => format!("<- message {message} is complete"),
            Self::Refused(failure) => format!("<- error: {}", failure.text()),
            Self::Ping => "-> ping".to_owned(),
            Self::Pong => "<- pong".to_owned(),
            Self::Stranger => "<- a frame for nothing this client asked".to_owned(),
            Self::Renews => "the access token ends soon: gets another".to_owned(),
            Self::Failed(failure) => format!("no session: {}", failure.text()),
            Self::Violated(failure) => format!("{}; -> close", failure.text()),
            Self::Closes => "-> close 1000".to_owned(),
            Self::Ended(failure) => failure.text(),
            Self::LeftOut(count) => format!("({count} steps left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_steps_are_kept_in_order() {
        let mut diary = Diary::default();
        for number in 0..100 {
            diary.note(u64::from(number), What::Sent { message: number });
        }
        let steps: Vec<Step> = diary.steps().collect();
        assert_eq!(steps.len(), FIRST + 1 + LAST);
        assert_eq!(steps[FIRST].what, What::LeftOut(70));
        assert!(steps.is_sorted_by_key(|step| step.at_us));
        assert_eq!(steps.last().unwrap().what, What::Sent { message: 99 });
    }

    #[test]
    fn chunks_in_order_are_one_step_and_one_out_of_order_is_not() {
        let mut diary = Diary::default();
        for (message, seq) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 2), (2, 1)] {
            diary.note(0, What::chunk(message, seq));
        }
        let texts: Vec<String> = diary.steps().map(|step| step.what.text()).collect();
        assert_eq!(
            texts,
            [
                "<- chunks 0 to 2 of message 1",
                "<- chunk 0 of message 2",
                "<- chunk 2 of message 2",
                "<- chunk 1 of message 2"
            ]
        );
    }
}
