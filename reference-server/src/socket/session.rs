//! The life of one socket: opened, read until it ends, taken off the books.

use std::future::poll_fn;
use std::io;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio_tungstenite::tungstenite;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::code;
use super::conn::Conn;
use super::outbox::Bounds;
use super::stream::Stream;
use super::transport::Transport;
use crate::clock;
use crate::intake::{self, Ask};
use crate::route::{Kind, Route};
use crate::shared::Shared;
use crate::wire::{self, ClientFrame, Event};

/// Read at once; a chat message is a hundred bytes, and the buffer lives as long as the socket.
const READ_BUFFER_BYTES: usize = 512;

/// An upgrade that was granted.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Where to.
    pub(crate) route: Route,
    /// The user's number.
    pub(crate) user: u64,
    /// When the access token behind it ends, seconds since 1970.
    pub(crate) jwt_expires_s: u64,
}

/// An upgrade that is completed only to say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The close code.
    pub(crate) code: u16,
    /// For people.
    pub(crate) reason: &'static str,
}

impl Refused {
    /// As it is said on that kind of socket: the admin feed has codes of its own.
    pub(crate) fn on(self, kind: Kind) -> Self {
        let code = match (kind, self.code) {
            (Kind::Admin, code::UNAUTHENTICATED) => code::ADMIN_UNAUTHENTICATED,
            (Kind::Admin, code::FORBIDDEN) => code::ADMIN_FORBIDDEN,
            (_, code) => code,
        };
        Self { code, ..self }
    }
}

enum Step {
    Text(tungstenite::Utf8Bytes),
    Other,
    Broken(u16, &'static str),
    Ended(u16),
}

/// Serves an accepted socket until it ends. `early` is what came behind the request headers.
pub(crate) async fn run(shared: Arc<Shared>, transport: Transport, early: Bytes, opening: Opening) {
    let (limits, defects) = (&shared.config.socket, shared.config.defects);
    let bounds = defects.outbox(Bounds {
        frames: limits.outbox_messages,
        bytes: limits.outbox_bytes,
        age: limits.outbox_age,
    });
    let id = shared.registry.number();
    let conn = Conn::new(
        id,
        opening,
        transport,
        (bounds, defects.is_silent()),
        &shared.metrics,
    );
    let conn = Arc::new(conn);
    let mut socket = protocol(Stream::new(Arc::clone(&conn), early), limits.max_frame);
    if !shared.registry.add(&conn) {
        conn.close(code::TRY_AGAIN, "too many connections");
        linger(&mut socket, &conn).await;
        conn.transport.say_goodbye();
        shared.metrics.closed(code::TRY_AGAIN);
        return;
    }
    shared.metrics.connections_open.inc();
    shared.rooms.join(&conn);
    if shared.stopping.is_cancelled() {
        conn.close(code::GOING_AWAY, "shutting down");
    }
    let ended = serve(&shared, &conn, &mut socket).await;
    conn.transport.say_goodbye();
    if defects.leaves_groups() {
        shared.rooms.leave(&conn);
    }
    shared.registry.remove(conn.id);
    shared.metrics.connections_open.dec();
    let code = conn.close_code().unwrap_or(ended);
    shared.metrics.closed(code);
    tracing::debug!(target: "[WS_SEND]", conn = conn.id, code, "socket closed");
}

/// Completes the refusal of an upgrade: a close frame, the peer's echo, the end.
pub(crate) async fn refuse(
    shared: Arc<Shared>,
    transport: Transport,
    early: Bytes,
    refused: Refused,
) {
    let opening = Opening {
        route: Route {
            kind: Kind::Assistant,
            room: "".into(),
        },
        user: 0,
        jwt_expires_s: 0,
    };
    let bounds = Bounds {
        frames: 4,
        bytes: 1024,
        age: shared.config.socket.outbox_age,
    };
    let conn = Arc::new(Conn::new(
        0,
        opening,
        transport,
        (bounds, shared.config.defects.is_silent()),
        &shared.metrics,
    ));
    conn.close(refused.code, refused.reason);
    let mut socket = protocol(Stream::new(Arc::clone(&conn), early), 1024);
    linger(&mut socket, &conn).await;
    conn.transport.say_goodbye();
    shared.metrics.closed(refused.code);
}

fn protocol(stream: Stream, max_frame: usize) -> WebSocket<Stream> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(max_frame + READ_BUFFER_BYTES)
        .max_message_size(Some(max_frame))
        .max_frame_size(Some(max_frame));
    WebSocket::from_raw_socket(stream, Role::Server, Some(config))
}

async fn serve(shared: &Shared, conn: &Arc<Conn>, socket: &mut WebSocket<Stream>) -> u16 {
    loop {
        match poll_fn(|context| poll_step(conn, socket, context)).await {
            Step::Text(text) => {
                touch(conn);
                take(shared, conn, &text);
            }
            Step::Other => touch(conn),
            Step::Broken(code, reason) => {
                conn.close(code, reason);
                drain(socket, conn).await;
                return code;
            }
            Step::Ended(code) => return code,
        }
    }
}

fn touch(conn: &Conn) {
    conn.seen_ms
        .store(clock::since_start_ms(), Ordering::Relaxed);
}

/// Waits for the peer's close frame after ours, for two seconds at most.
async fn linger(socket: &mut WebSocket<Stream>, conn: &Conn) {
    let echoed = async {
        loop {
            match poll_fn(|context| poll_step(conn, socket, context)).await {
                Step::Text(_) | Step::Other => {}
                Step::Broken(..) | Step::Ended(_) => return,
            }
        }
    };
    if tokio::time::timeout(super::sweeper::CLOSE_WAIT, echoed)
        .await
        .is_err()
    {
        tracing::debug!(conn = conn.id, "the peer did not answer the close frame");
    }
}

/// After a broken frame nothing can be understood any more: reads on, so that the kernel does not
/// answer unread bytes with a reset that would overtake the close frame.
async fn drain(socket: &mut WebSocket<Stream>, conn: &Conn) {
    let mut finished = false;
    let discard = poll_fn(|context| {
        conn.waker.register(context.waker());
        match conn.poll_flush(context) {
            Poll::Ready(false) => return Poll::Ready(()),
            Poll::Ready(true) if !finished => {
                conn.finish_writing();
                finished = true;
            }
            Poll::Ready(true) | Poll::Pending => {}
        }
        socket.get_mut().wake_by(context.waker());
        let mut bytes = [0_u8; 4096];
        loop {
            match socket.get_mut().read(&mut bytes) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    if tokio::time::timeout(super::sweeper::CLOSE_WAIT, discard)
        .await
        .is_err()
    {
        tracing::debug!(
            conn = conn.id,
            "the peer went on sending after the close frame"
        );
    }
}

fn poll_step(conn: &Conn, socket: &mut WebSocket<Stream>, context: &mut Context<'_>) -> Poll<Step> {
    conn.waker.register(context.waker());
    if conn.poll_flush(context) == Poll::Ready(false) {
        return Poll::Ready(Step::Ended(code::ABNORMAL));
    }
    // What a client sends before `connected` waits in the kernel.
    if !conn.is_open() && conn.close_code().is_none() {
        return Poll::Pending;
    }
    socket.get_mut().wake_by(context.waker());
    match socket.read() {
        Ok(Message::Text(text)) => Poll::Ready(Step::Text(text)),
        Ok(Message::Binary(_)) => Poll::Ready(Step::Broken(code::UNSUPPORTED, "text frames only")),
        Ok(Message::Close(frame)) => {
            if let Err(error) = socket.flush() {
                tracing::trace!(conn = conn.id, %error, "the close echo was not needed");
            }
            let code = frame.map_or(code::NO_CODE, |frame| frame.code.into());
            Poll::Ready(Step::Ended(code))
        }
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Poll::Ready(Step::Other),
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            Poll::Pending
        }
        Err(error) => Poll::Ready(failed(&error)),
    }
}

fn failed(error: &tungstenite::Error) -> Step {
    use tungstenite::error::ProtocolError;
    match error {
        tungstenite::Error::Capacity(_) => Step::Broken(code::TOO_BIG, "over the frame limit"),
        tungstenite::Error::Utf8(_) => Step::Broken(code::INVALID_TEXT, "not UTF-8"),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Io(_) => Step::Ended(code::ABNORMAL),
        _ => Step::Broken(code::PROTOCOL, "not RFC 6455"),
    }
}

fn take(shared: &Shared, conn: &Arc<Conn>, text: &str) {
    let defects = shared.config.defects;
    let message_max = defects.message_max(shared.config.chat.max_message);
    match ClientFrame::parse(conn.kind, text, message_max) {
        Ok(ClientFrame::Ping) if !defects.knows_heartbeats() => {
            conn.send(&wire::refusal("bad_frame", "no message", None, None));
            conn.close(code::FAILURE, "internal error");
        }
        Ok(ClientFrame::Ping) => {
            shared.metrics.messages.ping.inc();
            conn.send(&shared.pong);
        }
        Ok(ClientFrame::Resume(after)) => {
            shared.metrics.messages.resume.inc();
            shared.rooms.resume(conn, after);
        }
        Ok(ClientFrame::Message {
            text,
            client_message_id,
        }) => {
            let ask = Ask {
                conn: Arc::clone(conn),
                text,
                client_message_id,
            };
            intake::take(shared, ask);
        }
        Err(refusal) => {
            shared.metrics.messages.refused.inc();
            conn.send(&refusal.frame());
        }
    }
}

/// The frame that answers a heartbeat.
pub(crate) fn pong() -> crate::frame::Frame {
    Event::Pong.frame()
}
