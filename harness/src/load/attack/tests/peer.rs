//! A chat server of a few lines, good or bad as a test wants it, over real sockets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// What the server does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// The first message of every id is refused with `unavailable`.
    RefusesOnce,
    /// Every fifth answer of the server ends in the middle, with its TCP connection.
    CutsAnswers,
    /// Chunk 1 comes before chunk 0 and twice; a stranger's chunk comes too.
    Garbles,
    /// `complete` never comes.
    NeverCompletes,
    /// No connection token is given.
    NoTokens,
    /// The first token of every client opens a socket that is closed with 4001.
    BurntTokens,
}

#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) fault: Fault,
    /// While set, messages are not answered; they are when it is cleared.
    pub(super) stalled: AtomicBool,
    pub(super) messages: AtomicU32,
    pub(super) tokens: AtomicU32,
    /// Conversations that somebody came to.
    pub(super) seen: Mutex<BTreeSet<String>>,
}

impl Peer {
    /// Serves on a port of its own until the set is dropped.
    pub(super) async fn serve(self: Arc<Self>, tasks: &mut JoinSet<()>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                clients.spawn(Arc::clone(&self).client(stream));
            }
        });
        address
    }

    async fn client(self: Arc<Self>, mut stream: TcpStream) {
        while let Some((head, body)) = request(&mut stream).await {
            let path = head.split(' ').nth(1).unwrap_or_default();
            if path.starts_with("/ws/") {
                return self.socket(stream, &head).await;
            }
            let (status, answer) = match path {
                "/api/auth/login/" => {
                    assert!(body.contains("\"password\":\"secret\""), "{body}");
                    ("200 OK", json!({"token": "jwt"}))
                }
                _ if self.fault == Fault::NoTokens => ("503 Away", json!({"error": "away"})),
                _ => {
                    let number = self.tokens.fetch_add(1, Ordering::Relaxed);
                    ("200 OK", json!({"connection_token": format!("t{number}")}))
                }
            };
            let answer = answer.to_string();
            let length = answer.len();
            let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{answer}");
            if stream.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn socket(&self, mut stream: TcpStream, head: &str) {
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
        };
        let accept = derive_accept_key(field("Sec-WebSocket-Key: ").as_bytes());
        let text = format!(
            "HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let path = head.split('?').next().unwrap_or_default();
        let first = || self.seen.lock().unwrap().insert(path.to_owned());
        if self.fault == Fault::BurntTokens && first() {
            let frame = CloseFrame {
                code: 4001.into(),
                reason: "".into(),
            };
            drop(socket.close(Some(frame)).await);
            return;
        }
        let greeting = json!({"event": "connected", "conversation_id": "c"});
        if say(&mut socket, greeting).await.is_none() {
            return;
        }
        let mut refused = BTreeSet::new();
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
            while self.stalled.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let said = if frame["type"] == "ping" {
                say(&mut socket, json!({"event": "pong"})).await
            } else {
                let id = frame["client_message_id"].as_str().unwrap();
                let again = refused.contains(id);
                if self.fault == Fault::RefusesOnce && !again {
                    refused.insert(id.to_owned());
                    let error = json!({"event": "error", "error": "away", "code": "unavailable",
                        "retry_after": 0.02, "client_message_id": id});
                    say(&mut socket, error).await
                } else {
                    self.answer(&mut socket, id).await
                }
            };
            if said.is_none() {
                return;
            }
        }
    }

    async fn answer(&self, socket: &mut WebSocketStream<TcpStream>, id: &str) -> Option<()> {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        let task = format!("task of {id}");
        say(
            socket,
            json!({"event": "task_queued", "task_id": task, "client_message_id": id}),
        )
        .await?;
        say(
            socket,
            json!({"event": "processing_started", "task_id": task}),
        )
        .await?;
        let seqs: &[u32] = match self.fault {
            Fault::Garbles => &[1, 0, 1, 2],
            Fault::CutsAnswers if number % 5 == 4 => &[0, 1],
            _ => &[0, 1, 2],
        };
        for seq in seqs {
            say(
                socket,
                json!({"event": "chunk", "task_id": task, "seq": seq, "chunk": "x"}),
            )
            .await?;
        }
        match self.fault {
            Fault::CutsAnswers if number % 5 == 4 => return None,
            Fault::NeverCompletes => return Some(()),
            Fault::Garbles => {
                say(
                    socket,
                    json!({"event": "chunk", "task_id": "whose", "seq": 0, "chunk": "x"}),
                )
                .await?;
            }
            _ => {}
        }
        say(
            socket,
            json!({"event": "complete", "task_id": task, "message_id": "1-0", "chunks": 3}),
        )
        .await
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, frame: serde_json::Value) -> Option<()> {
    socket.send(Message::text(frame.to_string())).await.ok()
}

/// One HTTP request: its head and body.
async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                })
                .and_then(|length| length.parse::<usize>().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
