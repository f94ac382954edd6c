//! This module is everything the harness reads that others wrote, as functions of bytes.
//!
//! **In:** bytes. **Out:** nothing: whatever they are, each function ends, and panics only where the harness is
//! wrong. Fed by `fuzz/`, with coverage, and by the tests. Part of no ordinary build.

mod edit;
mod import;

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use self::edit::{EDITS_MAX, edit};
pub use self::import::import;
use crate::client::connector::{Destination, open};
use crate::client::dialect;
use crate::client::frame::Seen;
use crate::client::opening::{Opening, reply};
use crate::client::socket::{ChatSocket, Incoming};
use crate::client::template::Speaker;
use crate::plan::{self, Credential, Dialect, estimate, outlook};
use crate::render::{Format, terminal};
use crate::result::RunResult;
use crate::scenario::Overrides;

/// A scenario file.
///
/// # Panics
///
/// Where the plan, printed, is no scenario that means the same.
pub fn scenario(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let plan = match plan::compile("fuzz.toml", &text, &Overrides::default()) {
        Ok(plan) => plan,
        Err(problems) => {
            let told = problems.to_string();
            assert!(told.starts_with("error: fuzz.toml:"), "{told}");
            return;
        }
    };
    black_box((
        estimate::needs(&plan, (estimate::shards(&plan, 1_024), true)),
        estimate::sends(&plan),
        outlook::doubts(&plan),
    ));
    // What is printed can itself be run, and means the same.
    let printed = plan::to_toml(&plan);
    let again = plan::compile("fuzz.toml", &printed, &Overrides::default());
    let again = again.map(|again| plan::to_toml(&again));
    let again = again.map_err(|problems| problems.to_string());
    assert_eq!(again.as_ref(), Ok(&printed), "from {text}");
}

/// A saved result: `result.json` itself, or changes of the example, a line each: `12=null` sets the twelfth
/// value, `3#40` makes the third list that long.
pub fn result(input: &[u8]) {
    let result: RunResult = if input.starts_with(b"{") {
        let Ok(result) = serde_json::from_slice(input) else {
            return;
        };
        result
    } else {
        let mut value = example();
        for line in String::from_utf8_lossy(input).lines().take(EDITS_MAX) {
            edit(&mut value, line);
        }
        let Ok(result) = serde_json::from_value(value) else {
            return;
        };
        result
    };
    for renderer in Format::DRAWN
        .iter()
        .chain([&Format::Json])
        .flat_map(|format| format.renderers())
    {
        // A result from elsewhere may have nothing to draw; that is said.
        black_box(renderer.render(&result).is_ok());
    }
    black_box(terminal::summary(&result, &terminal::Style::default()));
}

fn example() -> Value {
    serde_json::from_str(include_str!("../../../reports/example/result.json"))
        .expect("the example is JSON")
}

/// What a server says to a client. The first byte says how it begins: 0, instead of an answer to the upgrade; else, after
/// a good one. Odd: by the contract; even: as a `[target]` has it.
///
/// # Panics
///
/// Where the client does not end.
pub fn client(input: &[u8]) {
    let Some((how, said)) = input.split_first() else {
        return;
    };
    THREAD.with_borrow_mut(|Thread { runtime, target }| {
        let dialect = (how % 2 == 0).then_some(&*target);
        runtime.block_on(async {
            let heard = timeout(ENDED_WITHIN, hear(*how != 0, said, dialect)).await;
            assert!(
                heard.is_ok(),
                "the client has not ended within {ENDED_WITHIN:?}"
            );
        });
    });
}

/// A server that has ended its half is done with long before.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
/// A server of another kind, with fields in fields.
const TARGET: &str = r#"
[target.events]
field = "data.kind"
chunk = "part"
complete = "done"
error = "oops"
pong = "alive"
answer = { begins_with = "42", 0 = "said" }
ignore = ["typing", { a = "*" }]
[[target.open]]
await = { begins_with = "0", sid = "*" }
capture = { sid = "sid", all = "body" }
[[target.open]]
send = "{sid}{all}"
await = "hello"
[[target.reply]]
when = { data.kind = "ping" }
capture = { nonce = "nonce" }
send = '{"pong":"{nonce}{sid}"}'
"#;

struct Thread {
    runtime: Runtime,
    target: Dialect,
}

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::new(Thread {
        runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"),
        target: target(),
    });
}

fn target() -> Dialect {
    let text = format!("[load]\nclients = 1\nduration = \"1s\"\n{TARGET}");
    let (file, _problems) = crate::scenario::read("fuzz.toml", &text, &Overrides::default());
    file.dialect.expect("a target")
}

/// One connection, to its end.
async fn hear(is_upgraded: bool, said: &[u8], dialect: Option<&Dialect>) {
    // An address of its own: ports that wait for their last packets are nobody else's.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = SocketAddr::from((Ipv4Addr::new(127, 79, high, low.max(1)), 0));
    let listener = TcpListener::bind(address).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let to = Destination {
        address,
        tunnel: None,
        tls: None,
        host_header: "fuzz",
        path: "/ws/chat/c-1/",
        origin: None,
        dialect,
        credential: Credential::ConnectionToken,
        secret: "token",
        cookies: "",
        source: None,
        receive_buffer_bytes: None,
    };
    let client = async {
        match open(to).await {
            Ok(opened) => listen(opened.socket, dialect).await,
            Err(error) => {
                black_box(error.failure());
            }
        }
    };
    tokio::join!(client, serve(listener, is_upgraded, said));
}

async fn listen(mut socket: ChatSocket, dialect: Option<&Dialect>) {
    let (mut opening, mut speaker) = (Opening::default(), Speaker::default());
    loop {
        match poll_fn(|cx| socket.poll_next(cx)).await {
            Incoming::Ended(ending) => {
                black_box(ending);
                return;
            }
            Incoming::Text(text, _stamp_ns) => {
                if let Some(dialect) = dialect {
                    let heard = opening.hear(dialect, &text, speaker.places());
                    black_box(opening.says(dialect, "id", speaker.places()));
                    black_box(reply(dialect, &Seen::new(&text), speaker.places()));
                    speaker.held.captured.extend(heard.captured);
                }
                if let Err(error) = dialect::read(dialect, &text) {
                    black_box(error.to_string());
                }
            }
            Incoming::Violated(failure) => {
                black_box(failure);
            }
            Incoming::Closing(..) | Incoming::Binary(..) | Incoming::Other => {}
        }
    }
}

/// Says this and no more, and reads until the client ends it.
async fn serve(listener: TcpListener, is_upgraded: bool, said: &[u8]) {
    let Ok((mut stream, _)) = listener.accept().await else {
        return;
    };
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let answer = if is_upgraded {
        upgraded(&request)
    } else {
        String::new()
    };
    let (mut reading, mut writing) = stream.split();
    let say = async {
        for bytes in [answer.as_bytes(), said] {
            // The client may have heard enough.
            if writing.write_all(bytes).await.is_err() {
                return;
            }
        }
        drop(writing.shutdown().await);
    };
    let read = async {
        let mut waste = [0; 4096];
        while let Ok(1..) = reading.read(&mut waste).await {}
    };
    tokio::join!(say, read);
}

fn upgraded(request: &[u8]) -> String {
    let request = String::from_utf8_lossy(request);
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use explore::explore;

    #[test]
    fn no_scenario_harms_the_harness() {
        explore("scenario", super::scenario);
    }

    #[test]
    fn no_result_harms_a_report() {
        explore("result", super::result);
    }

    #[test]
    fn no_recording_harms_an_import() {
        explore("import", super::import);
    }

    #[test]
    fn no_server_harms_a_client() {
        explore("client", super::client);
    }
}
