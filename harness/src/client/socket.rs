//! This module is an open WebSocket whose frames carry the kernel's receive stamp.
//!
//! **In:** a connected TCP stream. **Out:** messages, each with the moment its bytes arrived.
//!
//! tungstenite runs synchronously over a stream that stamps what it reads, so that a frame may be read later than
//! it came without being timed later. Where one read brings several frames, all carry the stamp of the last. Its
//! read buffer is small because it is zero-filled before every read. With TLS a frame carries the stamp of the read
//! that completed its record.
//!
//! What breaks RFC 6455, or the longest message that is taken, is answered with a close frame that says so; what
//! follows is not read any more.
//!
//! **Units:** stamps are nanoseconds on `CLOCK_REALTIME`, as the kernel gives them; 0: none.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
pub(crate) use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use super::encoding;
use super::meter::Meter;
use super::problem::tls_problem;
use super::stream::{Metered, StampedStream, Wire};
use crate::failure::{Ending, Failure, FailureKind, Rule, TlsProblem};
use crate::plan::{Dialect, Encoding};

/// Zero-filled before every read and kept by every client: small, yet an answer's frames fit.
const READ_BUFFER_BYTES: usize = 512;
/// Frames that the peer does not take; past it the socket counts as dead.
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;
/// A close frame without a code.
const NO_STATUS: u16 = 1005;
/// What tungstenite makes of a close frame whose code may not be sent; it answers with the same.
const FORBIDDEN: (u16, &str) = (1002, "Protocol violation");
/// No frame is so long: the first bit of a length of 64 is zero.
const LENGTH_MAX: usize = 1 << 63;
const DISCARD_BYTES: usize = 4096;

/// A WebSocket of a client.
#[derive(Debug)]
pub(crate) struct ChatSocket {
    inner: WebSocket<Metered>,
    /// The client has closed because of what came: nothing that follows is read any more.
    deaf: bool,
    encoding: Encoding,
}

/// What [`ChatSocket::poll_next`] found.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A text message, or what a binary one says, and its kernel stamp.
    Text(Utf8Bytes, u64),
    /// A binary message of that many bytes that says nothing readable, and its kernel stamp.
    Binary(usize, u64),
    /// A ping or pong; pings are answered by themselves.
    Other,
    /// The server closes with this code and reason; the reply is on its way.
    Closing(u16, Utf8Bytes),
    /// What came breaks the protocol or a limit; the client's close frame, which says so, is on its way.
    Violated(Failure),
    /// The connection is over.
    Ended(Ending),
}

/// Why a frame could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("the socket does not take frames any more")]
pub(crate) struct SendError(#[source] Box<Error>);

impl SendError {
    /// How the socket ended by it.
    pub(crate) fn ending(&self) -> Ending {
        match &*self.0 {
            Error::WriteBufferFull(_) => Ending::Unread,
            Error::Io(error) => ending(error),
            Error::ConnectionClosed | Error::AlreadyClosed => Ending::Closed,
            _ => Ending::Reset,
        }
    }
}

impl ChatSocket {
    /// A client's socket over a stream that has been upgraded. `left_over` are bytes that came
    /// together with the answer to the upgrade.
    /// Messages longer than `message_bytes_max` are not taken.
    pub(crate) fn new(stream: TcpStream, left_over: Vec<u8>, message_bytes_max: usize) -> Self {
        let wire = Wire::Plain(StampedStream::new(stream));
        Self::over(wire, left_over, message_bytes_max)
    }

    /// The same over TLS, whose handshake is done.
    pub(crate) fn secure(
        stream: TcpStream,
        tls: ClientConnection,
        left_over: Vec<u8>,
        message_bytes_max: usize,
    ) -> Self {
        let stream = StreamOwned::new(tls, StampedStream::new(stream));
        Self::over(Wire::Secure(Box::new(stream)), left_over, message_bytes_max)
    }

    fn over(wire: Wire, left_over: Vec<u8>, message_bytes_max: usize) -> Self {
        let mut meter = Meter::default();
        meter.pass(&left_over);
        let stream = Metered { wire, meter };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let inner = if left_over.is_empty() {
            WebSocket::from_raw_socket(stream, Role::Client, Some(config))
        } else {
            WebSocket::from_partially_read(stream, left_over, Role::Client, Some(config))
        };
        Self {
            inner,
            deaf: false,
            encoding: Encoding::Text,
        }
    }

    /// The same with a server that speaks so.
    pub(crate) fn speaking(self, dialect: Option<&Dialect>) -> Self {
        let encoding = dialect.map_or(Encoding::Text, |dialect| dialect.encoding);
        Self { encoding, ..self }
    }

    /// Asks the kernel before every wait. Without it a reader must read to the end in one go, on a
    /// runtime of one thread: were the runtime to hear of an arrival between a short read and the next
    /// one, that arrival would be taken for the one already read, and nobody would wake.
    pub(crate) fn read_thoroughly(&mut self) {
        self.inner.get_mut().wire.stamped_mut().thorough = true;
    }

    /// The next read asks the kernel, once: for a reader that gave way before it had read to the end.
    pub(crate) fn look_again(&mut self) {
        self.inner.get_mut().wire.stamped_mut().drained = false;
    }

    /// The next message; registers for the next one where there is none. Reads so much and no more before others have
    /// their turn.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if self.deaf {
            return self.poll_end(cx);
        }
        loop {
            match self.inner.read() {
                Ok(Message::Text(text)) => {
                    return Poll::Ready(Incoming::Text(text, self.stamp_ns()));
                }
                Ok(Message::Binary(bytes)) => {
                    let length = bytes.len();
                    let stamp_ns = self.stamp_ns();
                    return Poll::Ready(match encoding::text(self.encoding, bytes) {
                        Some(text) => Incoming::Text(text, stamp_ns),
                        None => Incoming::Binary(length, stamp_ns),
                    });
                }
                Ok(Message::Close(frame)) => {
                    let (code, reason) = frame.map_or_else(
                        || (NO_STATUS, Utf8Bytes::from_static("")),
                        |frame| (u16::from(frame.code), frame.reason),
                    );
                    if code == FORBIDDEN.0 && reason.as_str() == FORBIDDEN.1 {
                        let failure = FailureKind::Protocol(Rule::CloseCode).into();
                        self.deaf = true;
                        return Poll::Ready(Incoming::Violated(failure));
                    }
                    return Poll::Ready(Incoming::Closing(code, reason));
                }
                Ok(_) => return Poll::Ready(Incoming::Other),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.is_turn_over(cx) {
                        self.inner.get_mut().meter.wait();
                        return Poll::Pending;
                    }
                }
                Err(error) => return Poll::Ready(self.failed(error)),
            }
        }
    }

    fn stamp_ns(&self) -> u64 {
        self.inner.get_ref().wire.stamped().stamp_ns
    }

    /// Nothing is there to be read, or others have their turn first; whoever reads is woken for the next.
    fn is_turn_over(&mut self, cx: &mut Context<'_>) -> bool {
        let stream = self.inner.get_mut().wire.stamped_mut();
        let is_cut_short = stream.is_turn_over();
        if is_cut_short {
            stream.drained = false;
            cx.waker().wake_by_ref();
        }
        let is_over = is_cut_short || stream.tcp.poll_read_ready(cx).is_pending();
        if is_over {
            stream.reads = 0;
        }
        is_over
    }

    /// A message of the server has been under way for that long.
    pub(crate) fn is_unfinished_for(&self, time: Duration) -> bool {
        !self.deaf && self.inner.get_ref().meter.is_unfinished_for(time)
    }

    /// What an error of the read path means; one that is the server's doing is answered with a close frame.
    fn failed(&mut self, error: Error) -> Incoming {
        let broken = self.inner.get_ref().meter.broken();
        if let (Error::Io(_), Some(broken)) = (&error, broken) {
            let broken = broken.clone();
            return self.violated(broken);
        }
        let failure = match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => return Incoming::Ended(Ending::Closed),
            Error::Io(error) => return Incoming::Ended(ending(&error)),
            Error::Protocol(broken) => {
                let rule = rule(&broken);
                let words = if rule == Rule::Framing {
                    broken.to_string()
                } else {
                    String::new()
                };
                Failure::said(FailureKind::Protocol(rule), &words)
            }
            Error::Capacity(CapacityError::MessageTooLong { size, .. }) if size >= LENGTH_MAX => {
                FailureKind::Protocol(Rule::Length).into()
            }
            Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                let words = format!("{size} bytes, at most {max_size} are taken");
                Failure::said(FailureKind::MessageTooLong, &words)
            }
            Error::Utf8(_) => FailureKind::Protocol(Rule::Utf8).into(),
            other => {
                let kind = FailureKind::Protocol(Rule::Framing);
                Failure::said(kind, &other.to_string())
            }
        };
        self.violated(failure)
    }

    /// Closes because of what came, and says so.
    fn violated(&mut self, failure: Failure) -> Incoming {
        let reason = failure.kind.to_string();
        drop(self.close_with(failure.kind.close_code(), &reason));
        self.deaf = true;
        Incoming::Violated(failure)
    }

    /// Waits for the end of a connection that the client has closed; what still comes is thrown away.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut waste = [0; DISCARD_BYTES];
        loop {
            match self.inner.get_mut().wire.read(&mut waste) {
                Ok(0) => return Poll::Ready(Incoming::Ended(Ending::Closed)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.is_turn_over(cx) {
                        return Poll::Pending;
                    }
                }
                Err(error) => return Poll::Ready(Incoming::Ended(ending(&error))),
            }
        }
    }

    /// Writes what the kernel did not take so far; registers where it still does not.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            match self.inner.flush() {
                Ok(()) | Err(Error::ConnectionClosed) => return Poll::Ready(Ok(())),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self
                        .inner
                        .get_ref()
                        .wire
                        .stamped()
                        .tcp
                        .poll_write_ready(cx)
                        .is_pending()
                    {
                        return Poll::Pending;
                    }
                }
                Err(error) => return Poll::Ready(Err(SendError(Box::new(error)))),
            }
        }
    }

    /// Says a text. `Ok(false)`: the kernel did not take all of it yet, flush later.
    pub(crate) fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<bool, SendError> {
        let message = encoding::message(self.encoding, text.into());
        sent(self.inner.send(message))
    }

    /// Sends a message of any bytes, for whoever wants to know what a server makes of it.
    pub(crate) fn send_bytes(&mut self, kind: Data, bytes: Vec<u8>) -> Result<bool, SendError> {
        let frame = Frame::message(bytes, OpCode::Data(kind), true);
        sent(self.inner.send(Message::Frame(frame)))
    }

    /// Begins an orderly end: 1000. `Ok(false)` as for [`ChatSocket::send`].
    pub(crate) fn close(&mut self) -> Result<bool, SendError> {
        self.close_with(1000, "")
    }

    fn close_with(&mut self, code: u16, reason: &str) -> Result<bool, SendError> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        sent(self.inner.close(Some(frame)))
    }
}

/// How a connection ended that broke without a close frame.
fn ending(error: &io::Error) -> Ending {
    match error.kind() {
        // TLS that ended without its own farewell, too.
        io::ErrorKind::UnexpectedEof => Ending::Closed,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Ending::Reset,
        io::ErrorKind::InvalidData => match tls_problem(error) {
            TlsProblem::Alert(alert) => Ending::Tls(Some(alert)),
            _ => Ending::Tls(None),
        },
        _ => Ending::System(error.raw_os_error().unwrap_or(0)),
    }
}

/// The rule that was broken.
fn rule(error: &ProtocolError) -> Rule {
    match error {
        ProtocolError::NonZeroReservedBits => Rule::ReservedBits,
        ProtocolError::MaskedFrameFromServer => Rule::Masked,
        ProtocolError::UnknownControlFrameType(opcode)
        | ProtocolError::UnknownDataFrameType(opcode)
        | ProtocolError::InvalidOpcode(opcode) => Rule::Opcode(*opcode),
        ProtocolError::FragmentedControlFrame => Rule::ControlFragmented,
        ProtocolError::ControlFrameTooBig => Rule::ControlTooLong,
        ProtocolError::UnexpectedContinueFrame => Rule::NothingToContinue,
        ProtocolError::ExpectedFragment(_) => Rule::InterleavedMessage,
        ProtocolError::InvalidCloseSequence => Rule::ClosePayload,
        ProtocolError::ReceivedAfterClosing => Rule::AfterClose,
        // The rest is about handshakes, which are not tungstenite's here; the words say what it was.
        _ => Rule::Framing,
    }
}

fn sent(result: Result<(), Error>) -> Result<bool, SendError> {
    match result {
        Ok(()) => Ok(true),
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(SendError(Box::new(error))),
    }
}
