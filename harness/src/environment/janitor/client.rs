//! This module is the harness's end of the janitor: it asks for processes and for the final
//! clean-up.
//!
//! **In:** what to start. **Out:** a [`ProcessId`] for each. Requests are blocking writes and reads
//! of a few kilobytes on a local socket, made on a blocking thread, so that any runtime can ask and
//! a dropped future cannot leave half a request behind.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::OFlag;

use super::error::JanitorError;
use super::manifest::{self, HeldProxies};
use super::protocol::{LINE_BYTES_MAX, Reply, Request, SpawnSpec};
use super::sweep::sweep;
use crate::environment::machine::affinity;
use crate::environment::process::ProcessId;
use crate::scenario::cpus::Cpus;

/// This very program, also when its file has been replaced since it was started.
pub(crate) const OWN_PROGRAM: &str = "/proc/self/exe";
/// For one request: a spawn and a small file.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For the last one, which may have to wait for processes and for a foreign Toxiproxy.
const CLEAN_TIMEOUT: Duration = Duration::from_secs(20);
/// From the last reply to the end of the janitor.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The harness's end of the janitor; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct JanitorClient {
    connection: Arc<Mutex<Connection>>,
    /// Removed at the end of the run.
    pub(crate) directory: PathBuf,
    leases: PathBuf,
    run_id: String,
}

#[derive(Debug)]
struct Connection {
    stream: BufReader<UnixStream>,
    /// `None` where a test runs the janitor in a thread.
    janitor: Option<Child>,
}

impl JanitorClient {
    /// Starts the janitor of a run, on these processors: all that it starts runs there too. `logs` exists.
    pub(crate) async fn launch(
        run_id: &str,
        logs: &Path,
        cpus: Option<&Cpus>,
    ) -> Result<Self, JanitorError> {
        let failed = |error: std::io::Error| JanitorError::NotStarted {
            reason: error.to_string(),
        };
        let leases = manifest::directory()?;
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(logs.join("janitor.log"))
            .map_err(failed)?;
        let mut command = Command::new(OWN_PROGRAM);
        command
            .arg0("harness-janitor")
            .arg("janitor")
            .stdin(OwnedFd::from(theirs))
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        let janitor = affinity::started_on(cpus, || command.spawn());
        let janitor = janitor
            .map_err(|error| JanitorError::NotStarted {
                reason: error.to_string(),
            })?
            .map_err(failed)?;
        Self::begin(run_id, ours, Some(janitor), leases).await
    }

    /// Introduces the run to a janitor at the other end of `stream`.
    pub(crate) async fn begin(
        run_id: &str,
        stream: UnixStream,
        janitor: Option<Child>,
        leases: PathBuf,
    ) -> Result<Self, JanitorError> {
        let mut janitor = Self {
            connection: Arc::new(Mutex::new(Connection {
                stream: BufReader::new(stream),
                janitor,
            })),
            directory: PathBuf::new(),
            leases: leases.clone(),
            run_id: run_id.to_owned(),
        };
        let harness = ProcessId::of_self().ok_or_else(|| JanitorError::NotStarted {
            reason: "/proc does not show this process".to_owned(),
        })?;
        let request = Request::Begin {
            run_id: run_id.to_owned(),
            harness,
            leases,
        };
        match janitor.ask(request, REQUEST_TIMEOUT).await? {
            Reply::Begun { directory } => janitor.directory = directory,
            other => return Err(unexpected(other)),
        }
        Ok(janitor)
    }

    /// Starts a process that ends with the run, however that ends.
    pub(crate) async fn spawn(
        &self,
        what: &'static str,
        spec: SpawnSpec,
    ) -> Result<ProcessId, JanitorError> {
        match self.ask(Request::Spawn(spec), REQUEST_TIMEOUT).await? {
            Reply::Spawned(process) => Ok(process),
            Reply::Failed { reason } => Err(JanitorError::Spawn { what, reason }),
            other => Err(unexpected(other)),
        }
    }

    /// Says which proxies are about to be created or used on a Toxiproxy that is not ours.
    pub(crate) async fn proxies(&self, proxies: HeldProxies) -> Result<(), JanitorError> {
        match self.ask(Request::Proxies(proxies), REQUEST_TIMEOUT).await? {
            Reply::Noted => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Gives everything back and waits for the janitor's own end; returns what went wrong.
    pub(crate) async fn clean(&self) -> Vec<String> {
        let mut problems = match self.ask(Request::Clean, CLEAN_TIMEOUT).await {
            Ok(Reply::Cleaned { problems }) => problems,
            Ok(other) => vec![unexpected(other).to_string()],
            Err(error) => self.clean_alone(error).await,
        };
        if let Err(reason) = self.wait_for_end().await {
            problems.push(reason);
        }
        problems
    }

    /// What the janitor would have done, had it not ended before the run.
    async fn clean_alone(&self, error: JanitorError) -> Vec<String> {
        let mut problems = vec![error.to_string()];
        match manifest::read(&manifest::file(&self.leases, &self.run_id)) {
            Ok(manifest) => problems.extend(sweep(&manifest, &self.leases).await.problems),
            Err(error) => problems.push(error.to_string()),
        }
        problems
    }

    async fn ask(&self, request: Request, timeout: Duration) -> Result<Reply, JanitorError> {
        let connection = Arc::clone(&self.connection);
        let asked = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            exchange(&mut connection.stream, &request, timeout)
        });
        let janitor = |reason: String| JanitorError::NotStarted { reason };
        asked
            .await
            .map_err(|error| janitor(error.to_string()))?
            .map_err(|error| janitor(error.to_string()))
    }

    async fn wait_for_end(&self) -> Result<(), String> {
        let janitor = {
            let mut connection = self
                .connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            connection.janitor.take()
        };
        let Some(mut janitor) = janitor else {
            return Ok(());
        };
        let pid = i32::try_from(janitor.id()).ok();
        if let Some(process) = pid.and_then(ProcessId::of)
            && !process.ended_within(EXIT_TIMEOUT).await
        {
            return Err(format!("the janitor (pid {}) has not ended", process.pid));
        }
        janitor
            .try_wait()
            .map(|_| ())
            .map_err(|error| format!("the janitor: {error}"))
    }
}

fn exchange(
    stream: &mut BufReader<UnixStream>,
    request: &Request,
    timeout: Duration,
) -> std::io::Result<Reply> {
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.get_ref().set_read_timeout(Some(timeout))?;
    stream.get_ref().set_write_timeout(Some(timeout))?;
    stream.get_mut().write_all(&text)?;
    let mut line = String::new();
    stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
    if line.is_empty() {
        return Err(std::io::Error::other("it has ended"));
    }
    Ok(serde_json::from_str(&line)?)
}

fn unexpected(reply: Reply) -> JanitorError {
    let reason = match reply {
        Reply::Failed { reason } => reason,
        Reply::Begun { .. } | Reply::Spawned(_) | Reply::Noted | Reply::Cleaned { .. } => {
            "it answered another question".to_owned()
        }
    };
    JanitorError::NotStarted { reason }
}
