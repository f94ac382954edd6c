//! This module is a server of another make: it says over HTTP what a test wants, opens sockets, and remembers what
//! it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

/// Longest time that a test leaves a connection alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `POST /login HTTP/1.1`
    pub line: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Which request of its connection, from 0.
    pub nth: u32,
}

impl Asked {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.headers.iter().filter(|(other, _)| other == name);
        headers.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    fn is_upgrade(&self) -> bool {
        self.all("upgrade") == ["websocket"]
    }
}

/// What is answered.
pub(crate) enum Answer {
    /// A status, further headers as lines, a body.
    Http(u16, String, String),
    /// 101, and then for every text what the other says.
    Socket(fn(&str) -> Option<Message>),
    /// The connection ends.
    HangUp,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Http(status, String::new(), body.to_owned())
    }

    /// Every text comes back.
    pub(crate) fn echo() -> Self {
        Self::Socket(|text| Some(Message::text(text)))
    }
}

type Answers = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A running server; its threads end with the test's process.
pub(crate) struct Peer {
    pub address: SocketAddr,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    asked: Mutex<Vec<Asked>>,
    said: Mutex<Vec<String>>,
}

impl Peer {
    pub(crate) fn start(answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", None, Arc::new(answers)).unwrap()
    }

    /// One that closes a connection when it is used again.
    pub(crate) fn serving_once(answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(move |asked| {
            if asked.nth > 0 {
                Answer::HangUp
            } else {
                answers(asked)
            }
        })
    }

    pub(crate) fn secure(
        tls: ServerConfig,
        answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", Some(Arc::new(tls)), Arc::new(answers)).unwrap()
    }

    /// One at `[::1]`; `None`: this machine has no such address.
    pub(crate) fn over_ipv6(
        answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Option<Self> {
        Self::at("[::1]:0", None, Arc::new(answers)).ok()
    }

    fn at(
        listen: &str,
        tls: Option<Arc<ServerConfig>>,
        answers: Arc<Answers>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let heard = Arc::new(Heard::default());
        let shared = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, heard, tls) =
                    (Arc::clone(&answers), Arc::clone(&shared), tls.clone());
                thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    match tls {
                        Some(tls) => {
                            let connection = ServerConnection::new(tls).unwrap();
                            serve(StreamOwned::new(connection, stream), &answers, &heard);
                        }
                        None => serve(stream, &answers, &heard),
                    }
                });
            }
        });
        Ok(Self { address, heard })
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.heard.asked.lock().unwrap().clone()
    }

    /// What was said on its sockets so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.heard.said.lock().unwrap().clone()
    }

    /// How often a path was asked for, whatever its query.
    pub(crate) fn count(&self, path: &str) -> usize {
        let asked = self.asked();
        let paths = asked.iter().map(Asked::path);
        paths
            .filter(|found| found.split('?').next() == Some(path))
            .count()
    }
}

/// One connection, up to its end.
fn serve(stream: impl Read + Write, answers: &Arc<Answers>, heard: &Heard) {
    let mut stream = BufReader::new(stream);
    let mut requests = 0..;
    while let (Some(nth), Some(asked)) = (requests.next(), read(&mut stream)) {
        let asked = Asked { nth, ..asked };
        heard.asked.lock().unwrap().push(asked.clone());
        let text = match answers(&asked) {
            Answer::HangUp => return,
            Answer::Http(status, headers, body) => format!(
                "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            Answer::Socket(say) if asked.is_upgrade() => {
                let key = asked.all("sec-websocket-key").concat();
                let text = format!(
                    "HTTP/1.1 101 Said\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                    derive_accept_key(key.as_bytes())
                );
                if stream.get_mut().write_all(text.as_bytes()).is_ok() {
                    talk(stream.into_inner(), say, heard);
                }
                return;
            }
            Answer::Socket(_) => "HTTP/1.1 404 Said\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        if stream.get_mut().write_all(text.as_bytes()).is_err() || stream.get_mut().flush().is_err()
        {
            return;
        }
    }
}

fn read(stream: &mut BufReader<impl Read>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" if lines.is_empty() => {}
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some(Asked {
        line: lines[0].clone(),
        headers,
        body: String::from_utf8(body).unwrap(),
        nth: 0,
    })
}

fn talk(stream: impl Read + Write, say: fn(&str) -> Option<Message>, heard: &Heard) {
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    while let Ok(message) = socket.read() {
        let Message::Text(text) = message else {
            continue;
        };
        heard.said.lock().unwrap().push(text.to_string());
        if let Some(answer) = say(&text)
            && socket.send(answer).is_err()
        {
            return;
        }
    }
}
