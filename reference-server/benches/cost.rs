//! What the server costs at 10,000 sockets, beside its budget: `cargo bench -p reference-server --bench cost`.
//!
//! **Method.** A server of this build with a Redis of its own; the clients are here, in another process. Costs are differences of what the
//! kernel says of the server's process alone, before and after, less what it uses while nothing happens. The clients have one thread,
//! so that the server's batches are small: figures are upper bounds, and those of a busy machine are higher. Messages are asked
//! on an even schedule, as far as timers of a millisecond allow.
//!
//! **Units:** bytes of anonymous memory per idle socket; µs of processor time per accepted socket (TCP, upgrade, access token,
//! subscription, `connected`), per echo (heartbeat and its answer), per message (one asked, seven frames out, its way through
//! both databases of Redis), per recipient of one event of a conversation of 1,000.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const PASSWORD: &str = "benchmark";
/// Sockets before anything is measured, for what is paid once.
const WARM: usize = 1_000;
const SOCKETS: usize = 10_000;
/// Sockets in the one conversation that is a crowd, beside those.
const CROWD: usize = 1_000;
const ECHOES_EACH: usize = 10;
const MESSAGES: usize = 40;
/// Messages a second, all together, and for how many seconds.
const RATES: [usize; 2] = [2_000, 5_000];
const TALK_S: usize = 6;
/// Opened, or waited for, at once.
const AT_ONCE: usize = 64;
/// Source addresses, so that no one runs out of ports.
const SOURCES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn Error>>;
type Client = WebSocketStream<TcpStream>;

fn main() -> Outcome<()> {
    // `cargo test --benches` wants to know whether it starts, not what it measures.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Outcome<()> {
    let redis = Process::redis().await?;
    let server = Process::server(&redis).await?;
    let access = login(server.address).await?;
    let own = |n: usize| format!("/ws/chat/own-{n}/?token={access}");
    let mut clients = open(server.address, (0..WARM).map(&own)).await?;
    let idle = server.idle().await?;

    let before = server.usage()?;
    clients.extend(open(server.address, (WARM..SOCKETS).map(own)).await?);
    let accepted = server.usage()?.since(&before, idle);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let further = (SOCKETS - WARM) as f64;
    let memory = server.usage()?.memory_bytes - before.memory_bytes;

    let before = server.usage()?;
    for _ in 0..ECHOES_EACH {
        for part in clients.chunks_mut(AT_ONCE) {
            echo(part).await?;
        }
    }
    let echoed = server.usage()?.since(&before, idle);

    let mut talked = Vec::new();
    for per_s in RATES {
        let before = server.usage()?;
        let count = talk(&mut clients, per_s).await?;
        talked.push(server.usage()?.since(&before, idle) / count as f64);
    }

    let crowd = (0..CROWD).map(|_| format!("/ws/chat/crowd/?token={access}"));
    let mut crowd = open(server.address, crowd).await?;
    let before = server.usage()?;
    let mut events = 0;
    for _ in 0..MESSAGES {
        events += answer(&mut crowd).await?;
    }
    let heard = server.usage()?.since(&before, idle);

    let seen = [
        (
            "bytes per idle socket",
            memory / further,
            "≤ 7168",
            "> 12288",
        ),
        ("µs per accepted socket", accepted / further, "≤ 19", "> 30"),
        (
            "µs per echo",
            echoed / (ECHOES_EACH * SOCKETS) as f64,
            "≤ 9",
            "> 11",
        ),
        (
            "µs per message, 2,000 a second",
            talked[0],
            "≤ 120",
            "> 240",
        ),
        (
            "µs per message, 5,000 a second",
            talked[1],
            "≤ 120",
            "> 240",
        ),
        (
            "µs per recipient of an event",
            heard / events as f64,
            "≤ 8",
            "> 10",
        ),
    ];
    print(&seen);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn print(figures: &[(&str, f64, &str, &str)]) {
    println!(
        "\n{:<44} {:>12} {:>12} {:>12}",
        format!("server, {SOCKETS} sockets"),
        "seen",
        "target",
        "reject"
    );
    for (name, seen, target, reject) in figures {
        println!("{name:<44} {seen:>12.1} {target:>12} {reject:>12}");
    }
}

/// A program of ours, ended with this one.
struct Process {
    child: Child,
    address: SocketAddr,
    /// What it is told for its Redis.
    url: String,
    _dir: TempDir,
}

/// What the kernel says of a process.
struct Usage {
    at: Instant,
    cpu_us: f64,
    memory_bytes: f64,
}

impl Usage {
    /// Processor time since then, in µs, less what is used anyway.
    fn since(&self, before: &Self, idle: f64) -> f64 {
        let passed = self.at.duration_since(before.at).as_secs_f64();
        self.cpu_us - before.cpu_us - idle * passed
    }
}

impl Process {
    async fn redis() -> Outcome<Self> {
        let dir = TempDir::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let binary = std::env::var_os("REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(PathBuf::from(binary))
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let started = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if started.elapsed() > PATIENCE {
                return Err("redis-server does not answer".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self {
            child,
            address,
            url: format!("redis://{address}"),
            _dir: dir,
        })
    }

    async fn server(redis: &Self) -> Outcome<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_reference-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(["--ping-interval", "10m", "--ping-timeout", "20m"])
            // All of them are one user's.
            .args(["--rate-limit", "100000", "--rate-burst", "100000"])
            .args(["--frame-rate", "100000", "--frame-burst", "100000"])
            .args(["--sockets-per-user", "100000"])
            .env("REFERENCE_SERVER_REDIS_URL", &redis.url)
            .env("REFERENCE_SERVER_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ");
        let server = Self {
            child,
            address: address.ok_or("the server did not start")?.parse()?,
            url: redis.url.clone(),
            _dir: TempDir::new()?,
        };
        let ready = format!("http://{}/readyz", server.address);
        let started = Instant::now();
        while !reqwest::get(&ready).await?.status().is_success() {
            if started.elapsed() > PATIENCE {
                return Err("the server does not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    fn usage(&self) -> Outcome<Usage> {
        let of = format!("/proc/{}", self.child.id());
        let mut cpu_ns = 0.0;
        for thread in std::fs::read_dir(format!("{of}/task"))? {
            let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            cpu_ns += number(stat.split(' ').next())?;
        }
        let status = std::fs::read_to_string(format!("{of}/status"))?;
        let memory = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = number(memory.and_then(|rest| rest.split_whitespace().next()))?;
        Ok(Usage {
            at: Instant::now(),
            cpu_us: cpu_ns / 1e3,
            memory_bytes: kib * 1024.0,
        })
    }

    /// µs of processor time per second in which nothing happens.
    async fn idle(&self) -> Outcome<f64> {
        let before = self.usage()?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = self.usage()?;
        let passed = after.at.duration_since(before.at).as_secs_f64();
        Ok((after.cpu_us - before.cpu_us) / passed)
    }
}

fn number(text: Option<&str>) -> Outcome<f64> {
    Ok(text.ok_or("the kernel says nothing")?.parse()?)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        if self.child.kill().is_ok() && self.child.wait().is_err() {}
    }
}

async fn login(server: SocketAddr) -> Outcome<String> {
    let answer = reqwest::Client::new()
        .post(format!("http://{server}/api/auth/login/"))
        .json(&json!({ "email": "user-000001", "password": PASSWORD }))
        .send()
        .await?;
    let body: Value = answer.json().await?;
    Ok(body["token"].as_str().ok_or("no access token")?.to_owned())
}

/// Opens sockets and reads `connected` on each.
async fn open(server: SocketAddr, paths: impl Iterator<Item = String>) -> Outcome<Vec<Client>> {
    let opening = paths.enumerate().map(|(n, path)| connect(server, n, path));
    let mut opened = stream::iter(opening).buffer_unordered(AT_ONCE);
    let mut clients = Vec::new();
    while let Some(client) = opened.next().await {
        clients.push(client?);
    }
    Ok(clients)
}

async fn connect(server: SocketAddr, n: usize, path: String) -> Outcome<Client> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(2 + n % SOURCES)?;
    let source = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0);
    socket.bind(source.into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(512);
    let url = format!("ws://{server}{path}");
    let handshake = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
    let (mut client, _) = tokio::time::timeout(PATIENCE, handshake).await??;
    let first = event(&mut client).await?;
    if first["event"] != "connected" {
        return Err(format!("{first} instead of `connected`").into());
    }
    Ok(client)
}

async fn event(client: &mut Client) -> Outcome<Value> {
    loop {
        let message = tokio::time::timeout(PATIENCE, client.next()).await?;
        match message.ok_or("the socket ended")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => return Err(format!("closed: {frame:?}").into()),
            _ => {}
        }
    }
}

async fn echo(clients: &mut [Client]) -> Outcome<()> {
    for client in &mut *clients {
        client.send(Message::text(r#"{"type":"ping"}"#)).await?;
    }
    for client in clients {
        let pong = event(client).await?;
        if pong["event"] != "pong" {
            return Err(format!("{pong} instead of `pong`").into());
        }
    }
    Ok(())
}

/// They ask in turn, so many a second; how many were answered.
async fn talk(clients: &mut [Client], per_s: usize) -> Outcome<usize> {
    let start = Instant::now();
    let all = clients.len();
    let count = per_s * TALK_S;
    let asking = clients
        .iter_mut()
        .enumerate()
        .map(|(first, client)| async move {
            for n in (first..count).step_by(all) {
                let at = start + Duration::from_secs(1) * u32::try_from(n)? / u32::try_from(per_s)?;
                tokio::time::sleep_until(at.into()).await;
                client.send(Message::text(r#"{"message":"hello"}"#)).await?;
                while event(client).await?["event"] != "complete" {}
            }
            Ok::<(), Box<dyn Error>>(())
        });
    futures_util::future::try_join_all(asking).await?;
    Ok(count)
}

/// One asks, all hear the answer; how many events were heard.
async fn answer(crowd: &mut [Client]) -> Outcome<usize> {
    let asker = crowd.first_mut().ok_or("nobody is there")?;
    asker.send(Message::text(r#"{"message":"hello"}"#)).await?;
    let mut heard = 0;
    for client in crowd {
        while event(client).await?["event"] != "complete" {
            heard += 1;
        }
        heard += 1;
    }
    Ok(heard)
}
