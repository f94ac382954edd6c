//! This module is a server of another make: bytes on sockets, without a library, so that it can break every rule.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Opcodes of RFC 6455.
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The last frame of a message.
pub(crate) const FIN: u8 = 0x80;
/// Bytes of a flood that are written at once, and the pause between the bytes of a drip.
const FLOOD_BYTES: usize = 64 << 10;
const DRIP: Duration = Duration::from_millis(20);
/// Longest wait for a frame of a client; a test is over long before.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where it is, and what it saw.
pub(crate) struct Stranger {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    /// Answers every connection by `serve`, on a thread of its own, until the test is over.
    pub(crate) fn start(
        serve: impl Fn(&mut Connection) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (serve, notes) = (Arc::new(serve), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serve, notes) = (Arc::clone(&serve), Arc::clone(&notes));
                let Ok(stream) = stream else { return };
                thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut connection = Connection {
                        stream,
                        buffer: Vec::new(),
                        notes,
                    };
                    // A client that goes away ends it.
                    let _: Option<()> = serve(&mut connection);
                });
            }
        });
        Self { address, seen }
    }

    /// Answers every upgrade, and each message by `talk`, given its place on the socket from 0.
    pub(crate) fn chatting(
        talk: impl Fn(&mut Connection, usize, &str) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |connection| {
            let head = connection.head()?;
            connection.upgrade(&head)?;
            for number in 0.. {
                let text = connection.message()?;
                talk(connection, number, &text)?;
            }
            Some(())
        })
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

/// One connection of a client. `None` where it is over.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Connection {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.notes.lock().unwrap().push(what.into());
    }

    /// The head of the next request, without its end; a body that follows is read and dropped.
    pub(crate) fn head(&mut self) -> Option<String> {
        let end = loop {
            let end = self
                .buffer
                .windows(4)
                .position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                break end;
            }
            self.fill()?;
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).trim_end().to_owned();
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        self.take(length.unwrap_or(0))?;
        Some(head)
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> Option<()> {
        self.stream.write_all(bytes.as_ref()).ok()
    }

    /// Its socket, for a thread that writes beside.
    pub(crate) fn writer(&self) -> Option<TcpStream> {
        self.stream.try_clone().ok()
    }

    /// Writes that again and again, as fast as it is taken.
    pub(crate) fn forever(&mut self, bytes: &[u8]) -> Option<()> {
        let flood = bytes.repeat((FLOOD_BYTES / bytes.len()).max(1));
        loop {
            self.write(&flood)?;
        }
    }

    /// Writes byte by byte, slowly; then nothing more.
    pub(crate) fn drip(&mut self, bytes: &[u8]) -> Option<()> {
        for byte in bytes {
            self.write([*byte])?;
            thread::sleep(DRIP);
        }
        self.rest()
    }

    /// Does nothing until the client is gone, and reads nothing.
    pub(crate) fn rest(&mut self) -> Option<()> {
        while self.stream.take_error().ok()?.is_none() {
            thread::sleep(DRIP);
        }
        None
    }

    /// Takes all that the client says, on a thread of its own.
    pub(crate) fn drain(&mut self) -> Option<()> {
        let mut stream = self.stream.try_clone().ok()?;
        thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        Some(())
    }

    /// An answer over HTTP; `more` are whole lines of headers.
    pub(crate) fn answer(&mut self, status: u16, more: &str, body: &str) -> Option<()> {
        let length = body.len();
        self.write(format!(
            "HTTP/1.1 {status} X\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Says yes to an upgrade.
    pub(crate) fn upgrade(&mut self, head: &str) -> Option<()> {
        let accept = derive_accept_key(header(head, "sec-websocket-key")?.as_bytes());
        self.write(format!(
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
    }

    /// A frame with that first byte, unmasked as a server must.
    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) -> Option<()> {
        self.write(frame(first, payload))
    }

    /// An event of the contract.
    pub(crate) fn event(&mut self, event: &Value) -> Option<()> {
        self.frame(FIN | TEXT, event.to_string().as_bytes())
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) -> Option<()> {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        self.frame(FIN | CLOSE, &payload)
    }

    /// The next message of the client. Pings are answered; a close frame is noted as `close CODE`, and is the end.
    pub(crate) fn message(&mut self) -> Option<String> {
        loop {
            let head = self.take(2)?;
            let length = match head[1] & 0x7f {
                126 => usize::from(u16::from_be_bytes(self.take(2)?.try_into().ok()?)),
                127 => usize::try_from(u64::from_be_bytes(self.take(8)?.try_into().ok()?)).ok()?,
                length => usize::from(length),
            };
            let mask = self.take(4)?;
            let mut payload = self.take(length)?;
            for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= key;
            }
            match head[0] & 0x0f {
                PING => self.frame(FIN | PONG, &payload)?,
                PONG => {}
                CLOSE => {
                    let code = payload
                        .get(..2)
                        .map(|code| u16::from_be_bytes([code[0], code[1]]));
                    self.note(format!("close {}", code.unwrap_or(1005)));
                    return None;
                }
                _ => return String::from_utf8(payload).ok(),
            }
        }
    }

    /// The answer to a message of the scenarios of these tests.
    pub(crate) fn reply(&mut self, text: &str) -> Option<()> {
        self.frame(FIN | TEXT, reply(text).as_bytes())
    }

    /// Ends the connection as a process does that ends.
    pub(crate) fn hang_up(&self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Some(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 4096];
        let read = self.stream.read(&mut bytes).ok()?;
        self.buffer.extend(&bytes[..read]);
        (read > 0).then_some(())
    }
}

/// A frame with that first byte, unmasked as a server must.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            bytes.push(126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// The same id back, as [`SCENARIO`] wants it.
pub(crate) fn reply(text: &str) -> String {
    let said: Value = serde_json::from_str(text).unwrap();
    serde_json::json!({"type": "reply", "id": said["id"]}).to_string()
}

/// A header of a request.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

/// A few clients that talk to such a server, without a login.
pub(crate) const SCENARIO: &str = r#"# Does it work?
[load]
clients = 4
ramp = "200ms"
hold = "1800ms"
drain = "500ms"
session = { credential = "none" }
message = { every = "150ms" }
reconnect = { first = "100ms", factor = 2, cap = "300ms", attempts = 3 }
# No pause of a busy machine is longer: the run is judged by what the server does.
[[expect]]
what = "complete max"
under = "1h"
[target]
login = "none"
token = "none"
socket = { path = "/" }
send = { message = '{"text":"{text}","id":"{id}"}', heartbeat = "none" }
events = { field = "type", connected = "none", queued = "none", started = "none", chunk = "none", complete = "none", answer = "reply" }
fields = { id = "id" }
"#;

/// The same with a login.
pub(crate) const WITH_LOGIN: &str = r#"# Does it work?
[environment]
users = { prefix = "u-", password = "${env:CHAT_PASSWORD}" }
[load]
clients = 4
ramp = "200ms"
hold = "1800ms"
drain = "500ms"
session = { credential = "query-token" }
message = { every = "150ms" }
reconnect = { first = "100ms", factor = 2, cap = "300ms", attempts = 3 }
[[expect]]
what = "complete max"
under = "1h"
[target]
login = { path = "/login" }
token = "none"
socket = { path = "/ws", query = "token" }
send = { message = '{"text":"{text}","id":"{id}"}', heartbeat = "none" }
events = { field = "type", connected = "none", queued = "none", started = "none", chunk = "none", complete = "none", answer = "reply" }
fields = { id = "id" }
"#;
