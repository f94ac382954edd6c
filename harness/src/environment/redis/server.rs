//! This module runs a Redis of our own.
//!
//! **In:** where its logs go, and whether it must keep what it is given. **Out:** [`RedisServer`],
//! with the handle by which it is killed, stopped and started again on the same port.
//!
//! It listens on 127.0.0.1 only, has a random password that stands in a file only its owner can
//! read, and keeps nothing on disk, except where a fault of the plan ends it: then every write goes
//! to an append-only file, synced each second, as a Redis in production has it.
//!
//! **Source:** redis.conf of Redis 7.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{RedisEnd, RedisError};
use crate::environment::EnvironmentError;
use crate::environment::child::{Child, ChildSpec};
use crate::environment::janitor::{JanitorClient, SpawnSpec};
use crate::environment::machine::MachineError;
use crate::environment::machine::port::free_port;
use crate::environment::machine::program;
use crate::environment::private;
use crate::environment::probe::Answer;
use crate::environment::process::{ProcessError, ReadyWait};
use crate::environment::secret::Secret;
use crate::plan::{Mechanism, Plan, ProcessAction, Reach};

const WHAT: &str = "redis-server";
const READY_TIMEOUT: Duration = Duration::from_secs(15);
const ASK_TIMEOUT: Duration = Duration::from_millis(500);
/// An orderly end writes out the append-only file.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// A port found free may be taken before Redis binds it: then another one.
const PORT_TRIES: u32 = 5;

/// A Redis of our own. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RedisServer {
    pub child: Child,
    pub(crate) end: RedisEnd,
    /// Where its append-only file is, if it has one.
    pub(crate) writes_to: Option<PathBuf>,
}

impl RedisServer {
    /// Starts one and waits until it answers; `durable` turns the append-only file on.
    pub(crate) async fn start(
        janitor: &JanitorClient,
        logs: &Path,
        durable: bool,
    ) -> Result<Self, EnvironmentError> {
        let program = program::redis()?;
        let log = logs.join("redis.log");
        let mut tried = 1;
        loop {
            let end = private_end()?;
            let spec = SpawnSpec {
                what: "redis".to_owned(),
                program: program.clone(),
                args: vec![
                    configure(&janitor.directory, &end, durable)?
                        .display()
                        .to_string(),
                ],
                env: Vec::new(),
                log: log.clone(),
            };
            let process = janitor.spawn(WHAT, spec.clone()).await?;
            let server = Self {
                child: Child::new(
                    janitor,
                    ChildSpec {
                        what: WHAT,
                        command: spec,
                        probe: end.probe(),
                        stop_timeout: STOP_TIMEOUT,
                    },
                    process,
                ),
                end,
                writes_to: durable.then(|| janitor.directory.clone()),
            };
            match server.wait_ready().await {
                Ok(()) => return Ok(server),
                Err(ProcessError::Ended { tail, .. })
                    if tail.contains("already in use") && tried < PORT_TRIES =>
                {
                    tried += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn wait_ready(&self) -> Result<(), ProcessError> {
        let wait = ReadyWait {
            what: WHAT,
            timeout: READY_TIMEOUT,
            process: self.child.process(),
            log: self.child.log().to_owned(),
        };
        let probe = self.end.probe();
        wait.until(async || match probe.ask(ASK_TIMEOUT).await {
            Answer::Good { .. } => Ok(()),
            other => Err(other.describe()),
        })
        .await
    }
}

fn private_end() -> Result<RedisEnd, MachineError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    Ok(RedisEnd {
        upstream: address.to_string(),
        address,
        user: None,
        password: Some(Secret::random()?),
    })
}

/// Writes the configuration of a private Redis; returns its path.
fn configure(directory: &Path, end: &RedisEnd, durable: bool) -> Result<PathBuf, RedisError> {
    let port = end.address.port();
    let data = directory.join(format!("redis-{port}"));
    let password = end.password.as_ref().map_or("", Secret::expose);
    let append = if durable { "yes" } else { "no" };
    // A title of its own would overwrite the run's mark, by which `harness recover` finds it.
    let text = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir \"{}\"\ndaemonize no\n\
         save \"\"\nappendonly {append}\nappendfsync everysec\nset-proc-title no\n",
        data.display()
    );
    let path = directory.join(format!("redis-{port}.conf"));
    private::directory(&data)
        .and_then(|()| private::write(&path, text.as_bytes()))
        .map_err(|source| RedisError::PrivateFile {
            path: path.clone(),
            source,
        })?;
    Ok(path)
}

/// A fault of the plan ends Redis: it must keep what it was given.
pub(crate) fn is_durable(plan: &Plan) -> bool {
    plan.faults
        .iter()
        .filter(|fault| fault.kind.reach() == Reach::Redis)
        .any(|fault| match fault.kind.mechanism() {
            Mechanism::Process(ProcessAction::Kill | ProcessAction::Restart) => true,
            Mechanism::Process(ProcessAction::Pause)
            | Mechanism::Disable
            | Mechanism::ResetNow { .. }
            | Mechanism::Toxic(..)
            | Mechanism::FlushTokens => false,
        })
}
