//! A running server, servers behind it, and sockets in front of it.
//!
//! Every wait has a deadline far above what a busy machine needs; lower bounds on times are exact,
//! upper bounds are generous.

use fault_proxy::{
    client::Client,
    server::{ServeError, ServerConfig, serve},
};
use serde_json::Value;
use std::{future::Future, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Long enough for any machine; a test that gets here has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for `work`, or fails naming `what`.
pub(crate) async fn within<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let done = timeout(DEADLINE, work).await;
    done.unwrap_or_else(|elapsed| panic!("{what}: {elapsed} ({DEADLINE:?})"))
}

/// A server with its API, and the helpers a test started; everything ends with it.
pub(crate) struct World {
    pub(crate) api: SocketAddr,
    pub(crate) client: Client,
    shutdown: CancellationToken,
    server: JoinSet<Result<(), ServeError>>,
    helpers: JoinSet<()>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::seeded(0).await
    }

    pub(crate) async fn seeded(seed: u64) -> Self {
        Self::with(ServerConfig {
            seed,
            ..ServerConfig::default()
        })
        .await
    }

    pub(crate) async fn with(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, config, shutdown.clone()));
        Self {
            api,
            client: Client::new(&format!("http://{api}")).unwrap(),
            shutdown,
            server,
            helpers: JoinSet::new(),
        }
    }

    /// Stops the server and checks that it ended well.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        let ended = within("serve to return", self.server.join_next()).await;
        ended.unwrap().unwrap().unwrap();
    }

    /// A server that sends back what it gets.
    pub(crate) async fn echo(&mut self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.helpers.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut buffer = vec![0; 16 << 10];
                    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                        if stream.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    /// A server whose accepted connections the test gets and plays itself.
    pub(crate) async fn played(&mut self) -> (SocketAddr, mpsc::Receiver<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, connections) = mpsc::channel(64);
        self.helpers.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if accepted.send(stream).await.is_err() {
                    return;
                }
            }
        });
        (address, connections)
    }

    /// A proxy in front of an echo server; answers where it listens.
    pub(crate) async fn echo_proxy(&mut self, name: &str) -> String {
        let upstream = self.echo().await;
        self.proxy_to(name, upstream).await
    }

    pub(crate) async fn proxy_to(&self, name: &str, upstream: SocketAddr) -> String {
        let listen = "127.0.0.1:0";
        let upstream = upstream.to_string();
        let proxy = self.client.create(name, listen, &upstream).await;
        proxy.unwrap().listen
    }

    /// Both ends of one connection through a new proxy.
    pub(crate) async fn pair(&mut self, name: &str) -> (TcpStream, TcpStream) {
        let (upstream, mut connections) = self.played().await;
        let listen = self.proxy_to(name, upstream).await;
        let near = connect(&listen).await;
        let far = within("the proxy to dial", connections.recv()).await;
        (near, far.unwrap())
    }

    /// One request, byte for byte as given.
    pub(crate) async fn http(&self, method: &str, path: &str, body: &str) -> Answer {
        self.http_with(method, path, "", body.as_bytes()).await
    }

    pub(crate) async fn http_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Answer {
        let mut stream = connect(&self.api.to_string()).await;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A refused body may not be read to its end.
        let sent = stream.write_all(body).await;
        let mut raw = Vec::new();
        let read = within("an HTTP answer", stream.read_to_end(&mut raw)).await;
        assert!(!raw.is_empty(), "{method} {path}: {sent:?} {read:?}");
        Answer::parse(&raw)
    }
}

/// An HTTP answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8(raw.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Asserts a Toxiproxy error: JSON with a newline, labelled as text.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, message: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        assert_eq!(json["error"], message);
        assert_eq!(json["status"], status);
        assert!(self.body.ends_with("}\n"), "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
    }
}

pub(crate) async fn connect(address: &str) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(address))
        .await
        .unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends `text` and reads as much back.
pub(crate) async fn round_trip(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    receive(stream, text.len()).await
}

pub(crate) async fn receive(stream: &mut TcpStream, length: usize) -> String {
    let mut buffer = vec![0; length];
    let read = within("data", stream.read_exact(&mut buffer)).await;
    read.unwrap();
    String::from_utf8(buffer).unwrap()
}

/// How a connection ended: cleanly or by a reset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
}

/// Reads to the end; answers what came before it and how it ended.
pub(crate) async fn drain(stream: &mut TcpStream) -> (Vec<u8>, End) {
    let mut data = Vec::new();
    match within("the end of a connection", stream.read_to_end(&mut data)).await {
        Ok(_) => (data, End::Closed),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => (data, End::Reset),
        Err(error) => panic!("{error}"),
    }
}

/// Asserts that nothing arrives and nothing ends for a while.
pub(crate) async fn is_silent(stream: &mut TcpStream, window: Duration) {
    let mut byte = [0];
    let outcome = timeout(window, stream.read(&mut byte)).await;
    assert!(outcome.is_err(), "expected silence, got {outcome:?}");
}

/// Waits until `met` says so.
pub(crate) async fn until(what: &'static str, mut met: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !met().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Bytes that tell where they belong.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let words = (0_u32..).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect()
}
