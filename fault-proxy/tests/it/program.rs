//! The program as processes: what it is given, what it says, how it ends.

use crate::support::{DEADLINE, World, within};
use fault_proxy::{ToxicSpec, client::Client};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fault-proxy");
/// Lines of a log that a test lets lie.
const LINES_MAX: usize = 4_096;

/// The program under that name, without settings of who runs the tests.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in ["LOG_LEVEL", "TOXIPROXY_URL", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a process said, and how it ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command that ends by itself.
pub(crate) fn done(mut command: Command) -> Done {
    let mut child = command.spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let status = ended(&mut child);
    Done {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

fn text(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

fn ended(child: &mut Child) -> ExitStatus {
    let latest = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > latest {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it had not ended after {DEADLINE:?}");
        }
        sleep(Duration::from_millis(2));
    }
}

/// A server under way, and its log.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: ChildStderr,
    /// Every line up to the one that says that it listens.
    pub(crate) first: Vec<Value>,
    pub(crate) api: SocketAddr,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = command(PROGRAM);
        command.args(arguments);
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = follow(child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        let mut first = Vec::new();
        let api = loop {
            let line = match lines.recv_timeout(DEADLINE) {
                Ok(line) => line,
                Err(gone) => panic!("it does not listen ({gone}): {}", text(stderr)),
            };
            let line: Value = serde_json::from_str(&line).unwrap();
            let address = line["address"].as_str().map(|at| at.parse().unwrap());
            first.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        Self {
            child,
            lines,
            stderr,
            first,
            api,
        }
    }

    /// The line that says with what it was started.
    pub(crate) fn started(&self) -> &Value {
        let said = |line: &&Value| line["message"] == "Starting HTTP server";
        self.first.iter().find(said).unwrap()
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.api).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = text(stream);
        let status = answer[9..12].parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Ends it; answers the rest of its log.
    pub(crate) fn stop(mut self, signal: Signal) -> Vec<Value> {
        let id = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(id, signal).unwrap();
        let status = ended(&mut self.child);
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""));
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => rest.push(serde_json::from_str(&line).unwrap()),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => panic!("its log does not end"),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn follow(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = sync_channel(LINES_MAX);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

fn messages(lines: &[Value]) -> Vec<&str> {
    let message = |line: &Value| line["message"].as_str().map(str::len);
    assert!(
        lines.iter().all(|line| message(line).is_some()),
        "{lines:?}"
    );
    lines
        .iter()
        .filter_map(|line| line["message"].as_str())
        .collect()
}

/// What a server says that does not start.
#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let mut command = command(PROGRAM);
    command.args(arguments);
    let done = done(command);
    assert_eq!(done.code, Some(code), "{arguments:?}: {done:?}");
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
}

#[test]
fn flags_are_read_as_go_reads_them() {
    for arguments in [
        &["-port", "0", "-seed", "-7", "-proxy-metrics"] as &[&str],
        &["--port=0", "--seed=-7", "-proxy-metrics=true"],
        &["serve", "-port=0", "--seed", "-7", "--proxy-metrics"],
        &[
            "-host",
            "127.0.0.1",
            "-port",
            "0",
            "-seed=-7",
            "-proxy-metrics=1",
        ],
    ] {
        let server = Running::start(arguments);
        let started = server.started();
        assert_eq!(started["seed"], (-7_i64).cast_unsigned(), "{arguments:?}");
        assert_eq!(started["port"], server.api.port());
        assert!(server.api.ip().is_loopback() && server.api.is_ipv4());
        assert_eq!(server.get("/metrics").0, 200, "{arguments:?}");
        server.stop(Signal::SIGTERM);
    }
    let server = Running::start(&["-host=::1", "-port=0", "-proxy-metrics=false"]);
    assert!(server.api.is_ipv6());
    assert_eq!(server.get("/metrics").0, 404);
    assert_eq!(server.get("/version").1, "{\"version\": \"2.12.0\"}\n");
    server.stop(Signal::SIGTERM);
}

#[test]
fn an_empty_host_is_every_address() {
    let server = Running::start(&["-host=", "-port", "0"]);
    assert!(server.api.ip().is_unspecified());
    let near = SocketAddr::from(([127, 0, 0, 1], server.api.port()));
    TcpStream::connect(near).unwrap();
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_seed_that_is_not_given_is_drawn_and_told() {
    let seed = |arguments: &[&str]| {
        let server = Running::start(&[&["-port", "0"], arguments].concat());
        let seed = server.started()["seed"].as_u64().unwrap();
        server.stop(Signal::SIGTERM);
        seed
    };
    let drawn = [seed(&[]), seed(&[]), seed(&["-seed", "0"])];
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
    assert!(!drawn.contains(&0), "{drawn:?}");
    assert_eq!(seed(&["-seed", "5"]), 5);
}

/// Which of 24 connections a toxic of half of them resets, under that seed.
async fn affected(seed: &str, upstream: SocketAddr) -> Vec<bool> {
    let server = Running::start(&["-port", "0", "-seed", seed]);
    let client = Client::new(&format!("http://{}", server.api)).unwrap();
    let upstream = upstream.to_string();
    let proxy = client.create("p", "127.0.0.1:0", &upstream).await.unwrap();
    let half = ToxicSpec::refuse("half", 0).with_toxicity(0.5);
    client.add_toxic("p", &half).await.unwrap();
    let mut affected = Vec::new();
    for _ in 0..24 {
        affected.push(!echoes(&proxy.listen).await);
    }
    server.stop(Signal::SIGTERM);
    affected
}

/// Whether a byte comes back; a reset may come before the connect has returned.
async fn echoes(listen: &str) -> bool {
    let echoed = async {
        let mut stream = tokio::net::TcpStream::connect(listen).await?;
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0]).await
    };
    within("an echo or a reset", echoed).await.is_ok()
}

#[tokio::test]
async fn a_seed_repeats_which_connections_a_toxic_affects() {
    let mut world = World::start().await;
    let upstream = world.echo().await;
    let first = affected("5", upstream).await;
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_eq!(first, affected("5", upstream).await);
    assert_ne!(first, affected("6", upstream).await);
    assert_ne!(first, affected("0", upstream).await);
    world.stop().await;
}

#[test]
fn the_log_has_a_line_for_what_happens_with_toxiproxys_fields() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("proxies.json");
    let redis = r#"[{"name": "re\"dis", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": true}]"#;
    std::fs::write(&config, redis).unwrap();
    let server = Running::start(&["-port", "0", "-config", config.to_str().unwrap()]);
    let expected = [
        "Starting HTTP server",
        "Started proxy",
        "fault proxy API is listening",
    ];
    assert_eq!(messages(&server.first), expected);
    let (started, proxy) = (server.started().clone(), server.first[1].clone());
    assert_eq!(started["host"], "localhost");
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(proxy["name"], "re\"dis");
    assert_eq!(proxy["upstream"], "127.0.0.1:1");
    let listen: SocketAddr = proxy["listen"].as_str().unwrap().parse().unwrap();
    assert!(TcpStream::connect(listen).is_ok());
    let rest = server.stop(Signal::SIGTERM);
    assert_eq!(messages(&rest), ["shutting down", "Terminated proxy"]);
    assert_eq!(rest[0]["signal"], "SIGTERM");
    assert_eq!(rest[1]["listen"], proxy["listen"]);
    for line in [started, proxy].iter().chain(&rest) {
        assert_eq!(line["level"], "info");
        let time = line["time"].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
}

#[test]
fn sigint_ends_it_as_well_as_sigterm() {
    let rest = Running::start(&["-port", "0"]).stop(Signal::SIGINT);
    assert_eq!(messages(&rest), ["shutting down"]);
}

#[test]
fn log_level_decides_what_is_told() {
    let server = |level: &str| {
        let mut command = command(PROGRAM);
        command.args(["-port", "0"]).env("LOG_LEVEL", level);
        command
    };
    for level in ["info", "INFO", "debug", "trace", ""] {
        let server = Running::of(server(level));
        assert_eq!(server.first.len(), 2, "{level}: {:?}", server.first);
        server.stop(Signal::SIGTERM);
    }
    let unknown = Running::of(server("loud"));
    assert_eq!(unknown.first[0]["level"], "error");
    assert_eq!(unknown.first[0]["value"], "loud");
    let message = unknown.first[0]["message"].as_str().unwrap();
    assert!(message.starts_with("unknown LOG_LEVEL"), "{message}");
    unknown.stop(Signal::SIGTERM);
    // Its port is taken, so that it ends by itself.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for level in ["warn", "error", "fatal", "panic", "disabled"] {
        let mut silent = server(level);
        silent.args(["-config", "/nowhere"]);
        assert_eq!(done(silent).stdout, "", "{level}");
        let mut silent = server(level);
        silent.args(["-port", &port]);
        assert!(done(silent).stderr.starts_with("error: "), "{level}");
    }
    let mut told = server("info");
    told.args(["-config", "/nowhere"]);
    assert!(done(told).stdout.contains("Starting HTTP server"));
}

#[test]
fn metrics_of_the_process_are_there_only_if_asked_for() {
    let server = Running::start(&["-port", "0"]);
    assert_eq!(server.get("/metrics").0, 404);
    server.stop(Signal::SIGTERM);
    let server = Running::start(&["-port", "0", "-runtime-metrics"]);
    let (status, text) = server.get("/metrics");
    assert_eq!(status, 200);
    let value = |name: &str| {
        let mut lines = text.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map(|value| value.parse::<f64>().unwrap())
    };
    assert!(text.contains("# TYPE process_cpu_seconds_total counter\n"));
    assert!((0.0..60.0).contains(&value("process_cpu_seconds_total").unwrap()));
    let resident = value("process_resident_memory_bytes").unwrap();
    assert!((1e6..1e9).contains(&resident), "{resident}");
    assert!(value("process_virtual_memory_bytes").unwrap() >= resident);
    assert!((1.0..100.0).contains(&value("process_threads").unwrap()));
    let open = value("process_open_fds").unwrap();
    assert!((5.0..100.0).contains(&open), "{open}");
    assert!(value("process_max_fds").unwrap() > open);
    // One more connection is one more file.
    let more = TcpStream::connect(server.api).unwrap();
    let latest = Instant::now() + DEADLINE;
    let grown = format!("process_open_fds {}\n", open + 1.0);
    while !server.get("/metrics").1.contains(&grown) {
        assert!(Instant::now() < latest, "{grown}");
    }
    drop(more);
    assert!(!text.contains("proxy_"), "{text}");
    server.stop(Signal::SIGTERM);
    let server = Running::start(&["-port", "0", "-proxy-metrics"]);
    let (status, text) = server.get("/metrics");
    assert_eq!((status, text.contains("process_")), (200, false), "{text}");
    server.stop(Signal::SIGTERM);
}

#[test]
fn a_taken_port_and_a_host_of_elsewhere_are_said_with_a_hint() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let busy = format!("error: --host localhost --port {port}: Address already in use");
    let hint = "hint: is a Toxiproxy running there already? --port 0 takes a free port";
    refused(&["-port", &port], 1, &[&busy, hint]);
    let elsewhere = "error: --host 192.0.2.1 --port 0: Cannot assign requested address";
    let hint = "hint: write a host of this machine";
    refused(&["-host", "192.0.2.1", "-port", "0"], 1, &[elsewhere, hint]);
    for port in ["65536", "x"] {
        refused(&["-port", port], 2, &["--port", port]);
    }
}

#[test]
fn a_file_of_proxies_is_refused_with_place_fact_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxies.json");
    let file = path.to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let busy = format!(r#"[{{"name": "a", "listen": "{taken}", "upstream": "127.0.0.1:1"}}]"#);
    let format = " hint: write it as Toxiproxy does: [{\"name\"";
    for (text, fact, hint) in [
        ("[{]", "line 1 column 3", format),
        ("", "EOF", format),
        (
            "{\"name\": \"a\"}",
            "must be an array of proxies, found an object",
            format,
        ),
        (
            r#"[{"name": "a", "listen": "127.0.0.1:0"}]"#,
            "missing required field: upstream at proxy 1",
            format,
        ),
        (
            busy.as_str(),
            "address already in use",
            "is a proxy running there already?",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let place = format!("error: --config {file}: ");
        refused(&["-port", "0", "-config", file], 1, &[&place, fact, hint]);
    }
    let missing = "error: --config /nowhere.json: no such file or directory\n hint: name a file";
    refused(&["-port", "0", "-config=/nowhere.json"], 1, &[missing]);
    let folder = folder.path().to_str().unwrap();
    refused(&["-port=0", "-config", folder], 1, &["it is a folder"]);
    refused(
        &["-port=0", "-config", "/dev/zero"],
        1,
        &["it is no regular file"],
    );
}

#[test]
fn words_that_mean_nothing_are_named() {
    let hint = "hint: `fault-proxy cli list` asks a server that runs";
    refused(&["list"], 2, &["error: fault-proxy list:", hint]);
    refused(&["-colour"], 2, &["--colour"]);
    refused(&["nonsense"], 2, &["nonsense"]);
    refused(&["-seed", "x"], 2, &["--seed", "whole number of 64 bits"]);
    let mut version = command(PROGRAM);
    version.arg("-version");
    let version = done(version);
    let expected = concat!(
        "fault-proxy ",
        env!("CARGO_PKG_VERSION"),
        ", as Toxiproxy version 2.12.0\n"
    );
    assert_eq!((version.code, version.stdout.as_str()), (Some(0), expected));
    let mut help = command(PROGRAM);
    help.arg("-help");
    let help = done(help);
    assert_eq!(help.code, Some(0));
    for flag in ["host", "port", "config", "seed", "proxy-metrics"] {
        assert!(help.stdout.contains(&format!("--{flag}")), "{flag}");
    }
}
