//! This module holds a socket that is spoken on one step at a time: say something, hear what comes back.
//!
//! **In:** an open [`ChatSocket`]. **Out:** [`Heard`]: the frame that was waited for, or what came instead.
//! Every wait has a bound. For examinations and trials; the load drives its sockets by itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;

use super::dialect::{self, is_ready_at_once};
use super::frame::{FRAMES_MAX, Seen, frames};
use super::journal::Journal;
use super::opening::{Met, Opening, Ruled, reply};
use super::passed::Passed;
use super::socket::{ChatSocket, Data, Incoming, SendError};
use super::template::{self, Speaker};
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
    /// Frames of the last message that nobody has heard yet.
    unheard: VecDeque<Incoming>,
    /// Who speaks to it.
    speaker: Speaker,
}

/// Where a server says nothing to who is let in, it is let in who is not thrown out within this.
pub(crate) const SETTLING: Duration = Duration::from_secs(2);

/// Whether a client was let in.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The server said so, or every step of its opening is done.
    In,
    /// It said nothing, as it does to who is let in.
    Settled,
    /// A step of the opening did not go on.
    Unopened(Failure),
    /// What was heard instead.
    Not(Heard),
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
            unheard: VecDeque::new(),
            speaker: Speaker::default(),
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
    pub(crate) fn speaking(self, dialect: Option<Arc<Dialect>>, speaker: Speaker) -> Self {
        Self {
            dialect,
            speaker,
            ..self
        }
    }

    /// Who speaks, with what was captured in the opening.
    pub(crate) const fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    /// Waits until the server says yes or no, each of its words within `patience`.
    pub(crate) async fn enter(&mut self, patience: Duration) -> Entry {
        let at_once = is_ready_at_once(self.dialect.as_deref());
        match self.open(patience).await {
            Some(Entry::In) if !at_once => return Entry::In,
            Some(Entry::In) | None => {}
            Some(other) => return other,
        }
        let patience = if at_once { SETTLING } else { patience };
        let connected = |frame: &ServerFrame<'_>| matches!(frame, ServerFrame::Connected);
        match self.hear(patience, connected).await {
            Heard::Frame(_) => Entry::In,
            Heard::Nothing if at_once => Entry::Settled,
            heard => Entry::Not(heard),
        }
    }

    /// Goes through the steps of the opening; `None`: there are none.
    async fn open(&mut self, patience: Duration) -> Option<Entry> {
        let dialect = self
            .dialect
            .clone()
            .filter(|dialect| !dialect.open.is_empty())?;
        let mut opening = Opening::default();
        for nth in 0.. {
            let Some(step) = opening.step(&dialect) else {
                break;
            };
            let id = format!("{}-open.{nth}", self.speaker.conversation);
            let said = opening.says(&dialect, &id, self.speaker.places());
            if said.is_some_and(|said| self.say(said).is_err()) {
                return Some(Entry::Not(Heard::Cut));
            }
            if step.awaited.is_none() {
                opening.pass();
                continue;
            }
            let within = Duration::from_micros(step.within_us).min(patience);
            match timeout(within, self.step(&dialect, &mut opening)).await {
                Ok(None) => {}
                Ok(Some(entry)) => return Some(entry),
                Err(_) => {
                    let failure = opening.unanswered(&dialect, self.is_unfinished());
                    return Some(Entry::Unopened(failure));
                }
            }
        }
        Some(Entry::In)
    }

    /// Hears what a step waits for. `Some`: it does not go on.
    async fn step(&mut self, dialect: &Dialect, opening: &mut Opening) -> Option<Entry> {
        loop {
            let text = match self.take().await {
                Incoming::Text(text, _) => text,
                Incoming::Other | Incoming::Binary(..) => continue,
                incoming => return self.ended(incoming).map(Entry::Not),
            };
            let heard = opening.hear(dialect, &text, self.speaker.places());
            self.speaker.held.captured.extend(heard.captured);
            self.note(&format!("<- {text}"));
            match heard.met {
                Met::Passed => {}
                Met::Answered(answer) => {
                    if self.say(answer).is_err() {
                        return Some(Entry::Not(Heard::Cut));
                    }
                }
                Met::Done => return None,
                Met::Failed(failure) => return Some(Entry::Unopened(failure)),
            }
        }
    }

    /// How the socket ended, where that is what came.
    fn ended(&mut self, incoming: Incoming) -> Option<Heard> {
        match incoming {
            Incoming::Ended(_) => Some(Heard::Cut),
            Incoming::Closing(code, reason) => {
                self.reason = quoted(reason.as_bytes());
                Some(Heard::Closed(code))
            }
            Incoming::Violated(failure) => Some(Heard::Violated(failure)),
            Incoming::Other | Incoming::Binary(..) | Incoming::Text(..) => None,
        }
    }

    /// Answers a text that a rule is about. `false`: none is.
    fn replies(&mut self, text: &str) -> bool {
        let rules = self
            .dialect
            .as_ref()
            .filter(|dialect| !dialect.reply.is_empty());
        let answer =
            rules.and_then(|dialect| reply(dialect, &Seen::new(text), self.speaker.places()));
        let is_ruled = answer.is_some();
        if let Some(Ruled::Answered(answer)) = answer {
            // Servers that ping in frames want them answered.
            self.pings += 1;
            // A socket that takes nothing any more is heard to be so.
            drop(self.say(answer));
        }
        is_ruled
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
            let what = template::shown(Some(&self.speaker.held), what);
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
                    Incoming::Other => {}
                    Incoming::Binary(bytes, _) => {
                        let what = format!("a binary message of {bytes} bytes that is no text");
                        self.passed.note(&what);
                    }
                    incoming @ (Incoming::Ended(_)
                    | Incoming::Closing(..)
                    | Incoming::Violated(_)) => {
                        return self.ended(incoming).unwrap_or(Heard::Cut);
                    }
                    Incoming::Text(text, _) => {
                        if self.replies(&text) {
                            continue;
                        }
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
                let incoming = self.next().await;
                if let Incoming::Text(text, _) = &incoming {
                    self.replies(text);
                }
                if let Some(heard) = self.ended(incoming) {
                    return heard;
                }
            }
            Heard::Frame(String::new())
        };
        timeout(patience, hearing).await.unwrap_or(Heard::Nothing)
    }

    /// The next thing that comes, written down.
    async fn next(&mut self) -> Incoming {
        let incoming = self.take().await;
        if let Incoming::Text(text, _) = &incoming {
            self.note(&format!("<- {text}"));
        }
        incoming
    }

    /// The same; a text is not written down yet.
    async fn take(&mut self) -> Incoming {
        if let Some(frame) = self.unheard.pop_front() {
            return frame;
        }
        let incoming = poll_fn(|cx| self.poll(cx)).await;
        let incoming = self.framed(incoming);
        match &incoming {
            Incoming::Ended(ending) => self.note(&format!("is cut {ending}")),
            Incoming::Closing(code, reason) => {
                self.note(format!("<- close {code} {reason}").trim_end());
            }
            Incoming::Violated(failure) => self.note(&format!("closes: {}", failure.text())),
            Incoming::Binary(bytes, _) => self.note(&format!("<- {bytes} bytes that are no text")),
            Incoming::Other => self.pings += 1,
            Incoming::Text(..) => {}
        }
        incoming
    }

    /// The first frame of a message; the others are heard after it.
    fn framed(&mut self, incoming: Incoming) -> Incoming {
        let Incoming::Text(message, stamp_ns) = &incoming else {
            return incoming;
        };
        let several = self
            .dialect
            .as_ref()
            .filter(|spoken| spoken.frames.is_some());
        let Some(dialect) = several else {
            return incoming;
        };
        let frames = frames(dialect, message).take(FRAMES_MAX);
        self.unheard
            .extend(frames.map(|frame| Incoming::Text(frame.into(), *stamp_ns)));
        // Nothing but line ends, as some beat: heard as a ping is.
        self.unheard.pop_front().unwrap_or(Incoming::Other)
    }

    /// The next thing that comes; what waits to be written (a message, a pong) goes first.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        match self.socket.poll_flush(cx) {
            // What the server said before it stopped reading lies there still.
            Poll::Ready(Err(error)) => match self.socket.poll_next(cx) {
                Poll::Ready(Incoming::Ended(_)) | Poll::Pending => {
                    Poll::Ready(Incoming::Ended(error.ending()))
                }
                said @ Poll::Ready(_) => said,
            },
            Poll::Ready(Ok(())) | Poll::Pending => self.socket.poll_next(cx),
        }
    }

    /// What the kernel does not take yet is written while something is waited for.
    pub(crate) fn say(&mut self, text: String) -> Result<(), SendError> {
        self.note(&format!("-> {text}"));
        self.socket.send(text).map(drop)
    }

    /// A chat message, as this server wants it.
    pub(crate) fn write(&mut self, text: &str, id: &str) -> Result<(), SendError> {
        let mapped = self.dialect.as_deref();
        let mapped = mapped.map(|dialect| (dialect, self.speaker.places()));
        let message = template::message(mapped, text, id);
        self.say(message)
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
    use crate::plan::compile;
    use crate::scenario::Overrides;

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

    /// A text frame of a server, shorter than 126 bytes.
    fn text(text: &str) -> Vec<u8> {
        [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    }

    #[tokio::test]
    async fn a_ping_in_a_frame_that_wants_an_answer_is_a_ping() {
        let scenario = r#"
            load = { clients = 1, hold = "1s" }
            [target]
            send = { heartbeat = "none" }
            [[target.reply]]
            when = { type = "ping" }
            send = '{"type":"pong"}'
            [[target.reply]]
            when = { type = "presence" }
            send = "none"
        "#;
        let plan = compile("t.toml", scenario, &Overrides::default()).unwrap();
        let dialect = plan.environment.dialect.map(Arc::from);
        let (socket, mut server) = pair().await;
        let mut talk = Talk::new(socket).speaking(dialect, Speaker::default());
        for other in ["news", "presence"] {
            let frame = format!("{{\"type\":\"{other}\"}}");
            server.write_all(&text(&frame)).await.unwrap();
        }
        let heard = talk.hear_ping(Duration::from_millis(50)).await;
        assert!(matches!(heard, Heard::Nothing), "{heard:?}");
        server.write_all(&text(r#"{"type":"ping"}"#)).await.unwrap();
        let heard = talk.hear_ping(PATIENCE).await;
        assert!(matches!(heard, Heard::Frame(_)), "{heard:?}");
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
