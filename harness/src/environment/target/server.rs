//! This module runs the reference server, or checks the target that is there.
//!
//! **In:** the plan, and the Redis URLs as the server is to see them (through the fault proxy where
//! there is one). **Out:** a process that says it is ready, or an address that accepts connections.
//!
//! The server's flags are its public command line; nothing else of it is known here. Secrets go by
//! environment variables, because an argument list can be read by every user of the machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::Client as Http;

use crate::environment::EnvironmentError;
use crate::environment::child::{Child, ChildSpec};
use crate::environment::janitor::JanitorClient;
use crate::environment::janitor::SpawnSpec;
use crate::environment::probe::Probe;
use crate::environment::process::{ReadyWait, announced, log_end};
use crate::environment::secret::{self, Secret, SecretError};
use crate::environment::settings::ServerFlag;
use crate::plan::Plan;

const WHAT: &str = "reference-server";
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// The server closes its sockets for up to 10 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);
const KILL_TIMEOUT: Duration = Duration::from_secs(3);
/// A free port.
const ANY_ADDRESS: &str = "127.0.0.1:0";
const ANNOUNCEMENT: &str = "listening on ";

/// The Redis URLs of the server's three uses.
#[derive(Clone, Debug)]
pub(crate) struct RedisUrls {
    pub tasks: Secret,
    pub tokens: Secret,
    pub channel: Secret,
}

/// A server of our own.
#[derive(Debug)]
pub(crate) struct Server {
    pub child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts it and waits until `/readyz` is green.
    pub(crate) async fn start(
        janitor: &JanitorClient,
        spec: SpawnSpec,
        http: &Http,
    ) -> Result<Self, EnvironmentError> {
        let log = spec.log.clone();
        let from = log_end(&log);
        let process = janitor.spawn(WHAT, spec.clone()).await?;
        let wait = ReadyWait {
            what: WHAT,
            timeout: READY_TIMEOUT,
            process,
            log: log.clone(),
        };
        let address: SocketAddr = wait
            .until(async || {
                let text = announced(&log, from, ANNOUNCEMENT)
                    .ok_or_else(|| "it has not said where it listens".to_owned())?;
                let address = text.rsplit('/').next().unwrap_or(&text);
                address
                    .parse()
                    .map_err(|error| format!("it listens on `{text}`: {error}"))
            })
            .await?;
        let readyz = format!("http://{address}/readyz");
        wait.until(async || match http.get(&readyz).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("/readyz answered {}", answer.status())),
            Err(error) => Err(format!("/readyz: {error}")),
        })
        .await?;
        let child = ChildSpec {
            what: WHAT,
            command: at(spec, address),
            probe: Probe::http(address, address.to_string()),
            stop_timeout: STOP_TIMEOUT,
        };
        let child = Child::new(janitor, child, process);
        Ok(Self { child, address })
    }

    /// SIGTERM, and SIGKILL where that does not help; returns what went wrong.
    pub(crate) async fn stop(&self) -> Option<String> {
        let process = self.child.process();
        let pid = process.pid;
        process.signal(Signal::SIGCONT);
        if !process.signal(Signal::SIGTERM) {
            return Some(format!(
                "{WHAT} (pid {pid}) had ended before it was stopped"
            ));
        }
        if process.ended_within(STOP_TIMEOUT).await {
            return None;
        }
        process.signal(Signal::SIGKILL);
        process.ended_within(KILL_TIMEOUT).await;
        Some(format!(
            "{WHAT} (pid {pid}) was killed: it had not ended {STOP_TIMEOUT:?} after SIGTERM"
        ))
    }
}

/// The same command for the address that was found free: it is started there again.
fn at(mut spec: SpawnSpec, address: SocketAddr) -> SpawnSpec {
    let mut args = spec.args.iter_mut();
    if let Some(listen) = args.find(|arg| *arg == ANY_ADDRESS) {
        *listen = address.to_string();
    }
    spec
}

/// The command that starts the plan's server.
pub(crate) fn command(
    plan: &Plan,
    program: &Path,
    urls: &RedisUrls,
    password: &Secret,
    log: PathBuf,
) -> Result<SpawnSpec, SecretError> {
    let mut args = vec!["serve", "--listen", ANY_ADDRESS]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let mut flag = |name: &str, value: String| args.extend([format!("--{name}"), value]);
    let server = &plan.environment.server;
    for (name, value) in plan.pace_flags() {
        flag(name, value);
    }
    for (name, value) in server
        .settings
        .iter()
        .filter(|(_, value)| !is_secret(value))
    {
        flag(name, value.clone());
    }
    for defect in &server.defects {
        flag("defect", defect.clone());
    }
    let variable = |name: &str, value: &Secret| {
        let name = format!("REFERENCE_SERVER_{name}");
        (name, value.expose().to_owned())
    };
    let mut env = vec![
        variable("REDIS_URL", &urls.tasks),
        variable("REDIS_TASKS_URL", &urls.tasks),
        variable("REDIS_TOKENS_URL", &urls.tokens),
        variable("REDIS_CHANNEL_URL", &urls.channel),
        variable("PASSWORD", password),
    ];
    // Last, for of two of one name the server is given the second.
    for (name, value) in secrets(plan)? {
        let name = name.to_ascii_uppercase().replace('-', "_");
        env.push(variable(&name, &value));
    }
    Ok(SpawnSpec {
        what: "server".to_owned(),
        program: program.to_owned(),
        args,
        env,
        log,
    })
}

/// Gives the server these flags too, in place of the plan's where it has one of that name.
pub(crate) fn add_flags(spec: &mut SpawnSpec, flags: &[ServerFlag]) {
    for ServerFlag { name, value } in flags {
        let name = format!("--{name}");
        if let Some(place) = spec.args.iter().position(|arg| *arg == name) {
            spec.args.drain(place..(place + 2).min(spec.args.len()));
        }
        spec.args.extend([name, value.clone()]);
    }
}

/// The settings that name a secret, with it in place.
///
/// # Errors
///
/// The variable is not set.
pub(crate) fn secrets(plan: &Plan) -> Result<Vec<(String, Secret)>, SecretError> {
    let settings = plan.environment.server.settings.iter();
    let named = settings.filter(|(_, value)| is_secret(value));
    let resolved = named.map(|(name, value)| {
        let value = secret::resolve("environment.server.settings", value)?;
        Ok((name.clone(), Secret::new(value)))
    });
    resolved.collect()
}

fn is_secret(value: &str) -> bool {
    value.contains("${env:")
}
