//! This module names everything that can keep an environment from starting, with a hint each.

use std::env::VarError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use fault_proxy::client::ClientError;

use super::admission::NotAdmitted;
use crate::account::Ask;
use crate::trust::{TlsFailure, TrustError};
use crate::units;

/// Why the environment did not start. The process exits with 3 for all of them except
/// [`EnvironmentError::Cancelled`], which is an interruption (130).
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentError {
    /// The caller's cancellation arrived while something was being started.
    #[error("interrupted while the environment was starting; what had been started is stopped")]
    Cancelled,

    // ---- what this machine has ----
    #[error("the operating system's random source /dev/urandom cannot be read: {0}")]
    Random(#[source] io::Error),
    #[error("{}: cannot be read: {source}", path.display())]
    SystemFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("--out {}: the directory cannot be written: {source}", path.display())]
    OutNotWritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("--out {}: {} free, and the files of this run need about {}", path.display(), units::print_bytes(*free_bytes), units::print_bytes(*needed_bytes))]
    OutTooSmall {
        path: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("TMPDIR {}: {} free, and the Redis of this run needs about {}", path.display(), units::print_bytes(*free_bytes), units::print_bytes(*needed_bytes))]
    TemporaryTooSmall {
        path: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("TMPDIR {}: {source}", path.display())]
    TemporaryNotThere {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("--out {}: its disk takes {free} more files, and a run writes about {needed}", path.display())]
    OutTooFewFiles {
        path: PathBuf,
        needed: u64,
        free: u64,
    },
    #[error(
        "{clients} clients need {needed} open files per process; this process may open {limit}"
    )]
    TooFewFiles {
        clients: u32,
        needed: u64,
        limit: u64,
    },
    #[error(
        "{clients} clients need {needed} local ports to one address; this system has {available}"
    )]
    TooFewPorts {
        clients: u32,
        needed: u64,
        available: u64,
    },
    #[error(
        "{clients} clients need about {needed_mib} MiB of memory; {available_mib} MiB are free"
    )]
    TooLittleMemory {
        clients: u32,
        needed_mib: u64,
        available_mib: u64,
    },
    #[error(
        "this run needs {needed} threads at once, and this system gives it {started}: {source}"
    )]
    TooFewThreads {
        needed: usize,
        started: usize,
        #[source]
        source: io::Error,
    },
    #[error("this run needs {needed_mib} MiB of addresses; {left_mib} of {limit_mib} MiB are left")]
    TooFewAddresses {
        limit_mib: u64,
        left_mib: u64,
        needed_mib: u64,
    },
    #[error("no free port of 127.0.0.1 found in {tried} tries: {source}")]
    NoFreePort {
        tried: u32,
        #[source]
        source: io::Error,
    },

    // ---- binaries ----
    #[error("Redis is not installed: neither `redis-server` nor `valkey-server` is in PATH")]
    RedisMissing { install: String },
    #[error("{origin}: {} is not a program that can be run", path.display())]
    NotExecutable {
        /// `REDIS_SERVER`, `--server` or `HARNESS_SERVER`.
        origin: &'static str,
        path: PathBuf,
    },
    #[error("the server program `reference-server` was not found; looked at {looked_at}")]
    ServerMissing { looked_at: String },

    // ---- the plan against this environment ----
    #[error("{place}: `${{env:` is not closed by `}}`")]
    SecretName { place: &'static str },
    #[error("{place}: the environment variable {name} cannot be used: {source}")]
    SecretMissing {
        place: &'static str,
        name: String,
        #[source]
        source: VarError,
    },
    #[error("{place}: `{url}` is not an address: {reason}")]
    BadAddress {
        place: &'static str,
        url: String,
        reason: String,
    },
    #[error("{place}: the name {host} cannot be resolved: {source}")]
    Unresolved {
        place: &'static str,
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("{place}: {host} is {address}, which is not this machine")]
    NotLoopback {
        place: &'static str,
        host: String,
        address: std::net::IpAddr,
    },
    #[error("fault {fault}: {place} {host} is not this machine, and faults there are not allowed")]
    FaultsNotAllowed {
        fault: String,
        place: &'static str,
        host: String,
    },
    #[error("fault {fault} (line {line}): {reason}")]
    FaultImpossible {
        fault: String,
        line: u32,
        reason: &'static str,
    },
    #[error(
        "fault {fault} (line {line}): `{kind}` needs the harness's own fault proxy, and {carrier} has no such thing"
    )]
    NeedsOwnProxy {
        fault: String,
        line: u32,
        kind: &'static str,
        carrier: String,
    },
    #[error("environment.links.{link}: {carrier} has no proxy called {name}; it has {known}")]
    NoSuchProxy {
        link: &'static str,
        carrier: String,
        name: String,
        known: String,
    },
    #[error("environment.links.{link}: the proxy {name} of {carrier} is disabled")]
    ProxyDisabled {
        link: &'static str,
        carrier: String,
        name: String,
    },
    #[error("environment.server.instances: {instances}, but the edge link leads to one server")]
    EdgeOfSeveral { instances: u16 },
    #[error("{place}: {fact}")]
    UserFile { place: String, fact: String },
    #[error("no server was to be started")]
    NoServer,
    #[error("environment.redis: the reference server needs a Redis, and the plan has none")]
    ServerWithoutRedis,

    // ---- starting and attaching ----
    #[error("the janitor process did not start: {reason}")]
    Janitor { reason: String },
    #[error("{what} could not be started: {reason}")]
    Spawn { what: &'static str, reason: String },
    #[error("{}: {source}", path.display())]
    PrivateFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} ended before it was ready; its log {} {tail}", log.display())]
    Ended {
        what: &'static str,
        log: PathBuf,
        tail: String,
    },
    #[error("{what} was not ready after {waited:?}; last answer: {last}")]
    NotReady {
        what: &'static str,
        waited: Duration,
        last: String,
    },
    #[error("{place}: {address} refuses connections")]
    Refused {
        place: &'static str,
        address: String,
    },
    #[error("{place}: {address} cannot be reached: {reason}")]
    Unreachable {
        place: &'static str,
        address: String,
        reason: String,
    },
    #[error("environment.target: {}", no_tls(address, failure))]
    NotShaken {
        address: String,
        failure: TlsFailure,
    },
    #[error("environment.target: {address} speaks TLS, and was asked in plain text")]
    SpeaksTls { address: String },
    #[error("environment.tls.ca {}: {reason}", path.display())]
    Authority { path: PathBuf, reason: String },
    #[error("TLS cannot be set up: {0}")]
    NoTls(#[source] TrustError),
    #[error("environment.target: {0}")]
    NotAdmitted(Box<NotAdmitted>),
    #[error("environment.target: no {} at {url}: {fact}", ask.word())]
    NoAdmission { url: String, ask: Ask, fact: String },
    #[error("{place}: the value of {header} cannot be sent: it holds {what}")]
    Header {
        place: &'static str,
        header: String,
        what: &'static str,
    },
    #[error("{place}: Redis at {address} does not accept the password: {answer}")]
    WrongPassword {
        place: &'static str,
        address: String,
        answer: String,
    },
    #[error("{place}: {address} does not answer as Redis does: {answer}")]
    NotRedis {
        place: &'static str,
        address: String,
        answer: String,
    },
    #[error("{what} (pid {pid}): {reason}")]
    Control {
        what: &'static str,
        pid: i32,
        reason: String,
    },
    #[error("the fault proxy could not be set up: {0}")]
    Proxy(#[from] ClientError),
    #[error("the fault proxy could not listen on {address}: {source}")]
    ProxyListen {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("the HTTP client could not be set up: {0}")]
    Http(#[source] reqwest::Error),
    #[error("lease {}: {reason}: left alone", path.display())]
    Lease { path: PathBuf, reason: String },
    #[error("the folder of the leases, {}: {reason}", path.display())]
    StateFolder { path: PathBuf, reason: String },
    #[error("there is no place for leases: this user has no home")]
    NoStateFolder,
}

const HINT_OF_LEASES: &str = "what stands in a lease is obeyed: keep them where nobody else may write, \
    in a folder of your own that XDG_STATE_HOME names";

const HINT_OF_TMPDIR: &str = "make room there, or name another folder with TMPDIR";

impl EnvironmentError {
    /// What the user can do about it, in one line.
    #[expect(clippy::too_many_lines, reason = "one flat table")]
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::OutNotWritable { .. } => "choose another directory with --out",
            Self::OutTooSmall { .. } | Self::OutTooFewFiles { .. } => {
                "make room there, or name a folder on another disk with --out"
            }
            Self::TemporaryTooSmall { .. } | Self::TemporaryNotThere { .. } => HINT_OF_TMPDIR,
            Self::TooFewFiles { .. } => {
                "raise the limit (`ulimit -Hn`, or LimitNOFILE= of the service), or ask for fewer --clients"
            }
            Self::TooFewPorts { .. } => {
                "widen /proc/sys/net/ipv4/ip_local_port_range, or ask for fewer --clients"
            }
            Self::TooLittleMemory { .. } => "ask for fewer --clients, or free memory",
            Self::TooFewThreads { .. } | Self::TooFewAddresses { .. } => {
                "raise the limit of processes (`ulimit -u`) or of addresses (`ulimit -v`)"
            }
            Self::RedisMissing { install } => {
                return Some(format!(
                    "install it with `{install}`, or set REDIS_SERVER=/path/to/redis-server"
                ));
            }
            Self::NotExecutable { .. } => "give the path of an executable file",
            Self::ServerMissing { .. } => {
                "build it with `cargo build -p reference-server`, or name it with --server PATH"
            }
            Self::SecretName { .. } => "write `${env:NAME}`",
            Self::SecretMissing { .. } => "export the variable before starting the run",
            Self::BadAddress { .. } => {
                "write it like ws://127.0.0.1:8000 or redis://:PASSWORD@127.0.0.1:6379"
            }
            Self::NotLoopback { .. } => {
                "a load test can bring a service down: name the host with --allow-host HOST if it is yours"
            }
            Self::FaultsNotAllowed { .. } => "add --allow-faults if you may break that system",
            Self::ServerWithoutRedis => "leave `redis` at \"private\", or give a redis:// URL",
            Self::EdgeOfSeveral { .. } | Self::NoServer => "write `instances = 1`, or no edge",
            Self::UserFile { .. } => "see `users` and `payloads` in scenarios/README.md",
            Self::NeedsOwnProxy { .. } => {
                "take the fault out, or leave --toxiproxy (and `links`) out: the embedded proxy can do it"
            }
            Self::NoSuchProxy { .. } => "name one that exists, or leave the link out of `links`",
            Self::ProxyDisabled { .. } => "enable it first: the run puts it back as it found it",
            Self::Refused { .. } => "is it running, and is this the right port?",
            Self::WrongPassword { .. } => {
                "write the URL as redis://:${env:REDIS_PASSWORD}@host:port and set that variable"
            }
            Self::NotRedis { .. } => "is this the port of another service?",
            Self::Lease { .. } | Self::StateFolder { .. } | Self::NoStateFolder => HINT_OF_LEASES,
            Self::FaultImpossible { .. }
            | Self::Cancelled
            | Self::Random(_)
            | Self::SystemFile { .. }
            | Self::NoFreePort { .. }
            | Self::Unresolved { .. }
            | Self::Janitor { .. }
            | Self::Spawn { .. }
            | Self::PrivateFile { .. }
            | Self::Ended { .. }
            | Self::Control { .. }
            | Self::NotReady { .. }
            | Self::Unreachable { .. }
            | Self::Proxy(_)
            | Self::ProxyListen { .. }
            | Self::Http(_) => return None,
            Self::NotShaken { .. }
            | Self::SpeaksTls { .. }
            | Self::Authority { .. }
            | Self::NoTls(_)
            | Self::NotAdmitted(_)
            | Self::NoAdmission { .. }
            | Self::Header { .. } => return self.hint_of_target(),
        };
        Some(hint.to_owned())
    }

    /// The same where a target does not do what is wanted.
    fn hint_of_target(&self) -> Option<String> {
        let hint = match self {
            Self::NotShaken { failure, .. } => failure.hint(),
            Self::SpeaksTls { .. } => "write wss:// or https://",
            Self::Authority { .. } => {
                "give a PEM file that holds the authority's certificate, or the server's own"
            }
            Self::NoTls(TrustError::NoAuthorities(_)) => {
                "install ca-certificates, or name the authority with --ca FILE"
            }
            Self::NotAdmitted(not) => return Some(not.hint()),
            Self::NoAdmission { .. } => {
                "is this the port of a chat server, and does it speak the contract or a [target] of yours?"
            }
            Self::Header { .. } => {
                "headers are of printable ASCII; is there a line break at the end of the variable?"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn no_tls(address: &str, failure: &TlsFailure) -> String {
    match failure {
        TlsFailure::Certificate(why) => {
            format!("the certificate of {address} is not believed: {why}")
        }
        TlsFailure::NotTls => format!("{address} does not speak TLS: {failure}"),
        other => format!("no TLS with {address}: {other}"),
    }
}
