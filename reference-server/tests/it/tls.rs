//! The same server over TLS.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::support::{PASSWORD, PATIENCE, Redis, Server};

/// A certificate for `localhost`, its key, and the files they are in.
struct Identity {
    certificate: CertificateDer<'static>,
    dir: TempDir,
}

impl Identity {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        Self {
            certificate: cert.der().clone(),
            dir,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn flags(&self) -> Vec<String> {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        vec![
            "--tls-cert".into(),
            text(cert),
            "--tls-key".into(),
            text(key),
        ]
    }

    fn spawn(&self, redis: &Redis, more: &[&str]) -> Server {
        let flags = self.flags();
        let flags: Vec<&str> = flags
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        Server::spawn(&redis.url(), &flags)
    }

    async fn handshake(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        connecting.await.unwrap()
    }

    async fn connect(&self, server: &Server) -> TlsStream<TcpStream> {
        self.handshake(TcpStream::connect(server.address()).await.unwrap())
            .await
    }

    /// One request; status line, headers and body as text.
    async fn request(&self, server: &Server, request: &str) -> String {
        let mut stream = self.connect(server).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        answer
    }

    async fn login(&self, server: &Server) -> (String, String) {
        let body = json!({ "email": "user-000001", "password": PASSWORD }).to_string();
        let length = body.len();
        let head = "POST /api/auth/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close";
        let request = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        let answer = self.request(server, &request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        (head.to_owned(), body["token"].as_str().unwrap().to_owned())
    }

    async fn until_ready(&self, server: &Server) {
        let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let started = std::time::Instant::now();
        while !self
            .request(server, request)
            .await
            .starts_with("HTTP/1.1 200")
        {
            assert!(started.elapsed() < PATIENCE, "{}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn login_socket_and_answer_work_over_tls() {
    let redis = Redis::start().await;
    let identity = Identity::new();
    let server = identity.spawn(&redis, &["--chunks", "20", "--chunk-interval", "1ms"]);
    identity.until_ready(&server).await;
    let (head, access) = identity.login(&server).await;
    let cookies = head.to_lowercase().matches("set-cookie").count();
    assert_eq!(
        (cookies, head.matches("; Secure").count()),
        (3, 3),
        "{head}"
    );
    let url = format!("wss://localhost/ws/chat/c/?token={access}");
    let stream = identity.connect(&server).await;
    let (mut socket, _) =
        tokio_tungstenite::client_async(url.into_client_request().unwrap(), stream)
            .await
            .unwrap();
    let ask = json!({ "message": "x".repeat(10_000), "client_message_id": "m-1" });
    socket.send(Message::text(ask.to_string())).await.unwrap();
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "complete") {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        if let Message::Text(text) = frame.unwrap().unwrap() {
            let event: Value = serde_json::from_str(&text).unwrap();
            names.push(event["event"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(names.len(), 24, "{names:?}");
    socket.close(None).await.unwrap();
    // The end is said in TLS too: read as an end, not as a cut.
    let mut rest = Vec::new();
    let stream = socket.get_mut();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(matches!(read, Ok(Ok(_))), "{read:?}");
}

#[tokio::test]
async fn a_refusal_over_tls_says_its_code() {
    let redis = Redis::start().await;
    let identity = Identity::new();
    let server = identity.spawn(&redis, &[]);
    identity.until_ready(&server).await;
    let stream = identity.connect(&server).await;
    let request = "wss://localhost/ws/chat/c/".into_client_request().unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    match frame.unwrap().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 4001),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_slow_reader_over_tls_gets_everything_in_order() {
    let redis = Redis::start().await;
    let identity = Identity::new();
    let flags = [
        "--send-buffer",
        "4096",
        "--rate-burst",
        "1000",
        "--participants",
        "1000",
    ];
    let server = identity.spawn(&redis, &flags);
    identity.until_ready(&server).await;
    let (_, access) = identity.login(&server).await;
    let small = TcpSocket::new_v4().unwrap();
    small.set_recv_buffer_size(4096).unwrap();
    let stream = small.connect(server.address()).await.unwrap();
    let stream = identity.handshake(stream).await;
    let url = format!("wss://localhost/ws/chats/0/?token={access}");
    let (mut socket, _) =
        tokio_tungstenite::client_async(url.into_client_request().unwrap(), stream)
            .await
            .unwrap();
    // More than both kernel buffers hold, less than the outbox: 40 x 5 KB.
    for n in 0..40 {
        let text = "x".repeat(5_000);
        let frame =
            json!({ "type": "message", "text": text, "client_message_id": format!("p-{n}") });
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }
    let mut next = 0;
    while next < 40 {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        if let Message::Text(text) = frame.unwrap().unwrap() {
            let event: Value = serde_json::from_str(&text).unwrap();
            if event["event"] == "message" {
                assert_eq!(event["client_message_id"], format!("p-{next}"));
                next += 1;
            }
        }
    }
}

#[tokio::test]
async fn plain_bytes_and_a_handshake_that_never_ends_are_cut() {
    let redis = Redis::start().await;
    let identity = Identity::new();
    let server = identity.spawn(
        &redis,
        &["--handshake-timeout", "300ms", "--redis-timeout", "200ms"],
    );
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01",
        b"",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let read = tokio::time::timeout(PATIENCE, read).await;
        assert!(read.is_ok(), "the connection is still open");
        assert!(!answer.starts_with(b"HTTP"), "answered in plain");
    }
    identity.until_ready(&server).await;
}

fn check_start(flags: &[&str], expected: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(flags)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains(expected),
        "{text:?} does not say {expected:?}"
    );
}

#[test]
fn files_that_are_no_certificate_and_key_are_named() {
    let (one, other) = (Identity::new(), Identity::new());
    let path = |of: &Identity, name: &str| of.path(name).to_str().unwrap().to_owned();
    let (cert, key) = (path(&one, "cert.pem"), path(&one, "key.pem"));
    let strange = path(&other, "key.pem");
    std::fs::write(one.path("empty.pem"), "").unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(one.path("broken.pem"), broken).unwrap();
    assert!(KeyPair::from_pem(&std::fs::read_to_string(&key).unwrap()).is_ok());
    let (empty, broken) = (path(&one, "empty.pem"), path(&one, "broken.pem"));
    let pair = |cert: &str, key: &str, expected: &str| {
        check_start(&["--tls-cert", cert, "--tls-key", key], expected);
    };
    pair("/nowhere.pem", &key, "error: --tls-cert: /nowhere.pem: ");
    pair(&empty, &key, "holds no certificate");
    pair(&key, &key, "holds no certificate");
    pair(&broken, &key, "error: --tls-cert, --tls-key: ");
    pair(&cert, "/nowhere.pem", "error: --tls-key: /nowhere.pem: ");
    pair(&cert, &cert, "holds no private key");
    let pipe = one.path("pipe.pem");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (pipe, long) = (path(&one, "pipe.pem"), path(&one, "long.pem"));
    std::fs::write(&long, vec![b'x'; 2 << 20]).unwrap();
    for endless in ["/dev/zero", &pipe] {
        pair(endless, &key, "it is no regular file");
        pair(&cert, endless, "it is no regular file");
    }
    pair(&long, &key, "it is longer than");
    pair(&cert, &strange, "is not the key of the first certificate");
    check_start(&["--tls-cert", &cert], "--tls-key");
}
