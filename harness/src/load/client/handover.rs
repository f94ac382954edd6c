//! This module is how a client changes sockets without a gap: when it is told that its access token ends
//! soon, it opens a second socket under a new one before it gives up the first.
//!
//! ```text
//! token_expiring_soon → new access token, token, socket (the user) → connected
//!   → nothing more is said until what was asked on the old socket is answered there → the old one closes
//! ```
//!
//! Both sockets are in one conversation and hear the same, so what the new one hears before it takes over is
//! passed by, and so is what it brings again shortly after. A successor that is not let in is one more failed connect of its user, who backs off and tries
//! again, while the old socket goes on; where that one ends first, the successor takes its place as it is.
//!
//! **Units:** microseconds since load start. **Source:** wire contract, section 6.

use std::task::{Context, Poll};

use super::read::{FRAMES_PER_TURN, refused_label};
use super::turn::LULL_US;
use super::{ABNORMAL, CLOSING_US, Client, Link, NORMAL, Phase, Why};
use crate::client::dialect;
use crate::client::socket::Incoming;
use crate::client::wire::ServerFrame;
use crate::clock::monotonic_ns;
use crate::load::job::{SessionEnd, answer};
use crate::load::lane::Lane;
use crate::record::diary::What;
use crate::record::recorder::Span;
use crate::record::recording::CloseCause;
use crate::stage::Stage;

impl Client {
    /// Asks the user for a successor to a socket whose credential ends soon, once.
    pub(super) fn ask_for_successor(&mut self, now_us: u64) {
        let Some(link) = self.link.as_mut() else {
            return;
        };
        if link.renew_us <= now_us
            && self.spare.is_none()
            && let Some(reply) = link.reply.take()
        {
            self.diary.note(now_us, What::Renews);
            answer(reply, SessionEnd::HandOver { at_us: now_us });
        }
    }

    /// A second socket is `connected`, and waits to take over.
    pub(super) fn successor_waits(&self) -> bool {
        let spare = self.spare.as_ref();
        spare.is_some_and(|spare| spare.phase == Phase::Open)
    }

    /// The second socket's part in a turn.
    pub(super) fn turn_spare(&mut self, lane: &Lane, now_us: u64) {
        let Some(spare) = self.spare.as_ref() else {
            return;
        };
        let late = now_us >= spare.deadline_us;
        match spare.phase {
            Phase::Opening if late || lane.cancelled() => {
                self.successor_failed(lane, now_us, "connected timeout");
            }
            Phase::Open => {
                // Sends are held back: whatever is open is long over its deadline by then.
                let patience_us = LULL_US + lane.job().load.drain_us;
                let waited = now_us >= spare.ready_us.saturating_add(patience_us);
                let owed = self.ledger.waiting(now_us) > 0;
                let over = now_us >= self.visit.end_us || lane.cancelled();
                if waited || over || !owed {
                    self.hand_over(lane, now_us);
                }
            }
            Phase::Closing(_) if late => self.predecessor_gone(lane, now_us, false),
            Phase::Opening | Phase::Closing(_) => {}
        }
    }

    /// When the second socket wants a turn; `u64::MAX`: not.
    pub(super) fn spare_us(&self, lane: &Lane) -> u64 {
        let patience_us = LULL_US + lane.job().load.drain_us;
        self.spare
            .as_ref()
            .map_or(u64::MAX, |spare| match spare.phase {
                Phase::Open => spare.ready_us.saturating_add(patience_us),
                Phase::Opening | Phase::Closing(_) => spare.deadline_us,
            })
    }

    /// The second socket takes over, and the first is closed.
    fn hand_over(&mut self, lane: &Lane, now_us: u64) {
        // One that ends by itself is succeeded when it has.
        let Some(mut old) = self.link.take_if(|link| link.phase == Phase::Open) else {
            return;
        };
        self.diary.note(now_us, What::Closes);
        old.phase = Phase::Closing(Why::HandedOver);
        old.deadline_us = now_us + CLOSING_US;
        if let Ok(flushed) = old.socket.close() {
            old.unflushed |= !flushed;
        } else {
            old.deadline_us = now_us;
        }
        if let Some(waker) = &old.waker {
            waker.wake_by_ref();
        }
        self.succeed(lane, now_us);
        self.spare = Some(old);
    }

    /// The second socket is the first from now on, however far it is.
    pub(super) fn succeed(&mut self, lane: &Lane, now_us: u64) {
        let is_successor = |spare: &mut Box<Link>| !matches!(spare.phase, Phase::Closing(_));
        self.link = self.spare.take_if(is_successor);
        let Some(link) = &mut self.link else {
            return;
        };
        if link.phase == Phase::Open {
            // What was held back until now is late by the change, not by the harness.
            link.ready_us = now_us;
            self.copies = (self.ledger.next_number(), now_us + CLOSING_US);
            if let Some(cut_us) = self.cut_us.take() {
                lane.reconnecting(-1);
                let span = Span {
                    intended_us: cut_us,
                    begun_us: cut_us,
                    end_us: now_us,
                };
                let mut recorder = lane.recorder().borrow_mut();
                recorder.session_stage(Stage::Reconnect, span);
            }
            self.conduct.opened(now_us);
            self.ledger.new_socket();
            self.order.new_socket();
        }
        // What it has been sent meanwhile is read as the client's own now.
        self.wake();
        self.stirred = true;
    }

    /// Reads the second socket.
    pub(super) fn read_spare(&mut self, lane: &Lane, cx: &mut Context<'_>) {
        let now_ns = monotonic_ns();
        let now_us = lane.job().clock.at_us(now_ns);
        for frames in 0.. {
            let Some(spare) = self.spare.as_mut() else {
                break;
            };
            spare.waker = Some(cx.waker().clone());
            if spare.unflushed {
                match spare.socket.poll_flush(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => spare.unflushed = false,
                    Poll::Ready(Err(_)) => {
                        self.spare_cut(lane, now_us, ABNORMAL);
                        break;
                    }
                }
            }
            if frames == FRAMES_PER_TURN {
                spare.socket.look_again();
                cx.waker().wake_by_ref();
                break;
            }
            match spare.socket.poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(incoming) => self.incoming_spare(lane, incoming, now_ns),
            }
        }
        self.turn(lane, now_us);
    }

    fn incoming_spare(&mut self, lane: &Lane, incoming: Incoming, now_ns: u64) {
        let now_us = lane.job().clock.at_us(now_ns);
        let Some(spare) = self.spare.as_mut() else {
            return;
        };
        match incoming {
            Incoming::Text(text, stamp_ns) => {
                let at_us = lane.received(stamp_ns, now_ns);
                let dialect = lane.job().target.dialect.as_deref();
                match dialect::read(dialect, &text) {
                    Ok(ServerFrame::Connected) => self.successor_ready(lane, at_us),
                    Ok(ServerFrame::TokenExpiringSoon) => spare.renew_us = at_us,
                    _ => {}
                }
            }
            Incoming::Other => lane.received_other(),
            Incoming::Ended => self.spare_cut(lane, now_us, ABNORMAL),
            Incoming::Closing(code) => {
                if !matches!(spare.phase, Phase::Closing(_)) {
                    self.spare_cut(lane, now_us, code);
                }
            }
        }
    }

    /// The second socket is `connected`.
    pub(super) fn successor_ready(&mut self, lane: &Lane, at_us: u64) {
        let heartbeat_us = lane.job().load.heartbeat_us;
        let asked_us = self.link.as_ref().map_or(at_us, |link| link.renew_us);
        let Some(spare) = self.spare.as_mut().filter(|l| l.phase == Phase::Opening) else {
            return;
        };
        spare.up(at_us, lane.job().clock.now_us(), heartbeat_us);
        let span = Span {
            intended_us: asked_us.min(spare.begun_us),
            begun_us: spare.begun_us,
            end_us: at_us,
        };
        self.diary.note(at_us, What::Connected);
        lane.opening(-1);
        let mut recorder = lane.recorder().borrow_mut();
        recorder.session_stage(Stage::SessionReady, span);
        recorder.session(at_us).opened += 1;
        recorder.counters().socket_opened();
    }

    /// The second socket ended without being asked to, or as it was.
    fn spare_cut(&mut self, lane: &Lane, now_us: u64, code: u16) {
        match self.spare.as_ref().map(|spare| spare.phase) {
            None => {}
            Some(Phase::Opening) => self.successor_failed(lane, now_us, refused_label(code)),
            Some(Phase::Closing(_)) => self.predecessor_gone(lane, now_us, true),
            Some(Phase::Open) => {
                let idle = self.idle(now_us);
                let Some(spare) = self.spare.take() else {
                    return;
                };
                let at_us = now_us;
                lane.recorder()
                    .borrow_mut()
                    .socket_ended(now_us, code, CloseCause::Cut);
                spare.tell(SessionEnd::Cut { at_us, idle });
            }
        }
    }

    fn successor_failed(&mut self, lane: &Lane, now_us: u64, label: &'static str) {
        let idle = self.idle(now_us);
        let Some(spare) = self.spare.take() else {
            return;
        };
        lane.opening(-1);
        let at_us = now_us;
        spare.tell(SessionEnd::Failed { label, at_us, idle });
    }

    /// The socket that was handed over is closed.
    fn predecessor_gone(&mut self, lane: &Lane, now_us: u64, orderly: bool) {
        if self.spare.take().is_some() {
            let code = if orderly { NORMAL } else { ABNORMAL };
            lane.recorder()
                .borrow_mut()
                .socket_ended(now_us, code, CloseCause::Planned);
        }
    }
}

impl Link {
    /// `connected` was read.
    pub(super) fn up(&mut self, at_us: u64, now_us: u64, heartbeat_us: u64) {
        self.phase = Phase::Open;
        // Not when the lane got round to reading it: that would be lateness of ours.
        self.ready_us = at_us;
        if heartbeat_us > 0 {
            self.next_ping_us = now_us + heartbeat_us;
        }
    }

    /// Tells the user how it ended, if that is not told already, and wakes its session task.
    pub(super) fn tell(self, end: SessionEnd) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        if let Some(reply) = self.reply {
            answer(reply, end);
        }
    }
}
