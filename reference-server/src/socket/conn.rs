//! The half of a socket that everybody may write to.
//!
//! Whoever has a frame writes it at once, on its own thread, as long as nothing is waiting: no task
//! has to wake up for a reader that keeps up. Only what the kernel does not take is queued, and
//! then the socket's own task writes it when the kernel has room.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use super::opening::Opening;
use super::outbox::Outbox;
use super::transport::Transport;
use crate::bound::{Account, Bucket, Held, OutboxBounds};
use crate::clock;
use crate::metrics::Metrics;
use crate::route;
use crate::route::Kind;
use crate::wire::{Event, Frame};

/// One accepted socket.
pub(crate) struct Conn {
    /// Number, unique in this process.
    pub(crate) id: u64,
    /// What it is for.
    pub(crate) kind: Kind,
    /// The room it is in.
    pub(crate) room: Arc<str>,
    /// The user's number.
    pub(crate) user: u64,
    /// When the access token behind the socket ends, seconds since 1970.
    pub(crate) jwt_expires_s: u64,
    /// Whether the client was told about that.
    pub(crate) warned: AtomicBool,
    /// Rate limit refusals in a row.
    pub(crate) strikes: AtomicU32,
    /// What it shares with the user's other sockets.
    pub(crate) account: Arc<Account>,
    /// How many more frames it may send past the rate.
    pub(crate) mercy: Mutex<Option<Bucket>>,
    /// When the last frame came, ms since start.
    pub(crate) seen_ms: AtomicU64,
    /// When the last ping went, ms since start.
    pub(crate) pinged_ms: AtomicU64,
    /// When the socket was made, ms since start.
    pub(crate) born_ms: u64,
    pub(crate) waker: AtomicWaker,
    open: AtomicBool,
    pub(crate) transport: Transport,
    outbox: Mutex<Outbox>,
    pub(crate) bounds: OutboxBounds,
    /// Ends without a close frame; see the defect `silent-1006`.
    silent: bool,
    pub(super) metrics: Arc<Metrics>,
}

impl Conn {
    pub(crate) fn new(
        id: u64,
        (opening, account): (&Opening, &Arc<Account>),
        transport: Transport,
        (bounds, silent): (OutboxBounds, bool),
        metrics: &Arc<Metrics>,
    ) -> Self {
        let now_ms = clock::since_start_ms();
        Self {
            id,
            kind: opening.route.kind,
            room: Arc::clone(&opening.route.room),
            user: opening.user,
            jwt_expires_s: opening.jwt_expires_s,
            warned: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            account: Arc::clone(account),
            mercy: Mutex::default(),
            seen_ms: AtomicU64::new(now_ms),
            pinged_ms: AtomicU64::new(now_ms),
            born_ms: now_ms,
            waker: AtomicWaker::new(),
            open: AtomicBool::new(false),
            transport,
            outbox: Mutex::new(Outbox::new(Held::by(account))),
            bounds,
            silent,
            metrics: Arc::clone(metrics),
        }
    }

    /// Says `connected` and lets the reading begin.
    pub(crate) fn open(&self) {
        if !self.open.swap(true, Ordering::AcqRel) {
            self.metrics.connections_opened.inc();
            self.send(
                &Event::Connected {
                    conversation_id: route::id(&self.room),
                }
                .frame(),
            );
            self.waker.wake();
        }
    }

    /// Whether `connected` was said.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Writes a frame, or queues what the kernel does not take. Nothing follows a close frame.
    pub(crate) fn send(&self, frame: &Frame) {
        let mut outbox = self.lock();
        if outbox.closing.is_none() {
            self.push(&mut outbox, frame);
        }
    }

    /// Whether a replay may go on: it leaves the other half of the outbox to what comes live.
    /// `true` too where nothing is sent any more.
    pub(crate) fn has_room(&self) -> bool {
        let outbox = self.lock();
        outbox.closing.is_some() || outbox.gone || outbox.is_half_empty(&self.bounds)
    }

    /// Says goodbye with a code; what was waiting is dropped. Only the first call counts.
    pub(crate) fn close(&self, code: u16, reason: &str) {
        if self.silent {
            return self.kill();
        }
        self.say_last(&Frame::close(code, reason), code);
    }

    /// Writes what the protocol library has to say. Its close frame answers the peer's, and nothing follows it
    /// either, whoever else has this socket on a list.
    pub(crate) fn reply(&self, frame: &Frame) {
        match frame.closes_with() {
            Some(code) => self.say_last(frame, code),
            None => self.send(frame),
        }
    }

    /// Writes a close frame in place of what waits, once.
    fn say_last(&self, frame: &Frame, code: u16) {
        let mut outbox = self.lock();
        if outbox.closing.is_none() {
            outbox.clear();
            self.push(&mut outbox, frame);
            outbox.closing = Some((code, clock::since_start_ms()));
            drop(outbox);
            self.waker.wake();
        }
    }

    /// The code of the close frame that this side sent.
    pub(crate) fn close_code(&self) -> Option<u16> {
        self.lock().closing.map(|(code, _)| code)
    }

    /// Ends the socket without waiting for the peer.
    pub(crate) fn kill(&self) {
        self.lock().gone = true;
        self.waker.wake();
    }

    /// Since when this side has been closing, ms since start.
    pub(crate) fn closing_since_ms(&self) -> Option<u64> {
        self.lock().closing.map(|(_, since)| since)
    }

    /// Drops what is too old, and closes a reader that never catches up.
    pub(crate) fn tidy(&self, now_ms: u64) {
        let (expired, stuck) = {
            let mut outbox = self.lock();
            if outbox.closing.is_some() || outbox.is_calm() {
                return;
            }
            (
                outbox.expire(now_ms, &self.bounds),
                outbox.is_stuck(now_ms, &self.bounds),
            )
        };
        self.count_dropped("expired", expired);
        if stuck {
            self.close(super::code::TRY_AGAIN, "reads too slowly");
        }
    }

    fn push(&self, outbox: &mut Outbox, frame: &Frame) {
        if outbox.gone {
            return;
        }
        let (mut rest, mut started) = (frame.clone(), false);
        if outbox.is_empty() {
            match self.transport.try_write(frame.bytes()) {
                Ok(written) if written == frame.bytes().len() => {
                    if !self.transport.flush().unwrap_or(false) {
                        self.waker.wake();
                    }
                    return outbox.caught_up();
                }
                Ok(written) => (rest, started) = (frame.rest(written), written > 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => outbox.gone = true,
            }
            self.waker.wake();
        }
        let dropped = outbox.push(rest, started, &self.bounds);
        self.count_dropped("full", dropped);
    }

    fn count_dropped(&self, reason: &str, frames: u64) {
        if frames > 0 {
            self.metrics
                .dropped
                .with_label_values(&[reason])
                .inc_by(frames);
        }
    }

    /// Writes what waits. `Ready` with whether the connection still lives, once nothing waits.
    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            {
                let mut outbox = self.lock();
                while !outbox.gone
                    && let Some(frame) = outbox.front()
                {
                    match self.transport.try_write(frame.bytes()) {
                        Ok(written) => outbox.advance(written),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(_) => outbox.gone = true,
                    }
                }
                match self.transport.flush() {
                    Ok(true) if outbox.is_empty() => return Poll::Ready(!outbox.gone),
                    Ok(_) => {}
                    Err(_) => outbox.gone = true,
                }
                if outbox.gone {
                    return Poll::Ready(false);
                }
            }
            match self.transport.poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Tells the peer that nothing more will be written.
    pub(crate) fn finish_writing(&self) {
        if let Err(error) = self.transport.finish_writing() {
            tracing::debug!(conn = self.id, %error, "the peer was gone before the end");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
