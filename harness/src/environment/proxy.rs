//! This module puts a fault proxy on the links that need one.
//!
//! **In:** links and what lies behind them. **Out:** one [`ProxyLink`] each: which proxy carries it
//! and where it listens.
//!
//! The proxy of the Redis links runs inside the harness, in a thread and runtime of its own, so
//! that neither delays the other by more than the machine's cores do. The edge link, which carries
//! every client's socket, is a child process: its files and processor time are not the harness's.
//! On a Toxiproxy the user named, only proxies called after this run are created, and only those
//! are ever touched.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use fault_proxy::client::{Client, ClientError};
use fault_proxy::server::{ServerConfig, serve};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::EnvironmentError;
use super::host::Place;
use super::keeper::Keeper;
use super::port::free_port;
use super::probe::Probe;
use super::sweep::remove_proxy;
use crate::plan::Link;

/// A port found free may be taken before the proxy binds it: then another one.
const PORT_TRIES: u32 = 5;
const STOP_PATIENCE: Duration = Duration::from_secs(6);

/// One link through one proxy.
#[derive(Clone, Debug)]
pub(crate) struct ProxyLink {
    /// Base URL of the API.
    pub api: String,
    /// The proxy's name there.
    pub name: String,
    pub listen: SocketAddr,
    pub upstream: String,
    /// Asks through the proxy.
    pub probe: Probe,
    /// `embedded fault proxy`, `Toxiproxy 2.12.0 at http://…`.
    pub carrier: String,
}

/// What lies behind a link.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    pub link: Link,
    pub upstream: String,
    /// Asks directly.
    pub probe: Probe,
}

/// An API and who runs it.
#[derive(Debug)]
pub(super) struct ProxyHost {
    client: Client,
    api: String,
    carrier: String,
    /// Where its proxies listen: loopback, or every address of a Toxiproxy elsewhere.
    elsewhere: Option<Place>,
    embedded: Option<Embedded>,
    attached: bool,
    created: Vec<String>,
}

/// The proxy inside this process.
#[derive(Debug)]
struct Embedded {
    thread: JoinHandle<Result<(), String>>,
    /// Stops it, also when this value is only dropped.
    stop: DropGuard,
}

/// The link's part of a proxy name, and of every text about it.
pub(crate) const fn link_name(link: Link) -> &'static str {
    match link {
        Link::Redis => "redis",
        Link::RedisTokens => "redis-tokens",
        Link::RedisTasks => "redis-tasks",
        Link::RedisChannel => "redis-channel",
        Link::Edge => "edge",
    }
}

impl ProxyHost {
    /// Starts the proxy inside this process.
    pub(super) fn embedded(seed: u64) -> Result<Self, EnvironmentError> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |source| EnvironmentError::ProxyListen {
            address: listen.to_string(),
            source,
        };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let api = format!("http://{}", listener.local_addr().map_err(failed)?);
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone().drop_guard();
        let thread = std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || run_embedded(listener, seed, shutdown))
            .map_err(failed)?;
        Ok(Self {
            client: Client::new(&api)?,
            api,
            carrier: "embedded fault proxy".to_owned(),
            elsewhere: None,
            embedded: Some(Embedded { thread, stop }),
            attached: false,
            created: Vec::new(),
        })
    }

    /// Uses one that runs as a child of this run.
    pub(super) fn child(address: SocketAddr) -> Result<Self, EnvironmentError> {
        let api = format!("http://{address}");
        Ok(Self {
            client: Client::new(&api)?,
            api,
            carrier: "fault proxy process".to_owned(),
            elsewhere: None,
            embedded: None,
            attached: false,
            created: Vec::new(),
        })
    }

    /// Attaches to a Toxiproxy; `names` are those this run is going to use.
    pub(super) async fn attach(
        place: Place,
        keeper: &Keeper,
        names: Vec<String>,
    ) -> Result<Self, EnvironmentError> {
        let api = place.url.origin().ascii_serialization();
        let client = Client::new(&api)?;
        let version = client.version().await.map_err(|error| match error {
            ClientError::Unreachable { source, .. } if source.is_connect() => {
                EnvironmentError::Refused {
                    place: place.place,
                    address: place.host_and_port(),
                }
            }
            other => EnvironmentError::Proxy(other),
        })?;
        keeper.proxies(&api, names).await?;
        Ok(Self {
            client,
            carrier: format!("Toxiproxy {version} at {api}"),
            api,
            elsewhere: (!place.is_loopback()).then_some(place),
            embedded: None,
            attached: true,
            created: Vec::new(),
        })
    }

    /// It is a Toxiproxy that this run did not start.
    pub(super) const fn is_attached(&self) -> bool {
        self.attached
    }

    /// Creates the proxies of some links.
    pub(super) async fn carry(
        &mut self,
        run_id: &str,
        behind: &[Behind],
    ) -> Result<BTreeMap<Link, ProxyLink>, EnvironmentError> {
        let mut links = BTreeMap::new();
        for one in behind {
            links.insert(one.link, self.create(run_id, one).await?);
        }
        Ok(links)
    }

    async fn create(
        &mut self,
        run_id: &str,
        behind: &Behind,
    ) -> Result<ProxyLink, EnvironmentError> {
        let name = proxy_name(run_id, behind.link);
        self.created.push(name.clone());
        let mut tried = 1;
        let view = loop {
            let listen = match &self.elsewhere {
                None => format!("127.0.0.1:{}", free_port()?),
                Some(_) => "0.0.0.0:0".to_owned(),
            };
            match self.client.create(&name, &listen, &behind.upstream).await {
                Ok(view) => break view,
                Err(ClientError::Refused { message, .. })
                    if message.contains("in use") && tried < PORT_TRIES =>
                {
                    tried += 1;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let listen = self.reached_at(&view.listen)?;
        Ok(ProxyLink {
            api: self.api.clone(),
            name,
            listen,
            upstream: behind.upstream.clone(),
            probe: behind.probe.at(listen),
            carrier: self.carrier.clone(),
        })
    }

    fn reached_at(&self, listen: &str) -> Result<SocketAddr, EnvironmentError> {
        let mut address: SocketAddr =
            listen.parse().map_err(|error: std::net::AddrParseError| {
                EnvironmentError::BadAddress {
                    place: "fault proxy",
                    url: listen.to_owned(),
                    reason: error.to_string(),
                }
            })?;
        if let Some(place) = &self.elsewhere {
            address.set_ip(place.address().ip());
        }
        Ok(address)
    }

    /// Removes this run's proxies and ends the embedded proxy.
    pub(super) async fn stop(self) -> Vec<String> {
        let mut problems = Vec::new();
        for name in &self.created {
            if let Err(error) = remove_proxy(&self.client, name).await {
                problems.push(format!("proxy {name}: {error}"));
            }
        }
        let Some(Embedded { thread, stop }) = self.embedded else {
            return problems;
        };
        drop(stop);
        let joined = tokio::task::spawn_blocking(move || thread.join());
        match tokio::time::timeout(STOP_PATIENCE, joined).await {
            Ok(Ok(Ok(Ok(())))) => {}
            Ok(Ok(Ok(Err(reason)))) => problems.push(format!("fault proxy: {reason}")),
            Ok(Ok(Err(_)) | Err(_)) => problems.push("the fault proxy's thread failed".to_owned()),
            Err(_) => problems.push(format!(
                "the fault proxy has not ended in {STOP_PATIENCE:?}"
            )),
        }
        problems
    }
}

/// The name of a run's proxy: it tells whose it is on a Toxiproxy that others use.
pub(super) fn proxy_name(run_id: &str, link: Link) -> String {
    format!("harness-{run_id}-{}", link_name(link))
}

fn run_embedded(
    listener: TcpListener,
    seed: u64,
    shutdown: CancellationToken,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener =
            tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
        let config = ServerConfig {
            seed,
            ..ServerConfig::default()
        };
        serve(listener, config, shutdown)
            .await
            .map_err(|error| error.to_string())
    })
}
