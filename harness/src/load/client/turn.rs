//! This module is what a client does when a moment has come: send, send again, beat, leave.
//!
//! **Units:** microseconds since load start.

use super::{CLOSING_US, Client, End, Phase, Why};
use crate::client::dialect;
use crate::failure::{FailureKind, UNFINISHED_AFTER};
use crate::load::lane::LaneContext;
use crate::record::diary::What;
use crate::record::ledger::Attempt;

/// Sends of one client before others have their turn.
const SENDS_PER_TURN: usize = 32;
/// How long a client that wants to leave goes on talking while it waits for a lull.
pub(super) const LULL_US: u64 = 2_000_000;

impl Client {
    /// Does what is due and asks the pacer for the next turn.
    pub(in crate::load) fn turn(&mut self, lane: &LaneContext, now_us: u64) {
        self.turn_spare(lane, now_us);
        let phase = self
            .link
            .as_ref()
            .map(|link| (link.phase, link.deadline_us));
        match phase {
            Some((Phase::Opening, deadline_us)) if lane.cancelled() || now_us >= deadline_us => {
                let failure = self.not_ready(lane);
                self.end(lane, now_us, End::Failed(failure));
            }
            Some((Phase::Open, _)) => self.turn_open(lane, now_us),
            Some((Phase::Closing(why), deadline_us)) if now_us >= deadline_us => {
                let answered = self.link.as_ref().is_some_and(|link| link.answered);
                self.closed(lane, now_us, why, answered);
            }
            Some((Phase::Opening | Phase::Closing(_), _)) | None => {}
        }
        self.rearm(lane);
    }

    fn turn_open(&mut self, lane: &LaneContext, now_us: u64) {
        if lane.cancelled() {
            return self.begin_close(lane, now_us, Why::Finish);
        }
        let mut budget = SENDS_PER_TURN;
        while budget > 0 && !self.holds_back(lane, now_us) {
            let Some(intended_us) = self.conduct.take_due(now_us) else {
                break;
            };
            self.intend(lane, intended_us, now_us);
            budget -= 1;
        }
        for _ in 0..SENDS_PER_TURN {
            let Some(attempt) = self.ledger.next_attempt(now_us) else {
                break;
            };
            if !self.send(lane, attempt) {
                return;
            }
        }
        if !self.beat(lane, now_us) {
            return;
        }
        self.ask_for_successor(lane, now_us);
        let waiting = self.ledger.waiting(now_us) > 0;
        let stay_end_us = lane.job().stay_end_us(&self.visit);
        if now_us >= self.visit.end_us {
            let unsaid = self.conduct.next_send_us() < self.visit.end_us;
            // A second socket opens or closes: both within a bound.
            let alone = self.spare.is_none() || now_us >= stay_end_us;
            if alone && (now_us >= stay_end_us || !(waiting || unsaid)) {
                self.begin_close(lane, now_us, Why::Finish);
            }
        } else if let Some(wish_us) = self.wish_us(lane, now_us)
            && (!waiting || now_us >= wish_us + LULL_US + lane.job().load.drain_us)
        {
            self.begin_close(lane, now_us, Why::ComeBack);
        }
    }

    /// Waits for its last answers, so that every frame may be the one to go on.
    pub(super) fn departing(&self, lane: &LaneContext, now_us: u64) -> bool {
        let open = self.link.as_ref().is_some_and(|l| l.phase == Phase::Open);
        let waits = self.spare.as_ref().is_some_and(|s| s.phase == Phase::Open);
        open && (waits || now_us >= self.visit.end_us || self.wish_us(lane, now_us).is_some())
    }

    /// Since when the client wants to leave its session: of its own accord, or because its credential ends and
    /// another socket cannot take over.
    fn wish_us(&self, lane: &LaneContext, now_us: u64) -> Option<u64> {
        let wish_us = self.conduct.leave_us().min(self.leave_to_renew_us(lane));
        (wish_us <= now_us).then_some(wish_us)
    }

    fn leave_to_renew_us(&self, lane: &LaneContext) -> u64 {
        let mapped = lane.job().target.dialect.is_some();
        let link = self.link.as_ref().filter(|_| mapped);
        link.map_or(u64::MAX, |link| link.renew_us)
    }

    /// It has wanted to leave for long, but never found a lull: it stops talking to make one.
    fn holds_back(&self, lane: &LaneContext, now_us: u64) -> bool {
        let wish_us = self.wish_us(lane, now_us);
        now_us < self.visit.end_us && wish_us.is_some_and(|wish| now_us >= wish + LULL_US)
    }

    /// Puts an attempt on the socket. `false`: the socket is gone.
    fn send(&mut self, lane: &LaneContext, attempt: Attempt) -> bool {
        let job = lane.job();
        let id = job.message_id(&self.visit, attempt.number);
        let frame = job.message(&self.visit, (attempt.number, &id), self.held());
        let written_us = job.clock.now_us();
        self.trace(lane, written_us, "->", &frame);
        self.says(lane, attempt, written_us);
        let Some(link) = self.link.as_mut() else {
            self.has_not_said(lane, attempt);
            return false;
        };
        let flushed = match link.socket.send(frame) {
            Ok(flushed) => flushed,
            Err(error) => {
                self.has_not_said(lane, attempt);
                self.cut_off(lane, written_us, error.ending());
                return false;
            }
        };
        link.unflushed |= !flushed;
        link.heard_us = written_us;
        let ready_us = link.ready_us;
        if link.unflushed {
            self.wake();
        }
        self.ledger.sent(attempt.number, written_us);
        let message = attempt.number;
        self.diary.note(written_us, What::Sent { message });
        lane.sent();
        if attempt.first {
            let mut recorder = lane.recorder();
            recorder.first_send(attempt.intended_us, ready_us, written_us);
        }
        true
    }

    /// Sends the heartbeat if it is due. `false`: the socket is gone.
    fn beat(&mut self, lane: &LaneContext, now_us: u64) -> bool {
        let Some(link) = self.link.as_mut() else {
            return false;
        };
        if link.next_ping_us > now_us {
            return true;
        }
        let intended_us = link.next_ping_us;
        let heartbeat_us = lane.job().load.heartbeat_us.max(1);
        let passed = (now_us - intended_us) / heartbeat_us + 1;
        link.next_ping_us = intended_us + passed * heartbeat_us;
        if link.ping.is_some() {
            // The one that is out is timed to its end, however long that takes.
            let mut recorder = lane.recorder();
            recorder.failure(now_us, &FailureKind::HeartbeatUnanswered.into());
            return true;
        }
        let dialect = lane.job().target.dialect.as_deref();
        let Some(heartbeat) = lane.job().heartbeat(&self.visit, self.held()) else {
            if let Some(link) = self.link.as_mut() {
                link.next_ping_us = u64::MAX;
            }
            return true;
        };
        let written_us = lane.job().clock.now_us();
        self.diary.note(written_us, What::Ping);
        self.trace(lane, written_us, "->", &heartbeat);
        let Some(link) = self.link.as_mut() else {
            return false;
        };
        if dialect::has_pong(dialect) {
            link.ping = Some((intended_us, written_us));
        }
        link.heard_us = written_us;
        match link.socket.send(heartbeat) {
            Ok(true) => true,
            Ok(false) => {
                link.unflushed = true;
                self.wake();
                true
            }
            Err(error) => {
                self.cut_off(lane, now_us, error.ending());
                false
            }
        }
    }

    /// Begins the orderly end of the socket.
    pub(super) fn begin_close(&mut self, lane: &LaneContext, now_us: u64, why: Why) {
        let Some(link) = self.link.as_mut() else {
            return;
        };
        self.stirred = true;
        link.phase = Phase::Closing(why);
        if !matches!(why, Why::Cut { .. } | Why::Violated { .. }) {
            if link.socket.is_unfinished_for(UNFINISHED_AFTER) {
                lane.recorder()
                    .failure(now_us, &FailureKind::Unfinished.into());
            }
            let trace = &lane.job().trace;
            trace.tell(now_us, || "-> close 1000".to_owned());
            self.diary.note(now_us, What::Closes);
        }
        link.deadline_us = now_us + CLOSING_US;
        match link.socket.close() {
            Ok(flushed) => link.unflushed |= !flushed,
            Err(_) => return self.closed(lane, now_us, why, false),
        }
        // The session task waits for the server's answer.
        self.wake();
    }

    /// The close handshake is over, or took too long.
    pub(super) fn closed(&mut self, lane: &LaneContext, now_us: u64, why: Why, orderly: bool) {
        let end = match why {
            Why::Finish => End::Finished { orderly },
            Why::ComeBack => End::ComeBack { orderly },
            Why::Cut { code, at_us } => End::Cut { code, at_us },
            Why::Violated { code, at_us } => End::Violated { code, at_us },
            // Not this one: it is not the client's own socket any more.
            Why::HandedOver => return,
        };
        self.end(lane, now_us, end);
    }

    /// The server has been at one message for long.
    pub(super) fn is_unfinished(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.socket.is_unfinished_for(UNFINISHED_AFTER))
    }

    pub(super) fn wake(&self) {
        let waker = self.link.as_ref().and_then(|link| link.waker.as_ref());
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }

    /// Asks the pacer for the next moment at which something is to be done.
    pub(super) fn rearm(&mut self, lane: &LaneContext) {
        let next_us = self
            .link
            .as_ref()
            .map_or(u64::MAX, |link| match link.phase {
                Phase::Opening | Phase::Closing(_) => link.deadline_us,
                Phase::Open => self.next_open_us(lane),
            });
        let next_us = next_us.min(self.spare_us());
        if next_us == u64::MAX {
            return;
        }
        let next_ns = lane.job().clock.monotonic_ns_at(next_us);
        if next_ns < self.armed_ns {
            self.armed_ns = next_ns;
            lane.call_at(next_ns, &self.visit);
        }
    }

    fn next_open_us(&self, lane: &LaneContext) -> u64 {
        let now_us = lane.job().clock.now_us();
        let ping_us = self.link.as_ref().map_or(u64::MAX, |l| l.next_ping_us);
        let send_us = if self.holds_back(lane, now_us) {
            u64::MAX
        } else {
            self.conduct.next_send_us()
        };
        let stay_us = if now_us < self.visit.end_us {
            self.visit.end_us
        } else {
            lane.job().stay_end_us(&self.visit)
        };
        let wish_us = self.conduct.leave_us().min(self.leave_to_renew_us(lane));
        let leave_us = [0, LULL_US, LULL_US + lane.job().load.drain_us]
            .into_iter()
            .map(|after_us| wish_us.saturating_add(after_us))
            .find(|&moment| moment > now_us)
            .unwrap_or(u64::MAX);
        let attempt_us = self.ledger.next_attempt_us(now_us);
        [ping_us, send_us, stay_us, leave_us, attempt_us]
            .into_iter()
            .min()
            .unwrap_or(u64::MAX)
    }
}
