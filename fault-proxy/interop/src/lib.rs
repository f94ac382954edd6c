//! This crate holds the fault proxy against a client that knows nothing of it: `toxiproxy_rust`,
//! unchanged from the registry. Here is what its tests stand on.
//!
//! **In:** nothing. **Out:** a running server, servers behind it, sockets in front of it, and the
//! API without a client in between: `toxiproxy_rust` ignores every HTTP status, so what it did is
//! read back by other means.
//!
//! Everything blocks, and the server has a thread and a runtime of its own, because the client
//! panics inside one.

use fault_proxy::server::{ServerConfig, serve};
use serde_json::Value;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Long enough for any machine; a read that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running fault proxy; it ends with this.
pub struct World {
    pub api: SocketAddr,
    shutdown: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl World {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let api = listener.local_addr().expect("it is bound");
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone();
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a fresh socket");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let served = serve(listener, ServerConfig::default(), stopped).await;
                served.expect("the server ends well");
            });
        });
        Self {
            api,
            shutdown,
            server: Some(server),
        }
    }

    /// One request without a client's help: the status, and the body if it is JSON.
    pub fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = connect(&self.api.to_string());
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("the API reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head[9..12].parse().expect("a status");
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// A proxy as the API shows it.
    pub fn proxy(&self, name: &str) -> Value {
        let (status, proxy) = self.http("GET", &format!("/proxies/{name}"), "");
        assert_eq!(status, 200, "{proxy}");
        proxy
    }

    /// Stops the server and waits for its end.
    pub fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A server that sends back what it gets, for as long as the process lives.
pub fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut reading = stream.try_clone().expect("a second handle");
                // The proxy may go away under it; that is what it is for.
                std::io::copy(&mut reading, &mut &stream).ok()
            });
        }
    });
    address
}

/// A connection whose waits all have an end.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens");
    patient(stream)
}

/// The next connection to a server the test plays itself.
pub fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("a connection");
    patient(stream)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
    stream
}

/// Sends `text` and reads as much back.
pub fn round_trip(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).expect("the peer reads");
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).expect("an echo");
    String::from_utf8(back).expect("what was sent")
}

/// Everything up to the end of a stream, whichever way it ends.
pub fn drain(stream: &mut TcpStream) -> Vec<u8> {
    let mut data = Vec::new();
    match stream.read_to_end(&mut data) {
        Ok(_) => data,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => data,
        Err(error) => panic!("no end within {DEADLINE:?}: {error}"),
    }
}
