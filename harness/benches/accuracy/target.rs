//! This module is a server whose response times are known: it answers by a law, and writes down how long each answer took.
//!
//! **In:** its law. **Out:** its address, as the first line of stdout; then it serves until it is killed. `GET /record`
//! tells how many frames a socket did not take, then every response time in ascending order, a line each.
//!
//! A response time begins when the kernel received the request (`SO_TIMESTAMPNS`), however late it was read, and ends when
//! the answer is handed to the kernel. What is due is written at its moment: one timer of the kernel (`timerfd`), set to
//! the next, for timers of tokio are as fine as a millisecond. One thread. It reads on while it owes answers.
//!
//! **Units:** nanoseconds of `CLOCK_REALTIME`, which the stamps of the kernel are in.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, IoSliceMut, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::rc::Rc;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{
    ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags,
};
use nix::time::{ClockId, clock_gettime};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::Outcome;
use crate::law::{Law, NS_PER_S};
use crate::wire::{Request, take_frame, text};

const SEED: u64 = 20_261_128;
const BACKLOG: u32 = 4_096;
const READ_BYTES: usize = 2_048;
const REQUEST_BYTES_MAX: usize = 16 << 10;

/// An answer that is owed.
struct Owed {
    stream: Rc<TcpStream>,
    id: String,
    received_ns: u64,
}

struct Server {
    law: Law,
    begun_ns: u64,
    random: RefCell<Xoshiro256PlusPlus>,
    timer: AsyncFd<Timer>,
    /// By when it is due, and which was asked first.
    owed: RefCell<BTreeMap<(u64, u64), Owed>>,
    asked: Cell<u64>,
    record_ns: RefCell<Vec<u64>>,
    /// Frames that a socket did not take.
    choked: Cell<u64>,
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Serves until it is killed.
pub(crate) fn serve(law: Law) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        // Whom it accepts has it from it, and so a stamp on its first byte.
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let listener = socket.listen(BACKLOG)?;
        let timer = TimerFd::new(TimerClock::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; this descriptor is owned, and open as long as the timer"
        )]
        let timer = AsyncFd::with_interest(Timer(timer), Interest::READABLE)?;
        let server = Rc::new(Server {
            law,
            begun_ns: now_ns()?,
            random: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(SEED)),
            timer,
            owed: RefCell::default(),
            asked: Cell::new(0),
            record_ns: RefCell::default(),
            choked: Cell::new(0),
        });
        let mut stdout = io::stdout();
        writeln!(stdout, "{}", listener.local_addr()?)?;
        stdout.flush()?;
        tokio::task::spawn_local(pace(Rc::clone(&server)));
        loop {
            let (stream, _) = listener.accept().await?;
            let server = Rc::clone(&server);
            tokio::task::spawn_local(async move {
                // A connection that broke is the client's to tell.
                drop(connection(&server, stream).await);
            });
        }
    })
}

/// Answers what is due, whenever something is.
async fn pace(server: Rc<Server>) -> io::Result<()> {
    loop {
        // Setting it again resets it, so the count of expirations is never read.
        server.timer.readable().await?.clear_ready();
        loop {
            let mut owed = server.owed.borrow_mut();
            let Some(next) = owed.first_entry() else {
                break;
            };
            let (due_ns, _) = *next.key();
            if due_ns > now_ns()? {
                server.wake_at(due_ns)?;
                break;
            }
            let next = next.remove();
            drop(owed);
            server.answer(&next)?;
        }
    }
}

impl Server {
    fn message(&self, stream: &Rc<TcpStream>, id: String, received_ns: u64) -> io::Result<()> {
        if received_ns == 0 {
            return Err(io::Error::other("a message without a stamp of the kernel"));
        }
        // 53 bits: what a double holds exactly.
        let unit = (self.random.borrow_mut().next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let due_ns = self.law.due_ns(received_ns, self.begun_ns, unit);
        let answer = Owed {
            stream: Rc::clone(stream),
            id,
            received_ns,
        };
        if due_ns <= now_ns()? {
            return self.answer(&answer);
        }
        let asked = self.asked.get();
        self.asked.set(asked + 1);
        let mut owed = self.owed.borrow_mut();
        let first = owed.first_key_value().map(|((due_ns, _), _)| *due_ns);
        if first.is_none_or(|first_ns| due_ns < first_ns) {
            self.wake_at(due_ns)?;
        }
        owed.insert((due_ns, asked), answer);
        Ok(())
    }

    fn answer(&self, owed: &Owed) -> io::Result<()> {
        let id = &owed.id;
        let frame = text(&format!(
            r#"{{"event":"answer","client_message_id":"{id}"}}"#
        ))?;
        let took_ns = now_ns()?.saturating_sub(owed.received_ns);
        if owed.stream.try_write(&frame).ok() == Some(frame.len()) {
            self.record_ns.borrow_mut().push(took_ns);
        } else {
            self.choked.set(self.choked.get() + 1);
        }
        Ok(())
    }

    fn wake_at(&self, due_ns: u64) -> io::Result<()> {
        let (seconds, rest) = (due_ns / NS_PER_S, due_ns % NS_PER_S);
        let at = TimeSpec::new(
            i64::try_from(seconds).map_err(io::Error::other)?,
            i64::try_from(rest).map_err(io::Error::other)?,
        );
        let timer = &self.timer.get_ref().0;
        timer.set(
            Expiration::OneShot(at),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        )?;
        Ok(())
    }

    fn told(&self) -> String {
        let mut record_ns = self.record_ns.borrow_mut();
        record_ns.sort_unstable();
        let mut lines = format!("{}\n", self.choked.get());
        for took_ns in record_ns.iter() {
            lines.push_str(&took_ns.to_string());
            lines.push('\n');
        }
        lines
    }
}

/// Requests of one connection, and the socket that it may become.
async fn connection(server: &Server, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = stream;
    let mut bytes = Vec::new();
    loop {
        let request = loop {
            if let Some(request) = Request::take(&mut bytes)? {
                break request;
            }
            if bytes.len() > REQUEST_BYTES_MAX || receive(&stream, &mut bytes).await?.is_none() {
                return Ok(());
            }
        };
        if let Some(key) = request.key {
            let accept = derive_accept_key(key.as_bytes());
            let mut answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .into_bytes();
            let connected = r#"{"event":"connected","conversation_id":"c"}"#;
            answer.extend(text(connected)?);
            stream.write_all(&answer).await?;
            return socket(server, stream, bytes).await;
        }
        let told = request.path == "/record";
        let body = if told {
            server.told()
        } else {
            r#"{"connection_token":"token","expires_in":60}"#.to_owned()
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        if told {
            return Ok(());
        }
    }
}

/// Frames of one client until it goes.
async fn socket(server: &Server, stream: TcpStream, mut bytes: Vec<u8>) -> io::Result<()> {
    stream.set_zero_linger()?;
    let stream = Rc::new(stream);
    // What came with the upgrade, if anything did, came just now.
    let mut received_ns = now_ns()?;
    loop {
        while let Some((opcode, payload)) = take_frame(&mut bytes)? {
            match opcode {
                OpCode::Data(Data::Text) => {
                    let frame: serde_json::Value = serde_json::from_slice(&payload)?;
                    let id = frame["client_message_id"].as_str().unwrap_or_default();
                    server.message(&stream, id.to_owned(), received_ns)?;
                }
                OpCode::Control(Control::Close) => {
                    // An empty close frame; the client may be gone already.
                    drop(stream.try_write(&[0x88, 0]));
                    return Ok(());
                }
                _ => {}
            }
        }
        match receive(&stream, &mut bytes).await? {
            Some(stamp_ns) => received_ns = stamp_ns,
            None => return Ok(()),
        }
    }
}

/// Waits for bytes and reads them: when the kernel received them, 0 where it does not say; `None` at the end.
async fn receive(stream: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let take = || {
        let mut part = [0; READ_BYTES];
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(&mut part)];
        let fd = stream.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|part| match part {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
            _ => None,
        });
        let read = message.bytes;
        Ok((stamp, part.get(..read).map(<[u8]>::to_vec)))
    };
    let (stamp, part) = stream.async_io(Interest::READABLE, take).await?;
    let part = part.unwrap_or_default();
    if part.is_empty() {
        return Ok(None);
    }
    bytes.extend(part);
    Ok(Some(stamp.map_or(0, nanoseconds)))
}

fn now_ns() -> io::Result<u64> {
    Ok(nanoseconds(clock_gettime(ClockId::CLOCK_REALTIME)?))
}

fn nanoseconds(time: TimeSpec) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds * NS_PER_S + u64::try_from(time.tv_nsec()).unwrap_or(0)
}
