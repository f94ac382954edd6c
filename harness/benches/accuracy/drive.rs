//! This module is one run: a target with its law, the harness against it, and what both say.
//!
//! **In:** law, clients, how often each asks, for how long, open or closed loop. **Out:** `result.json` and exit code of
//! the harness, every response time of the target's record.
//!
//! **Units:** milliseconds and seconds as named; the record is nanoseconds.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Outcome;
use crate::law::Law;

/// Clients that come in a second, at most. A connect costs more than a message: what is measured is not the ramp.
const RAMP_PER_S: u32 = 400;
const RAMP_MIN_S: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(10);

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub law: Law,
    pub clients: u32,
    /// Mean time between two messages of a client; in a closed loop from the answer to the next message.
    pub every_ms: u32,
    pub hold_s: u32,
    pub closed: bool,
}

impl Case {
    pub(crate) const fn arrival(self) -> &'static str {
        if self.closed { "closed" } else { "poisson" }
    }

    pub(crate) fn title(self) -> String {
        let Self {
            clients, every_ms, ..
        } = self;
        let kind = if self.closed {
            "closed loop"
        } else {
            "open loop"
        };
        let rate = 1_000.0 / f64::from(every_ms);
        format!(
            "{}, {clients} clients, {rate} msg/s each, {kind}",
            self.law.name()
        )
    }

    fn scenario(self) -> String {
        let ramp_s = self.clients.div_ceil(RAMP_PER_S).max(RAMP_MIN_S);
        format!(
            r#"# Are the percentiles that are reported those that were served?
title = "accuracy"
seed = 1

[environment]
proxies = []
users = {{ password = "${{env:ACCURACY_PASSWORD}}" }}

[load]
clients = {}
stages = [{{ ramp = "{ramp_s}s" }}, {{ hold = "{}s" }}]
message = {{ every = "{}ms", arrival = "{}", length = 65 }}
pacing = "exact"

[target]
login = "none"
send = {{ heartbeat = "none" }}
events = {{ answer = "answer", queued = "none", started = "none", chunk = "none", complete = "none" }}
"#,
            self.clients,
            self.hold_s,
            self.every_ms,
            self.arrival()
        )
    }
}

/// What both say of a run.
pub(crate) struct Seen {
    pub result: Value,
    pub exit_code: Option<i32>,
    /// Ascending.
    pub record_ns: Vec<u64>,
}

pub(crate) fn run(case: Case, folder: &Path) -> Outcome<Seen> {
    let (_target, address) = serve(case.law)?;
    let (scenario, out, log) = (
        folder.join("accuracy.toml"),
        folder.join("out"),
        folder.join("harness.log"),
    );
    std::fs::write(&scenario, case.scenario())?;
    let mut harness = Command::new(harness());
    harness
        .arg("run")
        .arg(&scenario)
        .args(["--quiet", "--overwrite", "--target"])
        .arg(format!("ws://{address}"))
        .arg("--out")
        .arg(&out)
        .env("ACCURACY_PASSWORD", "x")
        .stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?);
    let exit_code = harness.status()?.code();
    let result = std::fs::read_to_string(out.join("result.json")).map_err(|error| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        format!("{}: no result: {error}\n{log}", case.title())
    })?;
    // So that no run is ever read as another's.
    std::fs::remove_dir_all(&out)?;
    Ok(Seen {
        result: serde_json::from_str(&result)?,
        exit_code,
        record_ns: record(address)?,
    })
}

fn harness() -> PathBuf {
    let usual = env!("CARGO_BIN_EXE_harness");
    std::env::var_os("HARNESS_BINARY").map_or_else(|| PathBuf::from(usual), PathBuf::from)
}

/// Starts the target.
fn serve(law: Law) -> Outcome<(Process, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    let command = command.args(["target", law.name()]);
    let mut child = Process(command.stdout(Stdio::piped()).spawn()?);
    let stdout = child.0.stdout.take().ok_or("the target has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((child, line.trim().parse()?))
}

/// Killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Asks the target for its record.
fn record(target: SocketAddr) -> Outcome<Vec<u64>> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /record HTTP/1.1\r\nHost: t\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("the target has no record")?;
    let numbers = body
        .lines()
        .map(str::parse)
        .collect::<Result<Vec<u64>, _>>()?;
    match numbers.split_first() {
        Some((0, record_ns)) => Ok(record_ns.to_vec()),
        Some((choked, _)) => Err(format!("{choked} answers were not taken by a socket").into()),
        None => Err("the record of the target is empty".into()),
    }
}
