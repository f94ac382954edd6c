//! This module outlives a killed harness just long enough to clean up after it.
//!
//! **In:** requests of the harness over a socket (one JSON text per line). **Out:** children,
//! replies, a manifest; and once the socket closes, nothing at all is left.
//!
//! The janitor is a process of its own, started before anything else, and it is the *parent* of
//! every process of a run: the harness asks, the janitor spawns. So there is no moment at which a
//! process exists that the janitor does not know: it writes the process into the manifest before it
//! reads another line, and an end of the socket, however the harness ended, is only another line.
//! A harness killed half-way through a request leaves half a line, which is ignored.
//!
//! It sits in a session of its own, so neither the terminal's Ctrl-C nor a signal to the harness's
//! process group reaches it or its children, and it catches SIGINT, SIGTERM and SIGHUP (caught, not
//! ignored or blocked: children start with all three at their default).
//!
//! Absent on purpose: a death signal from the kernel (`PR_SET_PDEATHSIG`), which follows the thread
//! that spawned, not the process, and has a gap of its own before it is set.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::process::Stdio;

use nix::fcntl::OFlag;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::JanitorError;
use super::manifest::{self, HeldProcess, HeldProxies, Manifest};
use super::protocol::{LINE_BYTES_MAX, MARK, Reply, Request, SpawnSpec};
use super::sweep::sweep;
use crate::environment::private;
use crate::environment::process::ProcessId;

/// What a child sees of the harness's own environment: nothing else, secrets least of all.
const PASSED_ON: [&str; 6] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LD_LIBRARY_PATH",
    "RUST_BACKTRACE",
];

/// The `janitor` subcommand: serves the harness at the other end of standard input until it goes.
///
/// Returns what could not be cleaned up, one sentence each.
pub(crate) fn main() -> Result<Vec<String>, JanitorError> {
    // A leader of a process group cannot leave its session; the harness does not make us one.
    if let Err(error) = nix::unistd::setsid() {
        tracing::warn!(%error, "the janitor stays in the session of the harness");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(JanitorError::Runtime)?;
    runtime.block_on(async {
        let mut caught = Vec::new();
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            caught.push(signal(kind).map_err(JanitorError::Runtime)?);
        }
        let stdin = nix::unistd::dup(std::io::stdin())
            .map_err(|error| JanitorError::NoSocket(error.into()))?;
        let problems = serve(socket(stdin)?).await;
        drop(caught);
        Ok(problems)
    })
}

fn socket(stdin: OwnedFd) -> Result<UnixStream, JanitorError> {
    let stream = StdUnixStream::from(stdin);
    stream.local_addr().map_err(JanitorError::NoSocket)?;
    stream
        .set_nonblocking(true)
        .map_err(JanitorError::NoSocket)?;
    UnixStream::from_std(stream).map_err(JanitorError::NoSocket)
}

/// Serves one harness until it says `clean` or goes away; then gives everything back.
pub(crate) async fn serve(stream: UnixStream) -> Vec<String> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut held: Option<RunState> = None;
    while let Some(request) = next(&mut read).await {
        let reply = match (request, &mut held) {
            (Request::Clean, _) => {
                let problems = clean(held).await;
                // The harness may be gone already; then nobody is left to tell.
                if let Err(error) = send(
                    &mut write,
                    &Reply::Cleaned {
                        problems: problems.clone(),
                    },
                )
                .await
                {
                    tracing::debug!(%error, "nobody to tell that all is clean");
                }
                return problems;
            }
            (
                Request::Begin {
                    run_id,
                    harness,
                    leases,
                },
                none @ None,
            ) => match RunState::begin(&run_id, harness, leases) {
                Ok(new) => {
                    let directory = new.manifest.directory.clone();
                    *none = Some(new);
                    Reply::Begun { directory }
                }
                Err(error) => Reply::Failed {
                    reason: error.to_string(),
                },
            },
            (Request::Spawn(spec), Some(held)) => held.spawn(&spec),
            (Request::Proxies(proxies), Some(held)) => held.proxies(proxies),
            (Request::Begin { .. }, Some(_)) | (Request::Spawn(_) | Request::Proxies(_), None) => {
                Reply::Failed {
                    reason: "out of order".to_owned(),
                }
            }
        };
        if send(&mut write, &reply).await.is_err() {
            break;
        }
    }
    clean(held).await
}

/// The next whole request; `None` once the harness is gone (or talks nonsense, which is the same).
async fn next(read: &mut BufReader<OwnedReadHalf>) -> Option<Request> {
    let mut line = String::new();
    let length = read.take(LINE_BYTES_MAX).read_line(&mut line).await.ok()?;
    if length == 0 || !line.ends_with('\n') {
        return None;
    }
    serde_json::from_str(&line).ok()
}

async fn send(write: &mut tokio::net::unix::OwnedWriteHalf, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    write.write_all(&line).await
}

async fn clean(held: Option<RunState>) -> Vec<String> {
    let Some(held) = held else {
        return Vec::new();
    };
    let swept = sweep(&held.manifest, &held.leases).await;
    swept.problems
}

/// What this janitor answers for.
struct RunState {
    manifest: Manifest,
    leases: PathBuf,
}

impl RunState {
    /// The manifest is written first, then the directory it names is made.
    fn begin(run_id: &str, harness: ProcessId, leases: PathBuf) -> std::io::Result<Self> {
        let janitor = ProcessId::of_self().ok_or(std::io::ErrorKind::NotFound)?;
        let manifest = manifest::new(run_id, harness, janitor);
        if manifest::file(&leases, run_id).exists() {
            let reason = format!("a run named {run_id} already has a lease");
            return Err(std::io::Error::other(reason));
        }
        manifest::write(&leases, &manifest)?;
        if let Err(error) = private::new_directory(&manifest.directory) {
            // It holds nothing yet.
            drop(fs::remove_file(manifest::file(&leases, run_id)));
            return Err(error);
        }
        Ok(Self { manifest, leases })
    }

    fn spawn(&mut self, spec: &SpawnSpec) -> Reply {
        match self.start(spec) {
            Ok(process) => Reply::Spawned(process),
            Err(error) => Reply::Failed {
                reason: format!("{}: {error}", spec.program.display()),
            },
        }
    }

    /// Nothing is awaited between the spawn and the manifest, so nothing can come in between.
    fn start(&mut self, spec: &SpawnSpec) -> std::io::Result<ProcessId> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&spec.log)?;
        let passed_on = PASSED_ON
            .iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let child = Command::new(&spec.program)
            .args(&spec.args)
            .env_clear()
            .envs(passed_on)
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .env(MARK, &self.manifest.run_id)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        // Not reaped yet, so it can be found even if it has ended already.
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let process = pid
            .and_then(ProcessId::of)
            .ok_or(std::io::ErrorKind::NotFound)?;
        self.manifest
            .processes
            .retain(|held| held.process.is_alive());
        self.manifest.processes.push(HeldProcess {
            what: spec.what.clone(),
            process,
        });
        manifest::write(&self.leases, &self.manifest)?;
        // Dropping the handle leaves the process running; tokio reaps it when it ends.
        drop(child);
        Ok(process)
    }

    fn proxies(&mut self, proxies: HeldProxies) -> Reply {
        self.manifest.toxiproxy = Some(proxies);
        match manifest::write(&self.leases, &self.manifest) {
            Ok(()) => Reply::Noted,
            Err(error) => Reply::Failed {
                reason: error.to_string(),
            },
        }
    }
}
