//! This module holds a socket that is spoken on one step at a time: say something, hear what comes back.
//!
//! **In:** an open [`ChatSocket`]. **Out:** [`Heard`]: the frame that was waited for, or what came instead.
//! Every wait has a bound. For examinations and trials; the load drives its sockets by itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;

use super::dialect;
use super::journal::Journal;
use super::socket::{ChatSocket, Data, Incoming, SendError};
use super::wire::{FrameError, ServerFrame};
use crate::account::quoted;
use crate::failure::{Failure, UNFINISHED_AFTER};
use crate::plan::Dialect;

/// A socket and what was heard on it.
#[derive(Debug)]
pub(crate) struct Talk {
    socket: ChatSocket,
    /// Pings of the server so far.
    pub pings: u32,
    /// What the server gave as its reason when it closed, as far as it may be shown.
    reason: String,
    /// Frames that nobody waited for.
    pub passed: Passed,
    /// Where every frame is written down, and what this socket is called there.
    journal: Option<(Journal, String)>,
    /// How the server speaks; `None`: by the contract.
    dialect: Option<Arc<Dialect>>,
}

/// Frames that came while something else was waited for.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub frames: u32,
    /// The beginning of the first.
    pub first: String,
}

impl Passed {
    fn note(&mut self, text: &str) {
        if self.frames == 0 {
            self.first = quoted(text.as_bytes());
        }
        self.frames = self.frames.saturating_add(1);
    }
}

/// What was waited for, or what came instead.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The text of the frame.
    Frame(String),
    /// The server closed with this code.
    Closed(u16),
    /// What came breaks the WebSocket protocol, or a limit of the harness.
    Violated(Failure),
    /// The connection ended without a close frame.
    Cut,
    /// Nothing, in time.
    Nothing,
}

impl Talk {
    pub(crate) fn new(mut socket: ChatSocket) -> Self {
        // It is read a message at a time, with waits between.
        socket.read_thoroughly();
        Self {
            socket,
            pings: 0,
            reason: String::new(),
            passed: Passed::default(),
            journal: None,
            dialect: None,
        }
    }

    /// One whose frames are written down.
    pub(crate) fn noted(self, journal: &Journal, name: &str) -> Self {
        Self {
            journal: Some((journal.clone(), name.to_owned())),
            ..self
        }
    }

    /// One with a server that speaks so.
    pub(crate) fn speaking(self, dialect: Option<Arc<Dialect>>) -> Self {
        Self { dialect, ..self }
    }

    /// What a text of the server says.
    pub(crate) fn parse<'a>(&self, text: &'a str) -> Result<ServerFrame<'a>, FrameError> {
        dialect::read(self.dialect.as_deref(), text)
    }

    /// With which code it was closed, and why, in words.
    pub(crate) fn closed_with(&self, code: u16) -> String {
        match &*self.reason {
            "" => format!("closed with {code}"),
            reason => format!("closed with {code} \"{reason}\""),
        }
    }

    fn note(&self, what: &str) {
        if let Some((journal, name)) = &self.journal {
            journal.note(&format!("{name} {what}"));
        }
    }

    /// The server has been at one message for long.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.socket.is_unfinished_for(UNFINISHED_AFTER)
    }

    /// The first frame that is `wanted`, within `patience`; others pass by.
    pub(crate) async fn hear(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&ServerFrame<'_>) -> bool,
    ) -> Heard {
        let hearing = async {
            loop {
                match self.next().await {
                    Incoming::Ended(_) => return Heard::Cut,
                    Incoming::Closing(code, reason) => {
                        self.reason = quoted(reason.as_bytes());
                        return Heard::Closed(code);
                    }
                    Incoming::Violated(failure) => return Heard::Violated(failure),
                    Incoming::Other => {}
                    Incoming::Binary(bytes, _) => {
                        let what = format!("a binary message of {bytes} bytes that is no text");
                        self.passed.note(&what);
                    }
                    Incoming::Text(text, _) => {
                        if self.parse(&text).is_ok_and(|frame| wanted(&frame)) {
                            return Heard::Frame(text.as_str().to_owned());
                        }
                        self.passed.note(&text);
                    }
                }
            }
        };
        timeout(patience, hearing).await.unwrap_or(Heard::Nothing)
    }

    /// A ping of the server, within `patience`; what else comes passes by.
    pub(crate) async fn hear_ping(&mut self, patience: Duration) -> Heard {
        let begun = self.pings;
        let hearing = async {
            while self.pings == begun {
                match self.next().await {
                    Incoming::Ended(_) => return Heard::Cut,
                    Incoming::Closing(code, reason) => {
                        self.reason = quoted(reason.as_bytes());
                        return Heard::Closed(code);
                    }
                    Incoming::Violated(failure) => return Heard::Violated(failure),
                    Incoming::Other | Incoming::Binary(..) | Incoming::Text(..) => {}
                }
            }
            Heard::Frame(String::new())
        };
        timeout(patience, hearing).await.unwrap_or(Heard::Nothing)
    }

    /// The next thing that comes, written down.
    async fn next(&mut self) -> Incoming {
        let incoming = poll_fn(|cx| self.poll(cx)).await;
        match &incoming {
            Incoming::Ended(ending) => self.note(&format!("is cut {ending}")),
            Incoming::Closing(code, reason) => {
                self.note(format!("<- close {code} {reason}").trim_end());
            }
            Incoming::Violated(failure) => self.note(&format!("closes: {}", failure.text())),
            Incoming::Binary(bytes, _) => self.note(&format!("<- {bytes} bytes that are no text")),
            Incoming::Other => self.pings += 1,
            Incoming::Text(text, _) => self.note(&format!("<- {text}")),
        }
        incoming
    }

    /// The next thing that comes; what waits to be written (a message, a pong) goes first.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        match self.socket.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Incoming::Ended(error.ending())),
            Poll::Ready(Ok(())) | Poll::Pending => self.socket.poll_next(cx),
        }
    }

    /// What the kernel does not take yet is written while something is waited for.
    pub(crate) fn say(&mut self, text: String) -> Result<(), SendError> {
        self.note(&format!("-> {text}"));
        self.socket.send(text).map(drop)
    }

    /// The same with any bytes; `what` they are goes into the journal.
    pub(crate) fn say_bytes(
        &mut self,
        what: &str,
        (kind, bytes): (Data, Vec<u8>),
    ) -> Result<(), SendError> {
        self.note(&format!("-> {what}"));
        self.socket.send_bytes(kind, bytes).map(drop)
    }

    /// An orderly end; nobody waits for it.
    pub(crate) fn close(mut self) {
        drop(self.socket.close());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// For what must come; a wake-up that is missed takes all of it.
    const PATIENCE: Duration = Duration::from_secs(5);
    const PONG: &[u8] = b"\x81\x10{\"event\":\"pong\"}";

    /// A socket of a client, and the bare connection of its server.
    async fn pair() -> (ChatSocket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        (
            ChatSocket::new(client.unwrap(), Vec::new(), 1 << 16),
            server.unwrap().0,
        )
    }

    /// Writes a frame, and lets the runtime hear of its arrival while nobody waits for it.
    async fn arrives(server: &mut TcpStream) {
        server.write_all(PONG).await.unwrap();
        // A turn of the driver: a timer is the one thing that is sure to take one.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn a_frame_that_came_between_two_waits_is_heard() {
        let (socket, mut server) = pair().await;
        let mut talk = Talk::new(socket);
        for _ in 0..3 {
            arrives(&mut server).await;
            let heard = talk.hear(PATIENCE, |frame| matches!(frame, ServerFrame::Pong));
            assert!(matches!(heard.await, Heard::Frame(_)));
        }
    }

    #[tokio::test]
    async fn a_flood_is_read_a_turn_at_a_time_and_to_its_end() {
        /// More than is read in a turn, less than the kernel holds.
        const FRAMES: usize = 8_000;
        let (mut socket, mut server) = pair().await;
        server.write_all(&PONG.repeat(FRAMES)).await.unwrap();
        let first = poll_fn(|cx| socket.poll_next(cx)).await;
        assert!(matches!(first, Incoming::Text(..)), "{first:?}");
        let mut heard = 1;
        while poll_fn(|cx| Poll::Ready(socket.poll_next(cx).is_ready())).await {
            heard += 1;
        }
        assert!((2..FRAMES / 2).contains(&heard), "{heard}");
        while heard < FRAMES {
            let next = timeout(PATIENCE, poll_fn(|cx| socket.poll_next(cx))).await;
            assert!(matches!(next, Ok(Incoming::Text(..))), "{next:?}");
            heard += 1;
        }
    }

    #[tokio::test]
    async fn a_reader_that_gave_way_hears_what_came_meanwhile() {
        let (mut socket, mut server) = pair().await;
        for _ in 0..3 {
            arrives(&mut server).await;
            let next = poll_fn(|cx| socket.poll_next(cx));
            let next = timeout(PATIENCE, next).await;
            assert!(matches!(next, Ok(Incoming::Text(..))), "{next:?}");
            socket.look_again();
        }
    }
}
