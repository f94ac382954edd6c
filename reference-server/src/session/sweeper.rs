//! Everything about a socket that has to do with time, in one task for all of them.
//!
//! A timer per socket would cost more than the socket does. One pass over all of them takes from 20 ns each to
//! half a microsecond, where there are tens of thousands, so the tick follows the shortest of the intervals.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Sessions;
use super::sessions::CLOSE_WAIT;
use crate::clock;
use crate::host::memory::{self, Tide};
use crate::socket::{Conn, Refused, code};
use crate::wire::{Event, Frame};

/// A pass walks through the memory of every socket, which is no longer where the processor finds it at once.
const TICK_MAX: Duration = Duration::from_secs(1);
/// What a socket costs while nothing waits for it, roughly.
const SOCKET_BYTES: usize = 4096;

/// Pings, warns and closes until every socket is to end.
pub(crate) async fn sweep(sessions: Arc<Sessions>) {
    let socket = &sessions.config.socket;
    let shortest = socket
        .ping_interval
        .min(socket.outbox_age)
        .min(socket.handshake_timeout);
    let tick = (shortest / 8).clamp(Duration::from_millis(10), TICK_MAX);
    let mut timer = tokio::time::interval(tick);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut all = Vec::new();
    let mut tide = Tide::new(Instant::now());
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = sessions.ended.cancelled() => return,
        }
        let pass = Pass::new(&sessions);
        sessions.registry.copy_to(&mut all);
        for conn in &all {
            pass.visit(conn);
        }
        let now = Instant::now();
        let in_use = sessions.accounts.forget(now) + all.len() * SOCKET_BYTES;
        all.clear();
        if tide.ebbs(in_use, now) {
            // On a thread of its own, which nobody waits for: it takes the longer the more there
            // is.
            let giving = std::thread::Builder::new().spawn(memory::give_back);
            if let Err(problem) = giving {
                tracing::warn!(%problem, "no memory was given back");
            }
        }
    }
}

struct Pass<'a> {
    sessions: &'a Sessions,
    now_ms: u64,
    now_s: u64,
    ping: Frame,
    redis_gone: bool,
}

impl<'a> Pass<'a> {
    fn new(sessions: &'a Sessions) -> Self {
        let grace = sessions.config.redis.redis_grace;
        let away = sessions.health.away_for();
        Self {
            sessions,
            now_ms: clock::since_start_ms(),
            now_s: clock::unix_s(),
            ping: Frame::ping(),
            redis_gone: away.is_some_and(|away| away > grace),
        }
    }

    fn visit(&self, conn: &Conn) {
        let limits = &self.sessions.config.socket;
        if let Some(since_ms) = conn.closing_since_ms() {
            if self.passed(since_ms, CLOSE_WAIT) {
                conn.kill();
            }
            return;
        }
        let seen_ms = conn.seen_ms.load(Ordering::Relaxed);
        if self.redis_gone {
            conn.close(code::FAILURE, "the message store is gone");
        } else if !conn.is_open() {
            if self.passed(conn.born_ms, limits.handshake_timeout) {
                conn.close(code::FAILURE, "the channel layer did not answer");
            }
        } else if self.passed(seen_ms, limits.ping_timeout) {
            conn.close(code::IDLE, "no frame for too long");
        } else if !self.ended(conn) {
            if self.sessions.config.defects.pings()
                && self.passed(conn.pinged_ms.load(Ordering::Relaxed), limits.ping_interval)
            {
                conn.pinged_ms.store(self.now_ms, Ordering::Relaxed);
                conn.send(&self.ping);
            }
            self.warn(conn);
            conn.tidy(self.now_ms);
        }
    }

    /// Whether the access token behind the socket has ended; says so where it has.
    fn ended(&self, conn: &Conn) -> bool {
        let ended = self.now_s >= conn.jwt_expires_s;
        if ended && !self.sessions.config.defects.tells_of_expiry() {
            conn.kill();
        } else if ended {
            let refused = Refused {
                code: code::UNAUTHENTICATED,
                reason: "the access token expired",
            };
            let refused = refused.on(conn.kind);
            conn.close(refused.code, refused.reason);
        }
        ended
    }

    fn warn(&self, conn: &Conn) {
        if !self.sessions.config.defects.tells_of_expiry() {
            return;
        }
        let warn_at_s = conn
            .jwt_expires_s
            .saturating_sub(self.sessions.config.auth.jwt_warning.as_secs());
        if self.now_s >= warn_at_s && !conn.warned.swap(true, Ordering::Relaxed) {
            let expires_at = clock::rfc3339(conn.jwt_expires_s);
            conn.send(
                &Event::TokenExpiringSoon {
                    expires_at: &expires_at,
                }
                .frame(),
            );
        }
    }

    fn passed(&self, since_ms: u64, wait: Duration) -> bool {
        self.now_ms.saturating_sub(since_ms) >= clock::millis(wait)
    }
}
