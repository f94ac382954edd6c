//! As many connections as one process can carry.
//!
//! The proxy has a process of its own, and so have the two ends: each connection takes two files here
//! and one on either side.

#![expect(
    clippy::print_stdout,
    reason = "how its processes talk, and what was skipped"
)]

use crate::{
    alone,
    support::{DEADLINE, World, round_trip, until, within},
};
use fault_proxy::{Stream::Downstream, ToxicSpec};
use socket2::{Domain, SockRef, Socket, Type};
use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

const NAME: &str = "crowd::one_process_carries_nine_thousand_five_hundred_connections";
/// What an end is told to be.
const ROLE: &str = "FAULT_PROXY_TEST_CROWD";
const CONNECTIONS: usize = 9_500;
/// Two for each connection and some for everything else.
const FILES: u64 = 2 * 9_500 + 200;
/// Connects in progress at one time.
const CONNECTING_MAX: usize = 64;

#[test]
#[ignore = "slow: many connections"]
fn one_process_carries_nine_thousand_five_hundred_connections() {
    match std::env::var(ROLE).ok().as_deref() {
        Some("echo") => return block_on(echo()),
        Some(listen) => return block_on(clients(listen.parse().unwrap())),
        None => {}
    }
    alone::run(NAME, 10 * DEADLINE, || {
        let files = alone::raise_file_limit();
        if files < FILES {
            println!("SKIPPED: {NAME} needs {FILES} files per process, here are {files}");
            return;
        }
        block_on(carry());
    });
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work);
}

/// An end in a process of its own; it ends with this.
struct Part {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Part {
    fn start(role: &str) -> Self {
        let mut child = alone::again(NAME)
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// The next thing it says, past what the test framework prints.
    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "an end is gone");
            if let Some((_, said)) = line.split_once("SAYS ") {
                return said.trim_end().to_owned();
            }
        }
    }

    fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn say(what: impl ToString) {
    println!("SAYS {}", what.to_string());
}

async fn carry() {
    let mut world = World::start().await;
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut far = Part::start("echo");
    let listen = world.proxy_to("a", far.hear().parse().unwrap()).await;
    let before = open_files();
    let near = Part::start(&listen);
    // The proxy runs in this thread, so hearing must not block it.
    let hear = async |mut part: Part| {
        let heard = tokio::task::spawn_blocking(move || (part.hear(), part));
        within("the crowd", heard).await.unwrap()
    };
    let (opened, mut near) = hear(near).await;
    assert_eq!(opened, CONNECTIONS.to_string());
    assert!(
        open_files() > before + 2 * CONNECTIONS - 10,
        "{}",
        open_files()
    );
    let seen = world.client.statistics("a").await.unwrap().connections;
    assert_eq!(seen.open, CONNECTIONS as u64);

    // A change reaches every one of them before it is answered.
    let start = Instant::now();
    let spec = ToxicSpec::latency("l", Downstream, 1, 0);
    world.client.add_toxic("a", &spec).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    near.go_on();
    let (alive, mut near) = hear(near).await;
    assert_eq!(alive, CONNECTIONS.to_string());
    let affected = world.client.statistics("a").await.unwrap().toxics[0].affected;
    assert_eq!(affected, CONNECTIONS as u64);

    world.client.set_enabled("a", false).await.unwrap();
    until("the files to be given back", async || {
        open_files() <= before + 10
    })
    .await;
    near.go_on();
    let (ended, _near) = hear(near).await;
    assert_eq!(ended, CONNECTIONS.to_string());
    world.stop().await;
}

async fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    say(listener.local_addr().unwrap());
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let (mut reading, mut writing) = stream.split();
            tokio::io::copy(&mut reading, &mut writing).await
        });
    }
}

/// Opens all, then goes a step further with each word: uses all, counts those that end.
async fn clients(proxy: SocketAddr) {
    let mut opening = JoinSet::new();
    let mut open = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        opening.spawn(client(proxy, number));
        if opening.len() == CONNECTING_MAX {
            open.push(opening.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened.unwrap());
    }
    say(open.len());
    let mut word = String::new();
    std::io::stdin().read_line(&mut word).unwrap();
    let mut using = JoinSet::new();
    for mut stream in open {
        using.spawn(async move {
            assert_eq!(round_trip(&mut stream, "still").await, "still");
            stream
        });
    }
    let open = using.join_all().await;
    say(open.len());
    std::io::stdin().read_line(&mut word).unwrap();
    let mut ended = 0;
    for mut stream in open {
        let (data, _end) = crate::support::drain(&mut stream).await;
        ended += usize::from(data.is_empty());
    }
    say(ended);
    std::io::stdin().read_line(&mut word).unwrap();
}

/// From one of several addresses, so that the kernel need not search for a port.
async fn client(proxy: SocketAddr, number: usize) -> TcpStream {
    const PER_SOURCE: usize = 2_500;
    let last = u8::try_from(2 + number / PER_SOURCE).unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(&source.into()).unwrap();
    let connecting = TcpSocket::from_std_stream(socket.into()).connect(proxy);
    let mut stream = within("a connection", connecting).await.unwrap();
    SockRef::from(&stream).set_tcp_nodelay(true).unwrap();
    assert_eq!(round_trip(&mut stream, "first").await, "first");
    stream
}
