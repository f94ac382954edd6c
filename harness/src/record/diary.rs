//! This module is what one client did and heard, in few bytes: the first steps of its stay, the last, and between
//! them those of messages whose end is open.
//!
//! **In:** steps, as they happen, and which messages have their end. **Out:** [`Step`]s in order of time, for the
//! examples of a report: the story of a message holds every step about it that there was room for, a few around each,
//! and how many were left out. No text of a message is ever in it.
//!
//! **Units:** microseconds since load start.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Steps kept from the beginning, and from the end.
const FIRST: usize = 6;
const LAST: usize = 24;
/// Steps between those, of open messages and around them; what is older has the better right to its place.
const HELD_MAX: usize = 48;
/// Open messages whose steps are held.
const OPEN_MAX: usize = 16;
/// Steps before and after one of a message that belong to its story.
const AROUND: u32 = 3;

/// One client's steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary {
    first: Vec<Step>,
    held: Vec<Step>,
    last: VecDeque<Step>,
    /// Messages that were sent and have no end yet.
    open: Vec<u32>,
    /// Number of the next step.
    next: u32,
}

/// What happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub at_us: u64,
    /// Its place among all steps of the client, from 0.
    number: u32,
    pub what: What,
}

/// What a client does or hears. A message goes by its number, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The time in which it may be answered is over.
    Overdue {
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
    /// So many steps that are not told.
    LeftOut(u32),
}

impl Diary {
    pub(crate) fn note(&mut self, at_us: u64, what: What) {
        if let What::Sent { message } = what
            && self.open.len() < OPEN_MAX
            && !self.open.contains(&message)
        {
            self.open.push(message);
        }
        let latest = self.last.back_mut().or(self.first.last_mut());
        if latest.is_some_and(|latest| latest.what.goes_on_with(&what)) {
            return;
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let step = Step {
            at_us,
            number,
            what,
        };
        if self.first.len() < FIRST {
            self.first.push(step);
            return;
        }
        if self.last.len() == LAST {
            self.make_room();
        }
        self.last.push_back(step);
    }

    /// The message has its end, and its story has been told: its steps need no place of their own any more.
    pub(crate) fn settled(&mut self, message: u32) {
        self.open.retain(|&open| open != message);
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let about_open = |step: &&Step| self.is_open(&step.what);
        let owners: Vec<Step> = self
            .first
            .iter()
            .chain(&held)
            .chain(&self.last)
            .filter(about_open)
            .cloned()
            .collect();
        let belongs = |step: &Step| owners.iter().any(|owner| owner.is_near(step));
        self.held = held.into_iter().filter(belongs).collect();
    }

    /// The oldest of the last steps goes; it is held if it is of an open message, or near a step that is.
    fn make_room(&mut self) {
        let Some(step) = self.last.pop_front() else {
            return;
        };
        let before = self.first.iter().chain(&self.held).rev();
        let mut neighbours = std::iter::once(&step)
            .chain(before.take(AROUND as usize))
            .chain(self.last.iter().take(AROUND as usize));
        let belongs = neighbours.any(|other| other.is_near(&step) && self.is_open(&other.what));
        if !belongs {
            return;
        }
        if self.held.len() == HELD_MAX && self.is_open(&step.what) {
            // A message's own step has a better right than the latest neighbour of one.
            let mut held = self.held.iter();
            if let Some(place) = held.rposition(|other| !self.is_open(&other.what)) {
                self.held.remove(place);
            }
        }
        if self.held.len() < HELD_MAX {
            self.held.push(step);
        }
    }

    fn is_open(&self, what: &What) -> bool {
        what.message()
            .is_some_and(|message| self.open.contains(&message))
    }

    /// The steps that are kept, in their order, with how many are not: of one message those about it, a few around each,
    /// and the sockets it lived through; without one, all.
    pub(crate) fn story(&self, message: Option<u32>) -> Vec<Step> {
        let kept = || self.first.iter().chain(&self.held).chain(&self.last);
        let about: Vec<Step> = kept()
            .filter(|step| message.is_some() && step.what.message() == message)
            .cloned()
            .collect();
        let end = about
            .last()
            .map_or(self.next, |last| last.number.saturating_add(AROUND));
        let belongs = |step: &&Step| {
            about.is_empty()
                || about.iter().any(|own| own.is_near(step))
                || (step.what.is_of_socket() && step.number <= end)
        };
        let mut story: Vec<Step> = Vec::new();
        let (mut next, mut passed) = (0, None);
        for step in kept() {
            if !belongs(&step) {
                passed = Some(step.clone());
                continue;
            }
            // To tell one step takes no more room than to say that it is left out.
            let alone = passed.take_if(|one| one.number == next && step.number == next + 1);
            story.extend(alone.or_else(|| Step::gap(step.at_us, next, step.number)));
            story.push(step.clone());
            next = step.number.saturating_add(1);
        }
        let until_us = kept().last().map_or(0, |step| step.at_us);
        story.extend(Step::gap(until_us, next, self.next));
        story
    }
}

impl Step {
    const fn is_near(&self, other: &Self) -> bool {
        self.number.abs_diff(other.number) <= AROUND
    }

    /// What stands for the steps that are missing between two numbers.
    fn gap(at_us: u64, from: u32, to: u32) -> Option<Self> {
        (from < to).then(|| Self {
            at_us,
            number: from,
            what: What::LeftOut(to - from),
        })
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

    /// The message it is about.
    pub(crate) const fn message(&self) -> Option<u32> {
        match self {
            Self::Sent { message }
            | Self::Queued { message }
            | Self::Chunks { message, .. }
            | Self::Complete { message }
            | Self::Overdue { message } => Some(*message),
            Self::Upgraded
            | Self::Connected
            | Self::Refused(_)
            | Self::Ping
            | Self::Pong
            | Self::Stranger
            | Self::Renews
            | Self::Failed(_)
            | Self::Violated(_)
            | Self::Closes
            | Self::Ended(_)
            | Self::LeftOut(_) => None,
        }
    }

    /// It begins or ends a socket.
    const fn is_of_socket(&self) -> bool {
        matches!(
            self,
            Self::Upgraded
                | Self::Connected
                | Self::Renews
                | Self::Failed(_)
                | Self::Violated(_)
                | Self::Closes
                | Self::Ended(_)
        )
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
            Self::Overdue { message } => format!("message {message} is overdue"),
            Self::Refused(failure) => format!("<- error: {}", failure.text()),
            Self::Ping => "-> ping".to_owned(),
            Self::Pong => "<- pong".to_owned(),
            Self::Stranger => "<- a frame for nothing this client asked".to_owned(),
            Self::Renews => "the access token ends soon: gets another".to_owned(),
            Self::Failed(failure) => format!("no session: {}", failure.text()),
            Self::Violated(failure) => format!("{}; -> close", failure.text()),
            Self::Closes => "-> close 1000".to_owned(),
            Self::Ended(failure) => failure.text(),
            Self::LeftOut(1) => "(1 step left out)".to_owned(),
            Self::LeftOut(count) => format!("({count} steps left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends and completes messages from one number to another.
    fn talk(diary: &mut Diary, numbers: std::ops::Range<u32>) {
        for message in numbers {
            let at_us = u64::from(message) * 1_000;
            diary.note(at_us, What::Sent { message });
            diary.note(at_us + 1, What::Complete { message });
            diary.settled(message);
        }
    }

    fn texts(steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| step.what.text()).collect()
    }

    #[test]
    fn the_first_and_the_last_steps_are_kept_in_order() {
        let mut diary = Diary::default();
        for _ in 0..100 {
            diary.note(u64::from(diary.next), What::Ping);
        }
        let steps = diary.story(None);
        assert_eq!(steps.len(), FIRST + 1 + LAST);
        assert_eq!(steps[FIRST].what, What::LeftOut(70));
        assert!(steps.is_sorted_by_key(|step| step.at_us));
        assert_eq!(steps.last().unwrap().at_us, 99);
    }

    #[test]
    fn the_story_of_a_message_holds_every_step_about_it_however_late_its_end_comes() {
        let mut diary = Diary::default();
        diary.note(0, What::Upgraded);
        diary.note(0, What::Connected);
        talk(&mut diary, 0..10);
        diary.note(10_000, What::Sent { message: 10 });
        diary.note(10_001, What::Queued { message: 10 });
        diary.note(10_002, What::Ping);
        diary.note(10_003, What::chunk(10, 0));
        talk(&mut diary, 11..60);
        diary.note(60_000, What::Overdue { message: 10 });
        talk(&mut diary, 61..200);
        assert_eq!(
            texts(&diary.story(Some(10))),
            [
                "socket open",
                "<- connected",
                "(17 steps left out)",
                "<- message 8 is complete",
                "-> message 9",
                "<- message 9 is complete",
                "-> message 10",
                "<- message 10 is queued",
                "-> ping",
                "<- chunk 0 of message 10",
                "-> message 11",
                "<- message 11 is complete",
                "-> message 12",
                "(92 steps left out)",
                "<- message 58 is complete",
                "-> message 59",
                "<- message 59 is complete",
                "message 10 is overdue",
                "-> message 61",
                "<- message 61 is complete",
                "-> message 62",
                "(275 steps left out)",
            ]
        );
        diary.settled(10);
        assert_eq!(diary.held, []);
    }

    #[test]
    fn a_step_that_is_left_out_alone_is_counted_in_the_singular() {
        let mut diary = Diary::default();
        for number in 0..=FIRST + LAST {
            diary.note(number as u64, What::Ping);
        }
        assert!(texts(&diary.story(None)).contains(&"(1 step left out)".to_owned()));
    }

    #[test]
    fn the_own_steps_of_several_messages_drive_out_the_neighbours_of_each() {
        let mut diary = Diary::default();
        let lost = [5, 20, 35, 50, 65, 80];
        for message in 0..200 {
            if lost.contains(&message) {
                let at_us = u64::from(message) * 1_000;
                diary.note(at_us, What::Sent { message });
                diary.note(at_us + 1, What::Queued { message });
            } else {
                talk(&mut diary, message..message + 1);
            }
            if let Some(overdue) = message.checked_sub(30).filter(|it| lost.contains(it)) {
                let at_us = u64::from(message) * 1_000 + 2;
                diary.note(at_us, What::Overdue { message: overdue });
            }
        }
        assert!(diary.held.len() <= HELD_MAX);
        for message in lost {
            let told = texts(&diary.story(Some(message)));
            for own in [
                format!("-> message {message}"),
                format!("<- message {message} is queued"),
                format!("message {message} is overdue"),
            ] {
                assert!(told.contains(&own), "{own}: {told:?}");
            }
        }
    }

    #[test]
    fn what_is_held_has_a_bound_and_the_oldest_messages_stay() {
        let mut diary = Diary::default();
        for message in 0..10_000 {
            diary.note(u64::from(message), What::Sent { message });
            diary.note(u64::from(message), What::Queued { message });
            diary.note(u64::from(message), What::chunk(message, 0));
            diary.note(u64::from(message), What::chunk(message, 2));
        }
        assert_eq!(diary.held.len(), HELD_MAX);
        assert_eq!(diary.open.len(), OPEN_MAX);
        for message in 0..13 {
            let told = texts(&diary.story(Some(message)));
            assert!(told.contains(&format!("-> message {message}")), "{told:?}");
        }
    }

    #[test]
    fn chunks_in_order_are_one_step_and_one_out_of_order_is_not() {
        let mut diary = Diary::default();
        for (message, seq) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 2), (2, 1)] {
            diary.note(0, What::chunk(message, seq));
        }
        assert_eq!(
            texts(&diary.story(None)),
            [
                "<- chunks 0 to 2 of message 1",
                "<- chunk 0 of message 2",
                "<- chunk 2 of message 2",
                "<- chunk 1 of message 2"
            ]
        );
    }
}
