//! This module is a server that does next to nothing: the contract's wire, answers by the clock, no store.
//!
//! **Out:** its address, as the first line of stdout; then it serves until it is killed. `GET /counts` tells how many
//! sockets are open and how many messages were answered.
//!
//! One thread. An answer is six frames in four writes: acknowledged and begun at once, a chunk after 15 and 30 ms, the
//! last one and the end after 45 ms. A frame that the kernel does not take at once is counted: nothing was measured then.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::Outcome;

/// When the writes of an answer are due, after the first.
const STEPS: [Duration; 3] = [
    Duration::from_millis(15),
    Duration::from_millis(30),
    Duration::from_millis(45),
];
const BACKLOG: u32 = 4_096;
const HEAD_BYTES_MAX: usize = 16 << 10;
const TICK: Duration = Duration::from_millis(1);

/// A socket to which something is to be written then, and of which task.
type Due = (Instant, Rc<TcpStream>, u64);

#[derive(Default)]
struct Server {
    open: Cell<u64>,
    answered: Cell<u64>,
    /// Sockets that did not take a frame.
    choked: Cell<u64>,
    tasks: Cell<u64>,
    /// By step: all of one step wait equally long, so that the first of each is the next.
    due: [RefCell<VecDeque<Due>>; STEPS.len()],
}

/// Serves until it is killed.
pub(crate) fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener: TcpListener = socket.listen(BACKLOG)?;
        let mut stdout = io::stdout();
        writeln!(stdout, "{}", listener.local_addr()?)?;
        stdout.flush()?;
        let server = Rc::new(Server::default());
        tokio::task::spawn_local(pace(Rc::clone(&server)));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let server = Rc::clone(&server);
            tokio::task::spawn_local(async move {
                // A connection that broke is the client's to tell.
                drop(connection(&server, stream).await);
            });
        }
    })
}

/// Writes what is due.
async fn pace(server: Rc<Server>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        for (step, queue) in server.due.iter().enumerate() {
            loop {
                let mut queue = queue.borrow_mut();
                if queue.front().is_none_or(|(at, ..)| *at > now) {
                    break;
                }
                let Some((_, stream, task)) = queue.pop_front() else {
                    break;
                };
                drop(queue);
                let mut frames = Vec::with_capacity(192);
                let chunk = format!(
                    r#"{{"event":"chunk","task_id":"t-{task}","seq":{step},"chunk":"part of an answer"}}"#
                );
                text(&mut frames, &chunk);
                if step + 1 == STEPS.len() {
                    let end = format!(
                        r#"{{"event":"complete","task_id":"t-{task}","message_id":"m-{task}","chunks":3}}"#
                    );
                    text(&mut frames, &end);
                    server.answered.set(server.answered.get() + 1);
                }
                write(&server, &stream, &frames);
            }
        }
    }
}

fn write(server: &Server, stream: &TcpStream, frames: &[u8]) {
    if stream.try_write(frames).ok() != Some(frames.len()) {
        server.choked.set(server.choked.get() + 1);
    }
}

/// A text frame as a server writes it.
fn text(frames: &mut Vec<u8>, payload: &str) {
    frames.push(0x81);
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => frames.push(short),
        _ => {
            frames.push(126);
            let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
            frames.extend(length.to_be_bytes());
        }
    }
    frames.extend(payload.as_bytes());
}

/// Requests of one connection, and the socket that it may become.
async fn connection(server: &Server, mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                break end + 4;
            }
            if bytes.len() > HEAD_BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        if let Some(key) = header(&head, "sec-websocket-key") {
            let accept = derive_accept_key(key.as_bytes());
            let mut answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .into_bytes();
            text(
                &mut answer,
                r#"{"event":"connected","conversation_id":"c"}"#,
            );
            stream.write_all(&answer).await?;
            bytes.drain(..end);
            server.open.set(server.open.get() + 1);
            let done = socket(server, stream, bytes).await;
            server.open.set(server.open.get() - 1);
            return done;
        }
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or(0);
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        bytes.drain(..end + length);
        let body = if path == "/counts" {
            let all = [&server.open, &server.answered, &server.choked];
            let [open, answered, choked] = all.map(Cell::get);
            format!("{open} {answered} {choked}")
        } else {
            let token = server.tasks.get();
            server.tasks.set(token + 1);
            format!(r#"{{"connection_token":"token-{token}","expires_in":60}}"#)
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Frames of one client until it goes.
async fn socket(server: &Server, stream: TcpStream, mut bytes: Vec<u8>) -> io::Result<()> {
    stream.set_zero_linger()?;
    let stream = Rc::new(stream);
    loop {
        while let Some((opcode, payload)) = frame(&mut bytes) {
            match opcode {
                0x1 => message(server, &stream, &payload),
                0x8 => {
                    write(server, &stream, &[0x88, 0]);
                    return Ok(());
                }
                _ => {}
            }
        }
        stream.readable().await?;
        match stream.try_read_buf(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn message(server: &Server, stream: &Rc<TcpStream>, payload: &[u8]) {
    const ID: &[u8] = br#""client_message_id":""#;
    let mut frames = Vec::with_capacity(256);
    let Some(at) = find(payload, ID) else {
        text(&mut frames, r#"{"event":"pong"}"#);
        return write(server, stream, &frames);
    };
    let id = &payload[at + ID.len()..];
    let id = String::from_utf8_lossy(&id[..find(id, b"\"").unwrap_or(id.len())]).into_owned();
    let task = server.tasks.get();
    server.tasks.set(task + 1);
    let queued =
        format!(r#"{{"event":"task_queued","task_id":"t-{task}","client_message_id":"{id}"}}"#);
    text(&mut frames, &queued);
    let begun = format!(r#"{{"event":"processing_started","task_id":"t-{task}"}}"#);
    text(&mut frames, &begun);
    write(server, stream, &frames);
    let now = Instant::now();
    for (queue, after) in server.due.iter().zip(STEPS) {
        (queue.borrow_mut()).push_back((now + after, Rc::clone(stream), task));
    }
}

/// Takes a whole frame of a client from the front: its kind and what it says.
fn frame(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, at) = match second & 0x7f {
        126 => (
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
            4,
        ),
        // Nobody sends so much here.
        127 => return None,
        short => (usize::from(short), 2),
    };
    let mask: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    let payload = bytes.get(at + 4..at + 4 + length)?;
    let payload = payload.iter().zip(mask.iter().cycle());
    let payload = payload.map(|(byte, mask)| byte ^ mask).collect();
    bytes.drain(..at + 4 + length);
    Some((first & 0xf, payload))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
