//! This module is one client during one stay: what it has said, heard and still means to say.
//!
//! **In:** the time ([`Client::turn`]) and its socket ([`Client::read`]). **Out:** frames, records,
//! and in the end a [`SessionEnd`] for the goose user behind it.
//!
//! A client that is told of the end of its credential holds two sockets for a moment: see `handover`.
//!
//! The books ([`Ledger`]) and the schedule outlive the socket; a [`Link`] is there only while one
//! is up. A client that is cut off keeps its schedule: what fell due meanwhile is sent when it is
//! back, late and timed from when it was meant.
//!
//! **Units:** microseconds since load start.

mod ending;
mod handover;
mod hear;
mod mapped;
mod order;
mod read;
mod share;
mod turn;

use std::task::Waker;

use tokio::sync::oneshot;

use self::mapped::Mapped;
use self::order::Order;
use super::behavior::Conduct;
use super::job::{Job, OpenRequest, SessionEnd};
use super::lane::LaneContext;
use crate::client::socket::ChatSocket;
use crate::failure::{ABNORMAL, Failure, FailureKind};
use crate::plan::seed::{Purpose, Stream};
use crate::plan::visit::Visit;
use crate::record::diary::{Diary, What};
use crate::record::ledger::Ledger;
use crate::record::recording::CloseCause;

/// How long the orderly end of a socket may take.
const CLOSING_US: u64 = 1_000_000;
/// A socket that ends this soon, before a message of the server came, was never a session.
const FRUITLESS_US: u64 = 1_000_000;
/// 1000: an orderly end.
const NORMAL: u16 = 1000;

/// A client during a stay.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) visit: Visit,
    conduct: Conduct,
    ledger: Ledger,
    retry_jitter: Stream,
    /// The socket, while one is up.
    link: Option<Box<Link>>,
    /// A second one: its successor until that takes over, then its predecessor until that is closed.
    spare: Option<Box<Link>>,
    /// Sockets so far.
    generation: u32,
    /// Until when frames may come again that the socket before brought.
    copies_us: u64,
    /// When the pacer will call; `u64::MAX`: not.
    armed_ns: u64,
    /// Abnormal close that has not been made good.
    cut_us: Option<u64>,
    /// From when a session is missing by plan: start of the stay, or the last planned close.
    missing_us: u64,
    /// A frame has changed what is to be done next.
    stirred: bool,
    /// Every message has its end.
    settled: bool,
    /// What the server leaves unnamed.
    order: Order,
    /// For the examples of a report.
    diary: Diary,
}

/// A socket and what is going on on it.
#[derive(Debug)]
struct Link {
    socket: ChatSocket,
    /// Which socket of the client; tells a session task that its socket is gone.
    generation: u32,
    /// Tells the user how it ended; `None`: that is told already.
    reply: Option<oneshot::Sender<SessionEnd>>,
    /// Asks the user for a successor; `None`: that is asked already.
    renew: Option<oneshot::Sender<()>>,
    waker: Option<Waker>,
    phase: Phase,
    /// When the attempt that opened it began.
    begun_us: u64,
    /// End of patience in phases that wait for one thing.
    deadline_us: u64,
    /// `connected` was read.
    ready_us: u64,
    /// Something was written or read.
    heard_us: u64,
    next_ping_us: u64,
    /// Heartbeat under way: intended, sent.
    ping: Option<(u64, u64)>,
    /// The credential ends soon, as is known since then.
    renew_us: u64,
    /// The kernel did not take everything.
    unflushed: bool,
    /// The server has answered the client's close frame.
    answered: bool,
    /// Messages of the server that came.
    heard: u64,
    /// What templates of a mapped server need.
    mapped: Option<Box<Mapped>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Upgraded; `connected` has not come.
    Opening,
    Open,
    Closing(Why),
}

/// Why a socket is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The stay is over.
    Finish,
    /// The client wants a new session.
    ComeBack,
    /// Another socket has taken over.
    HandedOver,
    /// The server closed it.
    Cut { code: u16, at_us: u64 },
    /// What came breaks the protocol, or a limit of ours.
    Violated { code: u16, at_us: u64 },
}

impl Client {
    pub(super) fn new(job: &Job, visit: Visit) -> Self {
        Self {
            visit,
            conduct: Conduct::new(job.seed, &job.load, &visit),
            ledger: Ledger::new(job.load.drain_us, job.load.message.retries),
            retry_jitter: Stream::new(job.seed, Purpose::Retry, visit.number),
            link: None,
            spare: None,
            generation: 0,
            copies_us: 0,
            armed_ns: u64::MAX,
            cut_us: None,
            missing_us: visit.start_us,
            stirred: false,
            settled: false,
            order: Order::default(),
            diary: Diary::default(),
        }
    }

    /// Takes a socket that has been upgraded. Returns its generation.
    pub(super) fn connect(&mut self, job: &Job, request: OpenRequest, socket: ChatSocket) -> u32 {
        self.generation += 1;
        let link = Box::new(Link {
            socket,
            generation: self.generation,
            reply: Some(request.reply),
            renew: Some(request.renew),
            waker: None,
            phase: Phase::Opening,
            begun_us: request.begun_us,
            deadline_us: request.deadline_us,
            ready_us: u64::MAX,
            heard_us: request.begun_us,
            next_ping_us: u64::MAX,
            ping: None,
            renew_us: u64::MAX,
            unflushed: false,
            answered: false,
            heard: 0,
            mapped: Mapped::of(job, &request.secret, request.deadline_us),
        });
        let place = if self.link.is_some() {
            &mut self.spare
        } else {
            &mut self.link
        };
        *place = Some(link);
        self.generation
    }

    /// The upgrade is done: of some servers that is all that is to be waited for.
    pub(super) fn upgraded(&mut self, lane: &LaneContext) {
        let now_us = lane.job().clock.now_us();
        self.diary.note(now_us, What::Upgraded);
        let Some(dialect) = lane.job().target.dialect.as_deref() else {
            return;
        };
        if !dialect.open.is_empty() {
            self.go_on(lane, dialect, now_us);
        } else if dialect.events.connected.is_none() {
            self.connected(lane, now_us);
        }
    }

    /// Nothing is left to be said or waited for in this stay.
    pub(super) fn idle(&self, now_us: u64) -> bool {
        self.ledger.waiting(now_us) == 0 && self.conduct.next_send_us() >= self.visit.end_us
    }

    /// The stay is over and nothing is left of it.
    pub(super) fn over(&self, job: &Job, now_us: u64) -> bool {
        self.settled
            || now_us >= job.stay_end_us(&self.visit)
            || (now_us >= self.visit.end_us && self.idle(now_us))
    }

    /// The goose user behind it is gone.
    pub(super) fn left(&mut self, lane: &LaneContext) {
        if self.cut_us.take().is_some() {
            lane.reconnecting(-1);
        }
    }

    /// Whether the pacer's call at that moment is still wanted.
    pub(super) fn takes_call(&mut self, at_ns: u64) -> bool {
        let wanted = self.armed_ns == at_ns;
        if wanted {
            self.armed_ns = u64::MAX;
        }
        wanted
    }

    /// Marks what has passed its deadline. Called about once a second.
    pub(super) fn expire(&mut self, lane: &LaneContext, now_us: u64) -> Option<u64> {
        let expired = self.ledger.expire(now_us);
        for &(message, _) in &expired {
            self.diary.note(now_us, What::Overdue { message });
        }
        if !expired.is_empty() {
            let recorder = lane.recorder();
            for &(_, fate) in &expired {
                recorder.expired(fate);
            }
            drop(recorder);
            self.conduct.answered(now_us);
            self.turn(lane, now_us);
        }
        let unsent_us = Some(self.conduct.next_send_us()).filter(|&next| next <= now_us);
        match (self.ledger.oldest_us(now_us), unsent_us) {
            (Some(open), Some(unsent)) => Some(open.min(unsent)),
            (open, unsent) => open.or(unsent),
        }
    }

    /// Settles every message: the end of the stay, or of the run.
    pub(super) fn settle(&mut self, lane: &LaneContext, end_us: u64) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        while let Some(intended_us) = self.conduct.take_due(end_us) {
            self.intend(lane, intended_us, end_us);
        }
        let job = lane.job();
        let visit = self.visit;
        let connected = self
            .link
            .as_ref()
            .is_some_and(|link| link.phase == Phase::Open);
        let mut recorder = lane.recorder();
        for end in self.ledger.settle_all(end_us) {
            let cut_off = end.sent_us.is_none() && !connected;
            recorder.recording_mut().unsent_without_socket += u64::from(cut_off);
            recorder.settle(&end, || job.author(&visit, Some(end.number), &self.diary));
        }
    }

    /// Enters a message into the books.
    fn intend(&mut self, lane: &LaneContext, intended_us: u64, now_us: u64) {
        let mut recorder = lane.recorder();
        recorder.intended();
        if let Some(oldest) = self.ledger.intend(intended_us, now_us) {
            let (job, visit) = (lane.job(), self.visit);
            recorder.failure(now_us, &FailureKind::OpenMessages.into());
            recorder.settle(&oldest, || {
                job.author(&visit, Some(oldest.number), &self.diary)
            });
            self.diary.settled(oldest.number);
        }
    }

    /// The socket is gone. `how` says whose doing it was and what follows.
    fn end(&mut self, lane: &LaneContext, now_us: u64, how: End) {
        let Some(link) = self.link.take() else {
            return;
        };
        let was_open = link.phase != Phase::Opening;
        let idle = self.idle(now_us);
        let (code, cause) = how.close();
        let orderly = code == NORMAL;
        let reply = match how {
            End::Failed(failure) => SessionEnd::Failed {
                failure,
                at_us: now_us,
                retry_after_us: 0,
                idle,
            },
            End::Cut { at_us, .. } | End::Violated { at_us, .. } => {
                if self.cut_us.replace(at_us).is_none() {
                    lane.reconnecting(1);
                }
                let lived_us = at_us.saturating_sub(link.ready_us.min(at_us));
                SessionEnd::Cut {
                    at_us,
                    idle,
                    fruitless: link.heard == 0 && lived_us < FRUITLESS_US,
                }
            }
            End::Finished { .. } => {
                self.settle(lane, now_us);
                SessionEnd::Finished
            }
            End::ComeBack { .. } => {
                self.missing_us = now_us;
                SessionEnd::ComeBack {
                    at_us: now_us,
                    renew: link.renew_us != u64::MAX,
                }
            }
        };
        if was_open {
            self.leaves(lane, now_us, orderly);
            lane.recorder().socket_ended(now_us, code, cause);
        } else {
            lane.opening(-1);
        }
        link.tell(reply);
        self.succeed();
    }
}

/// How a socket ended.
#[derive(Clone, Debug)]
enum End {
    /// Before `connected`.
    Failed(Failure),
    Cut {
        code: u16,
        at_us: u64,
    },
    Violated {
        code: u16,
        at_us: u64,
    },
    Finished {
        orderly: bool,
    },
    ComeBack {
        orderly: bool,
    },
}

impl End {
    /// Close code and whose doing it was.
    const fn close(&self) -> (u16, CloseCause) {
        match self {
            Self::Failed(_) => (ABNORMAL, CloseCause::Cut),
            Self::Cut { code, .. } => (*code, CloseCause::Cut),
            Self::Violated { code, .. } => (*code, CloseCause::Violation),
            Self::Finished { orderly: true } | Self::ComeBack { orderly: true } => {
                (NORMAL, CloseCause::Planned)
            }
            Self::Finished { orderly: false } | Self::ComeBack { orderly: false } => {
                (ABNORMAL, CloseCause::Planned)
            }
        }
    }
}
