//! The fault proxy itself: Toxiproxy's HTTP API in front of the proxies it controls.
//!
//! **In:** a listener the caller bound, a seed, a stop signal. **Out:** nothing, once everything
//! it started has ended: every task is joined and every socket closed before [`serve`] returns.
//!
//! No client of a proxy can hold up the API: connections never block on a send, reads of the API
//! take no lock that a change holds while it waits, and a change that was begun is finished even
//! if its requester has gone.

mod body;
mod extension;
mod guard;
mod handler;
mod http;
mod metrics;
mod reply;
mod route;
mod runtime;

pub use metrics::Metrics;

use crate::engine::{Registry, Settings};
use guard::Guard;
use std::{io, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use reply::COMPATIBLE_VERSION;

/// How the server behaves; the defaults are right for a test run on one machine.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Decides every random draw: the same seed, proxy, toxic and connection number give the same
    /// jitter and the same choice of affected connections.
    pub seed: u64,
    /// What `GET /metrics` tells; without anything to tell that route is not there, as in Toxiproxy.
    pub metrics: Metrics,
    /// Binds proxies so that other servers with this setting can listen on the same ports
    /// (`SO_REUSEPORT`): the kernel then spreads the connections over them.
    pub share_ports: bool,
    /// Names the API may be asked for by (`Host`), beside addresses, `localhost`, this machine's name
    /// and `toxiproxy`: any other name could be a web page's that has made it point here. `*` stands
    /// for every name, and for pages from everywhere (`Origin`) as well.
    pub allowed_hosts: Vec<String>,
    /// Bytes that all connections together may hold back, for toxics and for peers that read slowly.
    /// Beyond it each direction of a connection holds 4 KiB, and senders wait.
    pub held_bytes_max: usize,
    /// Gives memory that a flood took back to the system. That walks the heap of the whole process, at most once a minute: not for
    /// one whose threads must not wait.
    pub returns_memory: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            metrics: Metrics::default(),
            share_ports: false,
            allowed_hosts: Vec::new(),
            held_bytes_max: HELD_BYTES_MAX,
            returns_memory: true,
        }
    }
}

/// A quarter of a gibibyte: eight directions with all that their toxics can use.
const HELD_BYTES_MAX: usize = 256 << 20;

/// Why the server could not run, or not end cleanly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener handed in is not usable.
    #[error("the listener of the fault proxy's API is not usable")]
    Listener(#[source] io::Error),
    /// A change was still being made when the time for stopping was over.
    #[error("a change of the fault proxy's API had not ended {waited:?} after the stop signal")]
    StillBusy { waited: Duration },
}

/// A configuration that could not be put in force.
#[derive(Debug, thiserror::Error)]
#[error("{problem}{}", after(.created))]
pub struct PopulateError {
    /// What is wrong with it, in the words of the API.
    pub problem: String,
    /// The proxies that had been created before.
    pub created: Vec<String>,
}

fn after(created: &[String]) -> String {
    match created {
        [] => String::new(),
        created => format!(" (after creating {})", created.join(", ")),
    }
}

/// The API with the proxies behind it; [`serve`] makes one and runs it.
#[derive(Debug)]
pub struct Server {
    registry: Arc<Registry>,
    changes: TaskTracker,
    metrics: Metrics,
    guard: Arc<Guard>,
    returns_memory: bool,
}

impl Server {
    /// A server without proxies.
    pub fn new(config: &ServerConfig) -> Self {
        Self {
            registry: Arc::new(Registry::new(Settings {
                seed: config.seed,
                share_ports: config.share_ports,
                held_bytes_max: config.held_bytes_max,
            })),
            changes: TaskTracker::new(),
            metrics: config.metrics,
            guard: Arc::new(Guard::new(&config.allowed_hosts)),
            returns_memory: config.returns_memory,
        }
    }

    /// Creates the proxies of a configuration file in Toxiproxy's format, which is the body of
    /// `POST /populate`; answers their names.
    pub async fn populate(&self, config: &[u8]) -> Result<Vec<String>, PopulateError> {
        let wanted = body::list(config).map_err(|refusal| PopulateError {
            problem: refusal.to_string(),
            created: Vec::new(),
        })?;
        let (created, outcome) = self.registry.populate(&wanted).await;
        let created: Vec<String> = created.into_iter().map(|proxy| proxy.name).collect();
        match outcome {
            Ok(()) => Ok(created),
            Err(refusal) => Err(PopulateError {
                problem: refusal.to_string(),
                created,
            }),
        }
    }

    /// Serves the API until `shutdown`, then ends every proxy and returns.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let address = listener.local_addr().map_err(ServeError::Listener)?;
        tracing::info!(%address, "fault proxy API is listening");
        tokio::select! {
            () = http::accept_until(&self, listener, &shutdown) => {}
            () = self.registry.tend(), if self.returns_memory => {}
        }
        self.changes.close();
        let changes_ended = tokio::time::timeout(STOP_MAX, self.changes.wait()).await;
        self.registry.stop().await;
        changes_ended.map_err(|_elapsed| ServeError::StillBusy { waited: STOP_MAX })
    }
}

/// How long requests in progress may take after the stop signal.
const STOP_MAX: Duration = Duration::from_secs(5);

/// Runs the fault proxy's API on `listener` until `shutdown` is cancelled.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    Server::new(&config).run(listener, shutdown).await
}
