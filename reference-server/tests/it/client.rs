//! A chat client: HTTP for tokens, one WebSocket, frames as JSON.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, tungstenite};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::client::Response;

use crate::support::{PASSWORD, PATIENCE, Server};

/// Logs a user in; the access token.
pub(crate) async fn login(server: &Server, user: u32) -> String {
    login_as(server, &format!("user-{user:06}")).await
}

/// Logs anybody in; the access token.
pub(crate) async fn login_as(server: &Server, name: &str) -> String {
    let body = json!({ "email": name, "password": PASSWORD });
    let response = post(server, "/api/auth/login/", None, &body).await;
    let body: Value = response.json().await.unwrap();
    body["token"].as_str().unwrap().to_owned()
}

/// Asks for a connection token.
pub(crate) async fn ask_token(server: &Server, access: &str) -> reqwest::Response {
    let body = json!({ "connection_id": "test" });
    post(
        server,
        "/api/v1/auth/ws-connection-token/",
        Some(access),
        &body,
    )
    .await
}

/// A connection token.
pub(crate) async fn token(server: &Server, access: &str) -> String {
    let response = ask_token(server, access).await;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    body["connection_token"].as_str().unwrap().to_owned()
}

/// Posts JSON.
pub(crate) async fn post(
    server: &Server,
    path: &str,
    bearer: Option<&str>,
    body: &Value,
) -> reqwest::Response {
    let request = reqwest::Client::new()
        .post(server.http(path))
        .json(body)
        .timeout(PATIENCE);
    let request = match bearer {
        Some(bearer) => request.bearer_auth(bearer),
        None => request,
    };
    request.send().await.unwrap()
}

/// One WebSocket.
pub(crate) struct Client {
    /// The protocol stream, for tests that need more than text.
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// The server's answer to the upgrade.
    pub(crate) upgrade: Response,
}

impl Client {
    /// Opens a socket; whatever the server then sends is still to be read.
    pub(crate) async fn open(
        server: &Server,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let stream = TcpStream::connect(server.address()).await?;
        Self::open_over(stream, server, (path, headers)).await
    }

    /// The same at another address than a server's own.
    pub(crate) async fn open_at(
        address: std::net::SocketAddr,
        path: &str,
    ) -> Result<Self, tungstenite::Error> {
        let stream = TcpStream::connect(address).await?;
        Self::handshake(stream, address, (path, &[])).await
    }

    /// The same over a connection that was made before.
    pub(crate) async fn open_over(
        stream: TcpStream,
        server: &Server,
        what: (&str, &[(&'static str, &str)]),
    ) -> Result<Self, tungstenite::Error> {
        Self::handshake(stream, server.address(), what).await
    }

    async fn handshake(
        stream: TcpStream,
        address: std::net::SocketAddr,
        (path, headers): (&str, &[(&'static str, &str)]),
    ) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let handshake = tokio_tungstenite::client_async(request, stream);
        let (socket, upgrade) = tokio::time::timeout(PATIENCE, handshake)
            .await
            .expect("the upgrade is answered")?;
        Ok(Self { socket, upgrade })
    }

    /// Logs in, fetches a token, connects, and reads `connected`.
    pub(crate) async fn enter(server: &Server, user: u32, conversation: &str) -> Self {
        let access = login(server, user).await;
        Self::enter_as(server, &access, conversation).await
    }

    /// The same with an access token one has already.
    pub(crate) async fn enter_as(server: &Server, access: &str, conversation: &str) -> Self {
        let token = token(server, access).await;
        let path = format!("/ws/chat/{conversation}/?connection_token={token}");
        let mut client = Self::open(server, &path, &[]).await.unwrap();
        let expected = json!({ "event": "connected", "conversation_id": conversation });
        assert_eq!(client.event().await, expected);
        client
    }

    /// Connects to any route with an access token, and reads `connected`.
    pub(crate) async fn join(server: &Server, access: &str, path: &str) -> Self {
        let path = format!("{path}?token={access}");
        let mut client = Self::open(server, &path, &[]).await.unwrap();
        assert_eq!(client.event().await["event"], "connected");
        client
    }

    /// Sends a message to a people chat.
    pub(crate) async fn tell(&mut self, text: &str, id: &str) {
        self.send(json!({ "type": "message", "text": text, "client_message_id": id }).to_string())
            .await;
    }

    /// Asks for what came after an entry.
    pub(crate) async fn resume(&mut self, after: &str) {
        self.send(json!({ "type": "resume", "after": after }).to_string())
            .await;
    }

    /// Sees that nothing waits: a heartbeat is answered by the next event.
    pub(crate) async fn is_quiet(&mut self) {
        self.send(r#"{"type":"ping"}"#).await;
        let event = self.event().await;
        assert_eq!(event["event"], "pong", "nothing else came before: {event}");
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// Sends a chat message.
    pub(crate) async fn say(&mut self, message: &str, id: &str) {
        self.send(json!({ "message": message, "client_message_id": id }).to_string())
            .await;
    }

    /// The same, where the socket may have ended: the next read says so.
    pub(crate) async fn try_say(&mut self, message: &str, id: &str) {
        let frame = json!({ "message": message, "client_message_id": id });
        let sent = self.socket.send(Message::text(frame.to_string())).await;
        if sent.is_err() {}
    }

    /// The next event; a close frame fails the test.
    pub(crate) async fn event(&mut self) -> Value {
        match self.next().await {
            Next::Event(event) => event,
            Next::Closed(code) => panic!("closed with {code} instead of an event"),
        }
    }

    /// The next event, or the code the server closes with.
    pub(crate) async fn event_or_code(&mut self) -> Result<Value, u16> {
        match self.next().await {
            Next::Event(event) => Ok(event),
            Next::Closed(code) => Err(code),
        }
    }

    /// The next event, if one comes within `wait`.
    pub(crate) async fn event_within(&mut self, wait: Duration) -> Option<Value> {
        tokio::time::timeout(wait, self.event()).await.ok()
    }

    /// The code the server closes with; events before it are skipped.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Next::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    async fn next(&mut self) -> Next {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match message.expect("the server says something") {
                Some(Ok(Message::Text(text))) => {
                    return Next::Event(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Next::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Next::Closed(1006),
            }
        }
    }

    /// Reads one whole answer, which must be in order and without gaps: (task, `client_message_id`, `message_id`).
    pub(crate) async fn answer(&mut self) -> Answer {
        let queued = self.event().await;
        assert_eq!(queued["event"], "task_queued", "{queued}");
        let rest = self.rest_of_answer(&queued["task_id"]).await;
        Answer {
            task: queued["task_id"].as_str().unwrap().to_owned(),
            id: queued["client_message_id"].as_str().map(str::to_owned),
            message_id: rest,
        }
    }

    /// Reads an answer from `processing_started` to `complete`; its `message_id`.
    pub(crate) async fn rest_of_answer(&mut self, task: &Value) -> String {
        let started = self.event().await;
        assert_eq!(
            (&started["event"], &started["task_id"]),
            (&json!("processing_started"), task)
        );
        for seq in 0_u32.. {
            let event = self.event().await;
            assert_eq!(&event["task_id"], task, "{event}");
            if event["event"] == "complete" {
                assert_eq!(event["chunks"], seq, "{event}");
                return event["message_id"].as_str().unwrap().to_owned();
            }
            assert_eq!(
                (&event["event"], &event["seq"]),
                (&json!("chunk"), &json!(seq))
            );
        }
        unreachable!("an answer ends")
    }
}

enum Next {
    Event(Value),
    Closed(u16),
}

/// One whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The task's name.
    pub(crate) task: String,
    /// The message's own id.
    pub(crate) id: Option<String>,
    /// What `resume` takes.
    pub(crate) message_id: String,
}
