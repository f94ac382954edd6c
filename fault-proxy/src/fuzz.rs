//! Everything anybody can send to the API, as a function of bytes.
//!
//! A real server with one proxy runs in this thread; each input is one connection over loopback, from its
//! first byte to the end, and afterwards the server must still answer. Fed by `fuzz/` and by the tests.
//! Here no proxy listens on a port of an input's choice, and no name is looked up.

use crate::server::{Metrics, Server, ServerConfig};
use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// An answer is there long before.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// What a client without events to wait for is given until the answer is whole.
const QUIET: Duration = Duration::from_millis(50);
const PROXY: &[u8] = br#"[{"name":"a","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}]"#;
const POPULATE: &str = "POST /populate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    );
}

/// Bytes of a connection to the API.
pub fn api(input: &[u8]) {
    RUNTIME.with_borrow_mut(|runtime| runtime.block_on(play(input)));
}

async fn play(input: &[u8]) {
    // An address of its own: ports that wait for their last packets are nobody else's.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = SocketAddr::from((Ipv4Addr::new(127, 78, high, low.max(1)), 0));
    let listener = TcpListener::bind(address).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let server = Server::new(&ServerConfig {
        metrics: Metrics {
            proxies: true,
            runtime: true,
        },
        ..ServerConfig::default()
    });
    server.populate(PROXY).await.expect("a proxy");
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    running.spawn(server.run(listener, stop.clone()));
    ask(address, input).await;
    let length = PROXY.len();
    let again = format!("{POPULATE}Content-Length: {length}\r\n\r\n");
    let answer = ask(address, &[again.as_bytes(), PROXY].concat()).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 201"),
        "{}",
        answer.escape_ascii()
    );
    stop.cancel();
    let ended = timeout(ANSWERED_WITHIN, running.join_next()).await;
    let ended = ended
        .expect("the server stops")
        .expect("it ran")
        .expect("it did not panic");
    ended.expect("it stopped in order");
}

/// Says this and no more, and reads until there is nothing to wait for.
async fn ask(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("a server that accepts");
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let said = async {
        // The server may have heard enough.
        if writing.write_all(bytes).await.is_ok() {
            drop(writing.shutdown().await);
        }
    };
    let heard = async {
        let mut part = [0; 4096];
        loop {
            // A stream of events does not end by itself.
            let waits = answer.windows(17).any(|part| part == b"text/event-stream");
            let limit = if waits { QUIET } else { ANSWERED_WITHIN };
            match timeout(limit, reading.read(&mut part)).await {
                Ok(Ok(read @ 1..)) => answer.extend(&part[..read]),
                Ok(_) => return,
                Err(_elapsed) => {
                    assert!(waits, "no answer within {ANSWERED_WITHIN:?}");
                    return;
                }
            }
        }
    };
    tokio::join!(said, heard);
    answer
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_request_harms_the_api() {
        explore::explore("proxy-api", super::api);
    }
}
