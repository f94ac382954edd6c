//! This module puts a fault proxy on the links that need one.
//!
//! **In:** links and what lies upstream them. **Out:** one [`ProxyLink`] each: which proxy carries
//! it and where it listens.
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

use super::ProxyError;
use super::link::{LinkProxies, ProxyLink, Upstream, proxy_name};
use crate::environment::EnvironmentError;
use crate::environment::endpoint::{Endpoint, EndpointError};
use crate::environment::janitor::{HeldProxies, JanitorClient};
use crate::environment::machine::port::free_port;
use crate::environment::probe::Probe;
use crate::environment::toxiproxy::{api_client, own_prefix, remove_proxy, restore_proxy};
use crate::plan::{Link, PlannedFault};

/// A port found free may be taken before the proxy binds it: then another one.
const PORT_TRIES: u32 = 5;
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// An API and who runs it.
#[derive(Debug)]
pub(crate) struct ProxyHost {
    client: Client,
    api: String,
    carrier: String,
    /// Where its proxies listen, unless it is elsewhere.
    loopback: Ipv4Addr,
    /// A Toxiproxy elsewhere listens on every address it has.
    elsewhere: Option<Endpoint>,
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

impl ProxyHost {
    /// Starts the proxy inside this process.
    pub(crate) fn embedded(seed: u64) -> Result<Self, ProxyError> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |source| ProxyError::Listen {
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
    pub(crate) fn child(address: SocketAddr, listen: Ipv4Addr) -> Result<Self, ProxyError> {
        Ok(Self {
            loopback: listen,
            ..Self::bare(
                &format!("http://{address}"),
                "fault proxy process".to_owned(),
            )?
        })
    }

    fn bare(api: &str, carrier: String) -> Result<Self, ProxyError> {
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

    /// Attaches to a Toxiproxy; `names` are the proxies this run is going to create there,
    /// `existing` those of others that it is going to use.
    pub(crate) async fn attach(
        place: Endpoint,
        run_id: &str,
        janitor: &JanitorClient,
        (names, existing): (Vec<String>, &BTreeMap<Link, String>),
    ) -> Result<Self, EnvironmentError> {
        let api = place.url.origin().ascii_serialization();
        let client = api_client(&api).map_err(ProxyError::Api)?;
        let version = client.version().await.map_err(|error| match error {
            ClientError::Unreachable { source, .. } if source.is_connect() => {
                EnvironmentError::from(EndpointError::Refused {
                    place: place.place,
                    address: place.host_and_port(),
                })
            }
            other => ProxyError::Api(other).into(),
        })?;
        let host = Self {
            elsewhere: (!place.is_loopback()).then_some(place),
            attached: true,
            prefix: own_prefix(run_id),
            ..Self::bare(&api, format!("Toxiproxy {version} at {api}"))?
        };
        // Checked before the manifest says that they were enabled.
        for (link, name) in existing {
            host.existing(*link, name).await?;
        }
        let held = HeldProxies {
            url: api,
            names,
            existing: existing.values().cloned().collect(),
        };
        janitor.proxies(held).await?;
        Ok(host)
    }

    async fn existing(&self, link: Link, name: &str) -> Result<ProxyView, ProxyError> {
        let all = self.client.proxies().await?;
        let carrier = self.carrier.clone();
        let (link, name) = (link.name(), name.to_owned());
        match all.get(&name) {
            Some(found) if found.enabled => Ok(found.clone()),
            Some(_) => Err(ProxyError::Disabled {
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
                Err(ProxyError::NoSuch {
                    link,
                    carrier,
                    name,
                    known,
                })
            }
        }
    }

    /// Uses a proxy that exists there; `probe` asks whatever lies behind it.
    pub(crate) async fn adopt(
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
    pub(crate) async fn check_kinds(&self, faults: &[PlannedFault]) -> Result<(), ProxyError> {
        let mut own = faults.iter().filter(|fault| fault.kind.needs_own_proxy());
        let Some(fault) = own.next() else {
            return Ok(());
        };
        if self.client.extensions().await?.is_some() {
            return Ok(());
        }
        Err(ProxyError::NeedsOwn {
            fault: fault.name.clone(),
            line: fault.line,
            kind: fault.kind.name(),
            carrier: self.carrier.clone(),
        })
    }

    /// It is a Toxiproxy that this run did not start.
    pub(crate) const fn is_attached(&self) -> bool {
        self.attached
    }

    /// Creates the proxies of some links.
    pub(crate) async fn carry(
        &mut self,
        run_id: &str,
        upstreams: &[Upstream],
    ) -> Result<LinkProxies, EnvironmentError> {
        let mut links = LinkProxies::new();
        for upstream in upstreams {
            links.insert(upstream.link, vec![self.create(run_id, upstream).await?]);
        }
        Ok(links)
    }

    pub(crate) async fn create(
        &mut self,
        run_id: &str,
        upstream: &Upstream,
    ) -> Result<ProxyLink, EnvironmentError> {
        let name = proxy_name(run_id, upstream.link);
        self.created.push(name.clone());
        let mut tried = 1;
        let view = loop {
            let listen = match &self.elsewhere {
                None => format!("{}:{}", self.loopback, free_port()?),
                Some(place) if place.address().is_ipv6() => "[::]:0".to_owned(),
                Some(_) => "0.0.0.0:0".to_owned(),
            };
            match self.client.create(&name, &listen, &upstream.address).await {
                Ok(view) => break view,
                Err(ClientError::Refused { message, .. })
                    if message.contains("in use") && tried < PORT_TRIES =>
                {
                    tried += 1;
                }
                Err(error) => return Err(ProxyError::Api(error).into()),
            }
        };
        let listen = self.reached_at(&view.listen)?;
        Ok(ProxyLink {
            api: self.api.clone(),
            name,
            listen,
            upstream: upstream.address.clone(),
            probe: upstream.probe.at(listen),
            carrier: self.carrier.clone(),
        })
    }

    fn reached_at(&self, listen: &str) -> Result<SocketAddr, EndpointError> {
        let mut address: SocketAddr =
            listen.parse().map_err(|error: std::net::AddrParseError| {
                EndpointError::BadAddress {
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
    pub(crate) async fn stop(self) -> Vec<String> {
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
        match tokio::time::timeout(STOP_TIMEOUT, joined).await {
            Ok(Ok(Ok(Ok(())))) => {}
            Ok(Ok(Ok(Err(reason)))) => problems.push(format!("fault proxy: {reason}")),
            Ok(Ok(Err(_)) | Err(_)) => problems.push("the fault proxy's thread failed".to_owned()),
            Err(_) => problems.push(format!("the fault proxy has not ended in {STOP_TIMEOUT:?}")),
        }
        problems
    }
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
            // The load is driven in this process.
            returns_memory: false,
            ..ServerConfig::default()
        };
        serve(listener, config, shutdown)
            .await
            .map_err(|error| error.to_string())
    })
}
