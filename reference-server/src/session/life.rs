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

use super::Sessions;
use super::sessions::CLOSE_WAIT;
use super::stream::Stream;
use super::take::{End, afford, take};
use crate::bound::{OutboxBounds, Sort};
use crate::clock;
use crate::route::{Kind, Route};
use crate::socket::{Conn, Opening, Refused, Transport, code};

/// Read at once; a chat message is a hundred bytes, and the buffer lives as long as the socket.
const READ_BUFFER_BYTES: usize = 512;
/// Bytes on the wire for a byte of a message, at worst: fragments of one byte each, masked.
const FRAGMENTS: usize = 8;
/// Bytes of a control frame beside its payload: two, and the mask.
const CONTROL_BYTES: usize = 6;
/// Bytes that are read from a peer whose socket is closing, at most.
const REST_BYTES: usize = 1 << 20;

enum Step {
    Text(tungstenite::Utf8Bytes),
    Other,
    End(End),
}

/// Serves an accepted socket until it ends. `early` is what came behind the request headers; `seat`
/// is given up once the socket is counted.
pub(crate) async fn run<T>(
    sessions: Arc<Sessions>,
    transport: Transport,
    (early, seat): (Bytes, T),
    opening: Opening,
) {
    let (limits, defects) = (&sessions.config.socket, &sessions.config.defects);
    let bounds = defects.outbox(OutboxBounds {
        frames: limits.outbox_messages,
        bytes: limits.outbox_bytes,
        user_bytes: sessions.config.bound.user_bytes(limits),
        age: limits.outbox_age,
    });
    let id = sessions.registry.number();
    let account = opening.member.as_ref().map(|member| &member.account);
    let account = account.map(Arc::clone).unwrap_or_default();
    let conn = Conn::new(
        id,
        (&opening, &account),
        transport,
        (bounds, defects.is_silent()),
        &sessions.metrics,
    );
    let conn = Arc::new(conn);
    let mut socket = protocol(Stream::new(Arc::clone(&conn), early), limits.max_frame);
    if !sessions.registry.add(&conn) {
        conn.close(code::TRY_AGAIN, "too many connections");
        linger(&mut socket, &conn).await;
        conn.transport.say_goodbye();
        sessions.metrics.closed(code::TRY_AGAIN);
        return;
    }
    drop(seat);
    sessions.metrics.connections_open.inc();
    sessions.rooms.join(&conn);
    if sessions.stopping.is_cancelled() {
        conn.close(code::GOING_AWAY, "shutting down");
    }
    let ended = serve(&sessions, &conn, &mut socket).await;
    conn.transport.say_goodbye();
    if defects.leaves_groups() {
        sessions.rooms.leave(&conn);
    }
    sessions.registry.remove(conn.id);
    sessions.metrics.connections_open.dec();
    let code = conn.close_code().unwrap_or(ended);
    sessions.metrics.closed(code);
    tracing::debug!(target: "[WS_SEND]", conn = conn.id, code, "socket closed");
}

/// Completes the refusal of an upgrade: a close frame, the peer's echo, the end.
pub(crate) async fn refuse(
    sessions: Arc<Sessions>,
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
        member: None,
        _place: None,
    };
    let bounds = OutboxBounds {
        frames: 4,
        bytes: 1024,
        user_bytes: 1024,
        age: sessions.config.socket.outbox_age,
    };
    let conn = Arc::new(Conn::new(
        0,
        (&opening, &Arc::default()),
        transport,
        (bounds, sessions.config.defects.is_silent()),
        &sessions.metrics,
    ));
    conn.close(refused.code, refused.reason);
    let mut socket = protocol(Stream::new(Arc::clone(&conn), early), 1024);
    linger(&mut socket, &conn).await;
    conn.transport.say_goodbye();
    sessions.metrics.closed(refused.code);
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

async fn serve(sessions: &Sessions, conn: &Arc<Conn>, socket: &mut WebSocket<Stream>) -> u16 {
    let slow_cpu = sessions.config.slow_cpu;
    loop {
        let step = poll_fn(|context| {
            slow_cpu.burn();
            poll_step(conn, socket, context)
        });
        let end = match step.await {
            Step::Text(text) => {
                touch(conn);
                take(sessions, conn, &text)
            }
            Step::Other => {
                touch(conn);
                afford(sessions, conn, (Sort::Other, None)).err().flatten()
            }
            Step::End(end) => Some(end),
        };
        match end {
            None => {}
            Some(End::Broken(code, reason)) => {
                conn.close(code, reason);
                drain(socket, conn).await;
                return code;
            }
            Some(End::Ended(code)) => return code,
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
                Step::End(_) => return,
            }
        }
    };
    if tokio::time::timeout(CLOSE_WAIT, echoed).await.is_err() {
        tracing::debug!(conn = conn.id, "the peer did not answer the close frame");
    }
}

/// After a broken frame nothing can be understood any more: reads on, so that the kernel does not
/// answer unread bytes with a reset that would overtake the close frame.
async fn drain(socket: &mut WebSocket<Stream>, conn: &Conn) {
    let (mut finished, mut rest) = (false, REST_BYTES);
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
                Ok(read @ 1..) if rest > read => rest -= read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    if tokio::time::timeout(CLOSE_WAIT, discard).await.is_err() {
        tracing::debug!(
            conn = conn.id,
            "the peer went on sending after the close frame"
        );
    }
}

fn poll_step(conn: &Conn, socket: &mut WebSocket<Stream>, context: &mut Context<'_>) -> Poll<Step> {
    conn.waker.register(context.waker());
    if conn.poll_flush(context) == Poll::Ready(false) {
        return Poll::Ready(Step::End(End::Ended(code::ABNORMAL)));
    }
    // What a client sends before `connected` waits in the kernel.
    if !conn.is_open() && conn.close_code().is_none() {
        return Poll::Pending;
    }
    socket.get_mut().wake_by(context.waker());
    let end = match socket.read() {
        Ok(Message::Text(text)) => {
            socket.get_mut().finished();
            return Poll::Ready(Step::Text(text));
        }
        Ok(Message::Ping(payload) | Message::Pong(payload)) => {
            socket.get_mut().apart(payload.len() + CONTROL_BYTES);
            return Poll::Ready(Step::Other);
        }
        Ok(Message::Frame(_)) => return Poll::Ready(Step::Other),
        Ok(Message::Binary(_)) => End::Broken(code::UNSUPPORTED, "text frames only"),
        Ok(Message::Close(frame)) => {
            if let Err(error) = socket.flush() {
                tracing::trace!(conn = conn.id, %error, "the close echo was not needed");
            }
            End::Ended(frame.map_or(code::NO_CODE, |frame| frame.code.into()))
        }
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            match overloaded(conn, socket) {
                Some(end) => end,
                None => return Poll::Pending,
            }
        }
        Err(error) => failed(&error),
    };
    Poll::Ready(Step::End(end))
}

/// Whether more was read for a message than one can have, or is kept for the user than for one.
fn overloaded(conn: &Conn, socket: &WebSocket<Stream>) -> Option<End> {
    let (bytes, together) = socket.get_ref().unfinished();
    let message = socket.get_config().max_message_size.unwrap_or(0);
    if bytes > message.saturating_mul(FRAGMENTS) + READ_BUFFER_BYTES {
        return Some(End::Broken(code::TOO_BIG, "over the frame limit"));
    }
    let much = bytes > READ_BUFFER_BYTES && together > conn.bounds.user_bytes;
    much.then_some(End::Broken(code::TRY_AGAIN, "too much of this user waits"))
}

fn failed(error: &tungstenite::Error) -> End {
    use tungstenite::error::ProtocolError;
    match error {
        tungstenite::Error::Capacity(_) => End::Broken(code::TOO_BIG, "over the frame limit"),
        tungstenite::Error::Utf8(_) => End::Broken(code::INVALID_TEXT, "not UTF-8"),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Io(_) => End::Ended(code::ABNORMAL),
        _ => End::Broken(code::PROTOCOL, "not RFC 6455"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::metrics::Metrics;
    use crate::wire::Frame;

    /// An open socket of the server, and the peer's end of it.
    async fn pair() -> (Arc<Conn>, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let opening = Opening {
            route: Route {
                kind: Kind::Assistant,
                room: "".into(),
            },
            user: 1,
            jwt_expires_s: 0,
            member: None,
            _place: None,
        };
        let bounds = OutboxBounds {
            frames: 4,
            bytes: 1024,
            user_bytes: 1024,
            age: CLOSE_WAIT,
        };
        let conn = Conn::new(
            1,
            (&opening, &Arc::default()),
            Transport::plain(stream),
            (bounds, false),
            &Arc::new(Metrics::new().unwrap()),
        );
        let peer = peer.into_std().unwrap();
        peer.set_nonblocking(false).unwrap();
        (Arc::new(conn), peer)
    }

    /// What the peer gets that sends these bytes, when others go on sending to its socket.
    async fn heard(bytes: &[u8]) -> Vec<u8> {
        let (conn, mut peer) = pair().await;
        conn.open();
        let mut socket = protocol(Stream::new(Arc::clone(&conn), Bytes::new()), 1024);
        peer.write_all(bytes).unwrap();
        let step = poll_fn(|context| poll_step(&conn, &mut socket, context)).await;
        assert!(matches!(step, Step::End(End::Ended(_)) | Step::Other));
        conn.send(&Frame::text("late"));
        conn.finish_writing();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        heard
    }

    #[tokio::test]
    async fn nothing_follows_the_answer_to_a_close() {
        let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
        assert!(heard(&close).await.ends_with(&[0x88, 2, 0x03, 0xe8]));
        let without_code = [0x88, 0x80, 0, 0, 0, 0];
        assert!(heard(&without_code).await.ends_with(&[0x88, 0]));
    }

    #[tokio::test]
    async fn what_follows_a_ping_is_heard() {
        let heard = heard(&[0x89, 0x80, 0, 0, 0, 0]).await;
        assert!(heard.ends_with(b"late"));
    }
}
