//! This module is what somebody would write in place of the harness: clients that do the same, and the least that can.
//!
//! **In:** the target's address, how many clients, how long they take to come and stay, how often each sends.
//! **Out:** the same requests, sockets and messages as the harness's.
//!
//! [`Kind::Bare`] is tokio-tungstenite with read buffers of 4 KiB, a timer for each client, every frame parsed and the
//! answers timed. [`Kind::Floor`] writes the same bytes to the same sockets and throws away what comes: what is left is the
//! kernel's TCP and tokio.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::Outcome;

const READ_BUFFER_BYTES: usize = 4_096;
/// Clients from one source address, as the harness has it.
const PER_SOURCE: u32 = 5_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Floor,
}

/// What the clients do.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub kind: Kind,
    pub target: SocketAddr,
    pub clients: u32,
    pub ramp: Duration,
    pub hold: Duration,
    /// `None`: they say nothing.
    pub every: Option<Duration>,
}

/// What they share.
struct Shared {
    work: Work,
    http: reqwest::Client,
    end: Instant,
    answered: Cell<Duration>,
}

pub(crate) fn run(work: Work) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async {
        let begin = Instant::now();
        let shared = Rc::new(Shared {
            work,
            http: reqwest::Client::builder().no_proxy().build()?,
            end: begin + work.ramp + work.hold,
            answered: Cell::default(),
        });
        let clients: Vec<_> = (0..work.clients)
            .map(|number| {
                let shared = Rc::clone(&shared);
                tokio::task::spawn_local(async move {
                    let start = begin + shared.work.ramp * number / shared.work.clients;
                    sleep_until(start.into()).await;
                    client(&shared, number)
                        .await
                        .map_err(|error| error.to_string())
                })
            })
            .collect();
        for client in clients {
            client.await??;
        }
        Ok(())
    })
}

async fn client(shared: &Shared, number: u32) -> Outcome<()> {
    let work = shared.work;
    let post = |path: &str, body: Value| {
        let url = format!("http://{}{path}", work.target);
        shared.http.post(url).json(&body)
    };
    let token = post(
        "/api/v1/auth/ws-connection-token/",
        json!({"connection_id": format!("c-{number}")}),
    );
    let token: Value = token.bearer_auth("x").send().await?.json().await?;
    let token = token["connection_token"].as_str().unwrap_or_default();
    let url = format!(
        "ws://{}/ws/chat/c-{number}/?connection_token={token}",
        work.target
    );
    let socket = TcpSocket::new_v4()?;
    let source = u8::try_from(2 + number / PER_SOURCE)?;
    nix::sys::socket::setsockopt(
        &socket,
        nix::sys::socket::sockopt::IpBindAddressNoPort,
        &true,
    )?;
    socket.bind(SocketAddr::new(
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, source)),
        0,
    ))?;
    socket.set_zero_linger()?;
    let stream = socket.connect(work.target).await?;
    stream.set_nodelay(true)?;
    match work.kind {
        Kind::Bare => bare(shared, number, stream, &url).await,
        Kind::Floor => floor(shared, number, stream, &url).await,
    }
}

/// Ticks at which a client sends, spread over the first interval; a day from now where it does not.
fn beats(shared: &Shared, number: u32) -> tokio::time::Interval {
    let every = shared.work.every.unwrap_or(Duration::from_hours(24));
    let first = match shared.work.every {
        Some(every) => every.mul_f64(f64::from(number % 997) / 997.0),
        None => every,
    };
    let mut beats = interval_at((Instant::now() + first).into(), every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Burst);
    beats
}

fn words(number: u32, sent: u64) -> String {
    format!(
        r#"{{"message":"How do I get back to where I was before the line went quiet? How do","client_message_id":"b-{number}-{sent}"}}"#
    )
}

async fn bare(shared: &Shared, number: u32, stream: TcpStream, url: &str) -> Outcome<()> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await?;
    let mut beats = beats(shared, number);
    let end = sleep_until(shared.end.into());
    tokio::pin!(end);
    let (mut sent, mut asked) = (0, Instant::now());
    loop {
        tokio::select! {
            due = beats.tick() => {
                asked = due.into_std();
                socket.send(Message::text(words(number, sent))).await?;
                sent += 1;
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text)?;
                    if frame["event"] == "complete" {
                        // What would go into a histogram.
                        shared.answered.set(shared.answered.get() + asked.elapsed());
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err("the socket ended early".into()),
            },
            () = &mut end => return Ok(()),
        }
    }
}

async fn floor(shared: &Shared, number: u32, mut stream: TcpStream, url: &str) -> Outcome<()> {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut beats = beats(shared, number);
    let end = sleep_until(shared.end.into());
    tokio::pin!(end);
    let payload = words(number, 0);
    // Masked with zeros: the bytes as they are.
    let mut frame = vec![0x81, 0x80 | 0x7e];
    frame.extend(u16::try_from(payload.len())?.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload.as_bytes());
    let mut waste = [0; 1_024];
    loop {
        tokio::select! {
            _ = beats.tick() => stream.write_all(&frame).await?,
            read = stream.read(&mut waste) => {
                if read? == 0 {
                    return Err("the socket ended early".into());
                }
            }
            () = &mut end => return Ok(()),
        }
    }
}
