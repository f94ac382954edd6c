//! What a frame of a client leads to: a message, an answer, a refusal, or the end of the socket.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::Sessions;
use crate::bound::{Allowance, Bucket, Sort};
use crate::clock;
use crate::socket::{ChatMessage, Conn, code};
use crate::wire;
use crate::wire::ClientFrame;

/// How a socket ends.
pub(super) enum End {
    /// By this code and word: nothing that follows is understood, or wanted.
    Broken(u16, &'static str),
    /// It has ended.
    Ended(u16),
}

/// Takes one of the frames that the user may send. `Err` where there is none: the frame is refused,
/// naming the message's id where it has one, or the socket has gone on for so long that it ends.
pub(super) fn afford(
    sessions: &Sessions,
    conn: &Conn,
    (sort, id): (Sort, Option<&str>),
) -> Result<(), Option<End>> {
    let now = Instant::now();
    if !sessions.config.defects.limits_rate() {
        return Ok(());
    }
    let Err(wait) = sessions.accounts.take_frame(&conn.account, sort, now) else {
        return Ok(());
    };
    sessions.metrics.rate_limit_hits.inc();
    sessions.metrics.messages.refused.inc();
    let error = match sort {
        Sort::Message => "too many messages",
        Sort::Other => "too many frames",
    };
    let retry_after = Some(clock::millis(wait).max(1) as f64 / 1e3);
    conn.send(&wire::refusal("rate_limited", error, retry_after, id));
    let mercy = Allowance {
        per_s: 1.0,
        burst: f64::from(sessions.config.chat.flood_strikes),
    };
    let mut left = conn.mercy.lock().unwrap_or_else(PoisonError::into_inner);
    let left = left.get_or_insert_with(|| Bucket::full(mercy, now));
    let flooding = End::Broken(code::FLOODING, "the rate limit was ignored");
    Err(left.take(mercy, now).is_err().then_some(flooding))
}

/// Does what a frame asks for, or says why not. Returns how the socket ends, if it does.
pub(super) fn take(sessions: &Sessions, conn: &Arc<Conn>, text: &str) -> Option<End> {
    let defects = &sessions.config.defects;
    let message_max = defects.message_max(sessions.config.chat.max_message);
    let frame = ClientFrame::parse(conn.kind, text, message_max);
    let counted = match &frame {
        Ok(ClientFrame::Message {
            client_message_id, ..
        }) => (Sort::Message, client_message_id.as_deref()),
        _ => (Sort::Other, None),
    };
    if let Err(end) = afford(sessions, conn, counted) {
        return end;
    }
    match frame {
        Ok(ClientFrame::Ping) if !defects.knows_heartbeats() => {
            conn.send(&wire::refusal("bad_frame", "no message", None, None));
            conn.close(code::FAILURE, "internal error");
        }
        Ok(ClientFrame::Ping) => {
            sessions.metrics.messages.ping.inc();
            conn.send(&sessions.pong);
        }
        Ok(ClientFrame::Resume(after)) => {
            sessions.metrics.messages.resume.inc();
            sessions.rooms.resume(conn, after);
        }
        Ok(ClientFrame::Message {
            text,
            client_message_id,
        }) => {
            sessions.inbox.submit(ChatMessage {
                conn: Arc::clone(conn),
                text,
                client_message_id,
            });
        }
        Err(refusal) => {
            sessions.metrics.messages.refused.inc();
            conn.send(&refusal.frame());
        }
    }
    None
}
