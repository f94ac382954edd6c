//! This module puts a fault proxy on the links that need one.
//!
//! **In:** links and what lies behind them. **Out:** one [`ProxyLink`] each: which proxy carries it
//! and where it listens.
//!
//! The proxy of the Redis links runs inside the harness, in a thread and runtime of its own, so
//! that neither delays the other by more than the machine's cores do. The edge link, which carries
//! every client's socket, is a child process: its files and processor time are not the harness's.
//! On a Toxiproxy the user named, only proxies called after this run are created, and only those
//! are ever touched, beside the existing ones that the user named too: on those this run's toxics
//! come and go, they are enabled again after a fault, and nothing of them is deleted.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use fault_proxy::ProxyView;
use fault_proxy::client::{Client, ClientError};
use fault_proxy::server::{ServerConfig, serve};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::EnvironmentError;
use super::host::Place;
use super::keeper::Keeper;
use super::lease::{LeasedProxies, own_prefix};
use super::port::free_port;
use super::probe::Probe;
use super::sweep::{remove_proxy, restore_proxy};
use crate::plan::{Link, PlannedFault};
use crate::route;
use crate::trust::with_trust;

/// A port found free may be taken before the proxy binds it: then another one.
const PORT_TRIES: u32 = 5;
const STOP_PATIENCE: Duration = Duration::from_secs(6);

/// The proxies that carry each link: one, or several processes that share it.
pub(crate) type Carriers = BTreeMap<Link, Vec<ProxyLink>>;

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
    /// Where its proxies listen, unless it is elsewhere.
    loopback: Ipv4Addr,
    /// A Toxiproxy elsewhere listens on every address it has.
    elsewhere: Option<Place>,
    embedded: Option<Embedded>,
    attached: bool,
    created: Vec<String>,
    /// Proxies of others that this run uses.
    adopted: Vec<String>,
    /// What this run's toxics are called after.
    prefix: String,
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

/// The API of a fault proxy, over requests that need no certificates.
pub(crate) fn api_client(url: &str) -> Result<Client, ClientError> {
    Client::over(url, with_trust(route::http(), None))
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
            embedded: Some(Embedded { thread, stop }),
            ..Self::bare(&api, "embedded fault proxy".to_owned())?
        })
    }

    /// Uses one that runs as a child of this run; its proxies listen on `listen`.
    pub(super) fn child(address: SocketAddr, listen: Ipv4Addr) -> Result<Self, EnvironmentError> {
        Ok(Self {
            loopback: listen,
            ..Self::bare(
                &format!("http://{address}"),
                "fault proxy process".to_owned(),
            )?
        })
    }

    fn bare(api: &str, carrier: String) -> Result<Self, EnvironmentError> {
        Ok(Self {
            client: api_client(api)?,
            api: api.to_owned(),
            carrier,
            loopback: Ipv4Addr::LOCALHOST,
            elsewhere: None,
            embedded: None,
            attached: false,
            created: Vec::new(),
            adopted: Vec::new(),
            prefix: String::new(),
        })
    }

    /// Attaches to a Toxiproxy; `names` are the proxies this run is going to create there, `existing`
    /// those of others that it is going to use.
    pub(super) async fn attach(
        place: Place,
        run_id: &str,
        keeper: &Keeper,
        (names, existing): (Vec<String>, &BTreeMap<Link, String>),
    ) -> Result<Self, EnvironmentError> {
        let api = place.url.origin().ascii_serialization();
        let client = api_client(&api)?;
        let version = client.version().await.map_err(|error| match error {
            ClientError::Unreachable { source, .. } if source.is_connect() => {
                EnvironmentError::Refused {
                    place: place.place,
                    address: place.host_and_port(),
                }
            }
            other => EnvironmentError::Proxy(other),
        })?;
        let host = Self {
            elsewhere: (!place.is_loopback()).then_some(place),
            attached: true,
            prefix: own_prefix(run_id),
            ..Self::bare(&api, format!("Toxiproxy {version} at {api}"))?
        };
        // Checked before the lease says that they were enabled.
        for (link, name) in existing {
            host.existing(*link, name).await?;
        }
        let leased = LeasedProxies {
            url: api,
            names,
            existing: existing.values().cloned().collect(),
        };
        keeper.proxies(leased).await?;
        Ok(host)
    }

    async fn existing(&self, link: Link, name: &str) -> Result<ProxyView, EnvironmentError> {
        let all = self.client.proxies().await?;
        let carrier = self.carrier.clone();
        let (link, name) = (link.name(), name.to_owned());
        match all.get(&name) {
            Some(found) if found.enabled => Ok(found.clone()),
            Some(_) => Err(EnvironmentError::ProxyDisabled {
                link,
                carrier,
                name,
            }),
            None => {
                let known: Vec<&str> = all.keys().map(String::as_str).collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                Err(EnvironmentError::NoSuchProxy {
                    link,
                    carrier,
                    name,
                    known,
                })
            }
        }
    }

    /// Uses a proxy that exists there; `probe` asks whatever lies behind it.
    pub(super) async fn adopt(
        &mut self,
        (link, name): (Link, &str),
        probe: impl FnOnce(SocketAddr) -> Probe,
    ) -> Result<ProxyLink, EnvironmentError> {
        let view = self.existing(link, name).await?;
        self.adopted.push(name.to_owned());
        let listen = self.reached_at(&view.listen)?;
        Ok(ProxyLink {
            api: self.api.clone(),
            name: name.to_owned(),
            listen,
            upstream: view.upstream,
            probe: probe(listen),
            carrier: self.carrier.clone(),
        })
    }

    /// # Errors
    ///
    /// The first fault that only this crate's own fault proxy can cause, where this is another.
    pub(super) async fn check_kinds(
        &self,
        faults: &[PlannedFault],
    ) -> Result<(), EnvironmentError> {
        let mut own = faults.iter().filter(|fault| fault.kind.needs_own_proxy());
        let Some(fault) = own.next() else {
            return Ok(());
        };
        if self.client.extensions().await?.is_some() {
            return Ok(());
        }
        Err(EnvironmentError::NeedsOwnProxy {
            fault: fault.name.clone(),
            line: fault.line,
            kind: fault.kind.name(),
            carrier: self.carrier.clone(),
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
    ) -> Result<Carriers, EnvironmentError> {
        let mut links = Carriers::new();
        for one in behind {
            links.insert(one.link, vec![self.create(run_id, one).await?]);
        }
        Ok(links)
    }

    pub(super) async fn create(
        &mut self,
        run_id: &str,
        behind: &Behind,
    ) -> Result<ProxyLink, EnvironmentError> {
        let name = proxy_name(run_id, behind.link);
        self.created.push(name.clone());
        let mut tried = 1;
        let view = loop {
            let listen = match &self.elsewhere {
                None => format!("{}:{}", self.loopback, free_port()?),
                Some(place) if place.address().is_ipv6() => "[::]:0".to_owned(),
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
        for name in &self.adopted {
            if let Err(error) = restore_proxy(&self.client, name, &self.prefix).await {
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
