//! This module holds what goose users and lanes both need to know of a run, and the two messages
//! that pass between them.
//!
//! **Units:** microseconds since load start.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::numbers;
use super::rooms::{Message, Rooms};
use crate::client::template::{self, Held, Places, message};
use crate::client::wire::filler;
use crate::clock::RunClock;
use crate::environment::TargetInfo;
use crate::failure::Failure;
use crate::plan::seed::{Stream, text_length};
use crate::plan::visit::Visit;
use crate::plan::{Conversation, Cut, Jitter, LoadPlan, ReconnectPlan, estimate};
use crate::record::counters::Counters;
use crate::record::diary::Diary;
use crate::record::fault::FaultBoard;
use crate::record::recorder::Author;
use crate::record::trace::Trace;

/// Longest backoff between two attempts at a message, beside what the server asks for.
const RETRY_SPAN_US_MAX: u64 = 2_000_000;

/// A run, as the load sees it.
#[derive(Debug)]
pub(super) struct Job {
    pub seed: u64,
    pub interval_us: u64,
    pub load: LoadPlan,
    /// What sends wait for; `None`: for nothing.
    pub tick_us: Option<u64>,
    /// Which part of the load this process drives.
    pub cut: Cut,
    /// Its stays, by their place.
    pub visits: Vec<Visit>,
    /// What is said in conversations that several share; `None`: nobody shares one, or copies cannot be told apart.
    pub rooms: Option<Rooms>,
    /// What one of them says is heard in its own room only, as the scenario has it.
    pub has_rooms: bool,
    /// Stays of the run, where ids of messages are numbers: each has every so many-th.
    pub numbered: Option<u64>,
    pub target: TargetInfo,
    /// Its frames can be read at a glance.
    pub is_flat: bool,
    /// Tells this run's conversations and message ids from those of any other.
    pub tag: String,
    pub clock: RunClock,
    pub counters: Arc<Counters>,
    pub board: Arc<FaultBoard>,
    /// Ends everything early.
    pub cancel: CancellationToken,
    pub trace: Trace,
}

/// From a goose user to its lane.
#[derive(Debug)]
pub(super) enum Command {
    /// Open a session.
    Open(Box<OpenRequest>),
    /// The client of that stay gave up or went.
    Left { place: u32 },
}

/// A session to be opened.
#[derive(Debug)]
pub(super) struct OpenRequest {
    /// Which stay, by its place.
    pub place: u32,
    /// Connection token or access token.
    pub secret: String,
    /// What the server has set, as it goes back; empty: nothing.
    pub cookies: String,
    /// Opens a second socket, which is forgotten; only with [`ClientDefect::RacingConnects`].
    ///
    /// [`ClientDefect::RacingConnects`]: crate::plan::ClientDefect::RacingConnects
    pub stray: Option<String>,
    /// When this attempt should have begun: its steps' response times count from here.
    pub intended_us: u64,
    /// When it did.
    pub begun_us: u64,
    /// `connected` must have come by then.
    pub deadline_us: u64,
    pub reply: oneshot::Sender<SessionEnd>,
    /// Its credential ends soon: open a successor under a new one.
    pub renew: oneshot::Sender<()>,
}

/// From a lane to the goose user: how a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// The stay is over; every message has its end.
    Finished,
    /// `connected` did not come.
    Failed {
        failure: Failure,
        at_us: u64,
        /// The server asked to wait that long.
        retry_after_us: u64,
        /// Nothing is left to be said or heard in this stay.
        idle: bool,
    },
    /// The server or the network ended it.
    Cut {
        at_us: u64,
        idle: bool,
        /// Nothing came on it, and it ended at once: no more than a failed attempt.
        fruitless: bool,
    },
    /// The client ended it and wants another.
    ComeBack {
        at_us: u64,
        /// The credential behind it ends soon: get another.
        renew: bool,
    },
    /// Its successor has taken over.
    HandedOver,
}

/// Tells a goose user how its session ended.
pub(super) fn answer(reply: oneshot::Sender<SessionEnd>, end: SessionEnd) {
    if reply.send(end).is_err() {
        tracing::trace!("a user was gone before its session");
    }
}

/// Answers a request whose session will not be opened because everything ends.
pub(super) fn turn_away(request: OpenRequest) {
    answer(request.reply, SessionEnd::Finished);
}

impl Job {
    /// When the last answer may arrive. A run in which nothing is owed ends long before.
    pub(super) fn end_us(&self) -> u64 {
        self.load.end_us()
    }

    /// When the last answer of a stay may arrive.
    pub(super) fn stay_end_us(&self, visit: &Visit) -> u64 {
        visit.end_us.saturating_add(self.load.patience_us())
    }

    /// The account of a stay's client.
    pub(super) fn account(&self, visit: &Visit) -> String {
        self.target.accounts.name(visit.client)
    }

    /// The conversation of a stay. A client that comes back later begins a new one, so that
    /// answers it left behind are not taken for strangers'.
    pub(super) fn conversation(&self, visit: &Visit) -> String {
        match self.load.session.conversation {
            Conversation::Own | Conversation::Room => format!("{}-{}", self.tag, visit.number),
            Conversation::Group => format!("{}-g{}", self.tag, self.group(visit)),
        }
    }

    /// The group of a stay's client, from 0.
    fn group(&self, visit: &Visit) -> u32 {
        visit.client / self.load.session.group.max(1)
    }

    /// Frames about messages of other clients pass by.
    pub(super) fn hears_others(&self) -> bool {
        match self.load.session.conversation {
            Conversation::Own => false,
            Conversation::Group | Conversation::Room => true,
        }
    }

    /// Where a stay's sockets are opened.
    pub(super) fn path(&self, visit: &Visit) -> String {
        match &self.target.dialect {
            Some(dialect) => self.with_places(visit, None, |places| {
                template::path(&dialect.socket.path, places)
            }),
            None => format!("/ws/chat/{}/", self.conversation(visit)),
        }
    }

    /// Message `number` of a stay.
    pub(super) fn message(
        &self,
        visit: &Visit,
        (number, id): (u32, &str),
        held: Option<&Held>,
    ) -> String {
        let payloads = &self.target.payloads;
        let text = if let Some(last) = payloads.len().checked_sub(1) {
            let last = u32::try_from(last).unwrap_or(u32::MAX);
            let place = text_length(self.seed, visit.number, number, 0, last);
            Cow::Borrowed(payloads[place as usize].as_str())
        } else {
            let message = &self.load.message;
            let (min, max) = (message.length_min, message.length_max);
            Cow::Owned(filler(text_length(
                self.seed,
                visit.number,
                number,
                min,
                max,
            )))
        };
        match self.target.dialect.as_deref() {
            Some(dialect) => self.with_places(visit, held, |places| {
                message(Some((dialect, places)), &text, id)
            }),
            None => message(None, &text, id),
        }
    }

    /// What fills the templates of a mapped server, for a stay.
    pub(super) fn with_places<T>(
        &self,
        visit: &Visit,
        held: Option<&Held>,
        fill: impl FnOnce(Places<'_>) -> T,
    ) -> T {
        fill(Places {
            conversation: &self.conversation(visit),
            client: visit.client,
            account: &self.account(visit),
            cells: self.target.accounts.cells(visit.client),
            group: self.group(visit),
            held,
        })
    }

    /// A heartbeat, where there is one.
    pub(super) fn heartbeat(&self, visit: &Visit, held: Option<&Held>) -> Option<String> {
        match self.target.dialect.as_deref() {
            Some(dialect) => self.with_places(visit, held, |places| {
                template::heartbeat(Some((dialect, places)))
            }),
            None => template::heartbeat(None),
        }
    }

    /// An id that no message has, for what is said before a socket is ready.
    pub(super) fn opening_id(&self, visit: &Visit, generation: u32, step: usize) -> String {
        match self.numbered {
            // Those of messages begin at 1.
            Some(_) => "0".to_owned(),
            None => format!("{}-{}-open{generation}.{step}", self.tag, visit.number),
        }
    }

    pub(super) fn message_id(&self, visit: &Visit, number: u32) -> String {
        match self.numbered {
            Some(stays) => numbers::of_message(stays, visit.number, number).to_string(),
            None => format!("{}-{}-{number}", self.tag, visit.number),
        }
    }

    /// Whether a client of this run gave a message that id.
    pub(super) fn is_of_run(&self, id: &str) -> bool {
        match self.numbered {
            Some(stays) => numbers::message_of(stays, id).is_some(),
            None => id
                .strip_prefix(self.tag.as_str())
                .is_some_and(|rest| rest.starts_with('-')),
        }
    }

    /// Number of the message with that id, where it is one of this stay.
    pub(super) fn message_number(&self, visit: &Visit, id: &str) -> Option<u32> {
        let (stay, number) = self.message_of(id)?;
        Some(number).filter(|_| stay == visit.number)
    }

    /// The message of this run with that id.
    pub(super) fn message_of(&self, id: &str) -> Option<Message> {
        if let Some(stays) = self.numbered {
            return numbers::message_of(stays, id);
        }
        let (conversation, number) = id.rsplit_once('-')?;
        let (tag, stay) = conversation.rsplit_once('-')?;
        let (stay, number) = (stay.parse().ok()?, number.parse().ok()?);
        Some((stay, number)).filter(|_| tag == self.tag)
    }

    /// Whose message it is, where a stay of this process said it.
    fn stay(&self, (stay, _): Message) -> Option<&Visit> {
        let place = self
            .visits
            .binary_search_by_key(&stay, |visit| visit.number);
        self.visits.get(place.ok()?)
    }

    /// Whether a message was said in the conversation of that stay's client.
    pub(super) fn is_of_group(&self, visit: &Visit, message: Message) -> bool {
        let writer = self.stay(message);
        // Numbers may be those of a run before.
        self.numbered.is_some()
            || writer.is_some_and(|writer| self.group(writer) == self.group(visit))
    }

    /// Whose message it was, for an example.
    pub(super) fn writer(&self, message: Message) -> Author {
        let number = Some(message.1);
        match self.stay(message) {
            Some(visit) => self.author(visit, number, &Diary::default()),
            None => Author::default(),
        }
    }

    pub(super) fn author(&self, visit: &Visit, number: Option<u32>, diary: &Diary) -> Author {
        Author {
            steps: diary.story(number),
            message: number,
            client: visit.client,
            conversation: self.conversation(visit),
            client_message_id: number.map_or_else(String::new, |n| self.message_id(visit, n)),
        }
    }

    /// Address a stay connects to: clients are spread evenly over those the target has.
    pub(super) fn address(&self, visit: &Visit) -> SocketAddr {
        let addresses = &self.target.addresses;
        addresses[visit.client as usize % addresses.len()]
    }

    /// Base URL of a stay's HTTP requests, where the target has several addresses: a client's tokens
    /// take the way of its sockets. `None`: that of everybody.
    pub(super) fn http_base(&self, visit: &Visit) -> Option<String> {
        let several = self.target.addresses.len() > 1;
        several.then(|| format!("http://{}", self.address(visit)))
    }

    /// Address a stay connects from: those that are named in turn, else on loopback spread so that no source runs out of
    /// ports.
    pub(super) fn source(&self, visit: &Visit) -> Option<SocketAddr> {
        let sources = &self.load.sources;
        if !sources.is_empty() {
            return Some(SocketAddr::from((
                sources[visit.number as usize % sources.len()],
                0,
            )));
        }
        let IpAddr::V4(address) = self.target.addresses.first()?.ip() else {
            return None;
        };
        if !address.is_loopback() {
            return None;
        }
        let turn = visit.number % estimate::sources(&self.load, true);
        let last = u8::try_from(2 + turn).unwrap_or(2);
        Some(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))
    }
}

/// How long to wait before attempt number `nth` (from 1) at a session: exponential, capped, with
/// jitter, and on top of what the server asked for.
///
/// The server's wait is added rather than taken as a lower bound: with full jitter, five draws may
/// all be near zero, and a client must not use up its attempts in an outage it was told to sit out.
pub(super) fn backoff_us(
    plan: &ReconnectPlan,
    nth: u16,
    asked_us: u64,
    jitter: &mut Stream,
) -> u64 {
    asked_us.saturating_add(spread_us(plan, span_us(plan, nth), jitter))
}

/// How long to wait before further attempt number `nth` (from 1) at a message: the same with a low
/// cap. Its answer is owed within the drain, so a wait that doubles on and on would end in a refusal
/// that the service did not cause.
pub(super) fn retry_us(plan: &ReconnectPlan, nth: u16, asked_us: u64, jitter: &mut Stream) -> u64 {
    let span_us = span_us(plan, nth).min(RETRY_SPAN_US_MAX);
    asked_us.saturating_add(spread_us(plan, span_us, jitter))
}

fn span_us(plan: &ReconnectPlan, nth: u16) -> u64 {
    let grown = plan.first_us as f64 * plan.factor.powi(i32::from(nth.max(1)) - 1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "capped, and a plan's factor is not negative"
    )]
    let span_us = grown.min(plan.cap_us as f64) as u64;
    span_us
}

fn spread_us(plan: &ReconnectPlan, span_us: u64, jitter: &mut Stream) -> u64 {
    match plan.jitter {
        Jitter::Full => jitter.below(span_us + 1),
        Jitter::None => span_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::seed::Purpose;
    use proptest::prelude::*;

    const PLAN: ReconnectPlan = ReconnectPlan {
        first_us: 1_000_000,
        factor: 2.0,
        cap_us: 30_000_000,
        jitter: Jitter::Full,
        attempts: 5,
    };
    /// What the server says while its store is away.
    const ASKED_US: u64 = 1_000_000;

    #[test]
    fn the_backoff_doubles_up_to_its_cap() {
        let plan = ReconnectPlan {
            jitter: Jitter::None,
            ..PLAN
        };
        let mut jitter = Stream::new(1, Purpose::Backoff, 1);
        let waits: Vec<u64> = (1..=6)
            .map(|nth| backoff_us(&plan, nth, 0, &mut jitter) / 1_000_000)
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30]);
    }

    proptest! {
        #[test]
        fn five_attempts_outlast_an_outage_of_five_seconds_that_was_announced(seed: u64) {
            let mut jitter = Stream::new(seed, Purpose::Backoff, 1);
            let waited: u64 = (1..=5).map(|nth| backoff_us(&PLAN, nth, ASKED_US, &mut jitter)).sum();
            prop_assert!(waited >= 5 * ASKED_US);
        }

        #[test]
        fn a_message_refused_late_in_an_outage_is_tried_again_before_its_drain_is_over(seed: u64, refused_us in 0_u64..5_200_000) {
            let mut jitter = Stream::new(seed, Purpose::Retry, 1);
            let wait_us = retry_us(&PLAN, 4, ASKED_US, &mut jitter);
            prop_assert!(wait_us >= ASKED_US);
            prop_assert!(refused_us + wait_us < 10_000_000);
        }
    }
}
