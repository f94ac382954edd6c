//! This module names what this machine lacks for a run, with a hint each.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use miette::Diagnostic;

use crate::units;

/// What this machine lacks.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum MachineError {
    #[error("the operating system's random source /dev/urandom cannot be read: {source}")]
    Random {
        #[source]
        source: io::Error,
    },
    #[error("processors {cpus}: {reason}")]
    #[diagnostic(help(
        "`nproc --all` says how many there are, from 0 on; `taskset -p $$` which this shell may use"
    ))]
    Affinity { cpus: String, reason: &'static str },
    #[error("{}: cannot be read: {source}", path.display())]
    SystemFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("TMPDIR {}: {} free, and the Redis of this run needs about {}", path.display(), units::print_bytes(*free_bytes), units::print_bytes(*needed_bytes))]
    #[diagnostic(help("make room there, or name another folder with TMPDIR"))]
    TemporaryTooSmall {
        path: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("TMPDIR {}: {source}", path.display())]
    #[diagnostic(help("make room there, or name another folder with TMPDIR"))]
    TemporaryNotThere {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{clients} clients need {needed} open files per process; this process may open {limit}"
    )]
    #[diagnostic(help(
        "raise the limit (`ulimit -Hn`, or LimitNOFILE= of the service), or ask for more processes (--shards, environment.server.instances) or fewer --clients"
    ))]
    TooFewFiles {
        clients: u32,
        needed: u64,
        limit: u64,
    },
    #[error(
        "{clients} clients need {needed} local ports from one address; this system has {available}"
    )]
    #[diagnostic(help(
        "name more addresses of this machine in load.sources, widen /proc/sys/net/ipv4/ip_local_port_range, or ask for fewer --clients"
    ))]
    TooFewPorts {
        clients: u32,
        needed: u64,
        available: u64,
    },
    #[error(
        "{clients} clients need about {needed_mib} MiB of memory; {available_mib} MiB are free"
    )]
    #[diagnostic(help("ask for fewer --clients, or free memory"))]
    TooLittleMemory {
        clients: u32,
        needed_mib: u64,
        available_mib: u64,
    },
    #[error(
        "this run needs {needed} threads at once, and this system gives it {started}: {source}"
    )]
    #[diagnostic(help("raise the limit of processes (`ulimit -u`) or of addresses (`ulimit -v`)"))]
    TooFewThreads {
        needed: usize,
        started: usize,
        #[source]
        source: io::Error,
    },
    #[error("this run needs {needed_mib} MiB of addresses; {left_mib} of {limit_mib} MiB are left")]
    #[diagnostic(help("raise the limit of processes (`ulimit -u`) or of addresses (`ulimit -v`)"))]
    TooFewAddresses {
        limit_mib: u64,
        left_mib: u64,
        needed_mib: u64,
    },
    #[error("load.sources: {address} is no address of this machine: {source}")]
    #[diagnostic(help("`ip address` lists them"))]
    NotOurs {
        address: IpAddr,
        #[source]
        source: io::Error,
    },
    #[error("load.sources: no socket to {target} comes from {address}")]
    #[diagnostic(help("name addresses of this machine of the same kind, IPv4 or IPv6"))]
    NoSource { address: IpAddr, target: IpAddr },
    #[error("no free port of 127.0.0.1 found in {tried} tries: {source}")]
    NoFreePort {
        tried: u32,
        #[source]
        source: io::Error,
    },
}

/// Why the folder of a run cannot hold its files. The process exits with 5 for these.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum OutError {
    #[error("--out {}: the directory cannot be written: {source}", path.display())]
    #[diagnostic(help("choose another directory with --out"))]
    NotWritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("--out {}: {} free, and the files of this run need about {}", path.display(), units::print_bytes(*free_bytes), units::print_bytes(*needed_bytes))]
    #[diagnostic(help("make room there, or name a folder on another disk with --out"))]
    TooSmall {
        path: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("--out {}: its disk takes {free} more files, and a run writes about {needed}", path.display())]
    #[diagnostic(help("make room there, or name a folder on another disk with --out"))]
    TooFewFiles {
        path: PathBuf,
        needed: u64,
        free: u64,
    },
}

/// Why a program that a run starts is not at hand.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum ProgramError {
    #[error("Redis is not installed: neither `redis-server` nor `valkey-server` is in PATH")]
    #[diagnostic(help("install it with `{install}`, or set REDIS_SERVER=/path/to/redis-server"))]
    RedisMissing { install: String },
    #[error("{origin}: {} is not a program that can be run", path.display())]
    #[diagnostic(help("give the path of an executable file"))]
    NotExecutable {
        /// `REDIS_SERVER`, `--server` or `HARNESS_SERVER`.
        origin: &'static str,
        path: PathBuf,
    },
    #[error("the server program `reference-server` was not found; looked at {looked_at}")]
    #[diagnostic(help(
        "build it with `cargo build -p reference-server`, or name it with --server PATH"
    ))]
    ServerMissing { looked_at: String },
}
