//! Everything anybody can send to the server, as functions of bytes.
//!
//! A real server runs in this thread, without a Redis: what needs one is refused as it would be in
//! an outage. Each input is one connection over loopback, from its first byte to the end. Fed by
//! `fuzz/` and by the tests.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Parser as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::args::{Cli, Command};
use crate::auth::directory::ADMINS_AFTER;
use crate::auth::jwt;
use crate::config::Config;
use crate::process::serve::Parts;
use crate::{clock, http};

/// A connection whose client has said its last word is over long before.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
const FLAGS: [&str; 16] = [
    "reference-server",
    "serve",
    "--channel-layer",
    "memory",
    "--redis-url",
    "redis://127.0.0.1:1",
    "--password",
    "password",
    "--jwt-secret",
    "0123456789abcdef",
    // What is refused for coming too often is not read.
    "--rate-limit",
    "100000",
    "--rate-burst=100000",
    "--frame-rate=100000",
    "--frame-burst=100000",
    "--login-failures=100000",
];

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// Bytes of a connection: requests, an upgrade, what follows one.
pub fn http(input: &[u8]) {
    WORLD.with_borrow_mut(|world| world.connect(&[], input));
}

/// Bytes on a socket that has been let in; the first says what kind of socket.
pub fn frames(input: &[u8]) {
    let Some((kind, frames)) = input.split_first() else {
        return;
    };
    let (path, user) = match kind % 3 {
        0 => ("/ws/chat/c-1/", 1),
        1 => ("/ws/chats/0/", 1),
        _ => ("/ws/admin/", ADMINS_AFTER + 1),
    };
    WORLD.with_borrow_mut(|world| {
        let upgrade = world.upgrade(path, user);
        world.connect(upgrade.as_bytes(), frames);
    });
}

struct World {
    runtime: Runtime,
    address: SocketAddr,
    jwt_key: Vec<u8>,
    _background: JoinSet<()>,
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let cli = Cli::try_parse_from(FLAGS).expect("these flags");
        let Some(Command::Serve(args)) = cli.command else {
            unreachable!("they say `serve`");
        };
        let config = Config::new(*args).expect("these values");
        let jwt_key = config.jwt_key.clone();
        let mut background = JoinSet::new();
        let guard = runtime.enter();
        // An address of its own: ports that wait for their last packets are nobody else's.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = SocketAddr::from((Ipv4Addr::new(127, 77, high, low.max(1)), 0));
        let listener = http::bind(address, 64 << 10).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let parts = Parts::new(config).expect("a server");
        let foreground = parts.spawn(listener, &mut background);
        drop((foreground, guard));
        Self {
            runtime,
            address,
            jwt_key,
            _background: background,
        }
    }

    fn upgrade(&self, path: &str, user: u64) -> String {
        let claims = jwt::Claims {
            sub: user,
            username: "fuzz".to_owned(),
            typ: jwt::Kind::Access,
            sid: None,
            iat: clock::unix_s(),
            exp: clock::unix_s() + 86_400,
            nbf: None,
        };
        let token = jwt::issue(&self.jwt_key, &claims);
        format!(
            "GET {path}?token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
    }

    /// One connection that says this and no more, and reads until the server ends it.
    fn connect(&mut self, first: &[u8], then: &[u8]) {
        self.runtime.block_on(async {
            let mut stream = TcpStream::connect(self.address)
                .await
                .expect("a server that accepts");
            let (mut reading, mut writing) = stream.split();
            let said = async {
                for bytes in [first, then] {
                    // The server may have heard enough.
                    if writing.write_all(bytes).await.is_err() {
                        return;
                    }
                }
                drop(writing.shutdown().await);
            };
            let heard = async {
                let mut answer = vec![0; 16 << 10];
                while let Ok(1..) = reading.read(&mut answer).await {}
            };
            let both = async { tokio::join!(said, heard) };
            let ended = timeout(ENDED_WITHIN, both).await;
            assert!(
                ended.is_ok(),
                "the server has not ended the connection within {ENDED_WITHIN:?}"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use explore::explore;

    #[test]
    fn http_harms_nobody() {
        explore("server-http", super::http);
    }

    #[test]
    fn frames_harm_nobody() {
        explore("server-frames", super::frames);
    }
}
