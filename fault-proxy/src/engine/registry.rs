//! All proxies of one server, by name.
//!
//! Creating, replacing and deleting wait for each other, so that a name is never bound twice.
//! Looking takes a short lock that no waiting change holds.

use super::{
    description::{Changes, Description, Statistics, Wanted},
    events::Events,
    held::Budget,
    memory,
    proxy::Proxy,
    shares::{Common, Shares},
};
use crate::refusal::Refusal;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex as Brief, MutexGuard, PoisonError},
};
use tokio::sync::Mutex;

/// Proxies of one server; everything about one, metrics included, takes 2 KB of an answer.
pub(crate) const PROXIES_MAX: usize = 2_048;

/// What a server is started with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Listeners can be bound by several processes at once.
    pub(crate) share_ports: bool,
    /// What all connections may hold together.
    pub(crate) held_bytes_max: usize,
}

#[derive(Debug)]
pub(crate) struct Registry {
    common: Common,
    proxies: Brief<BTreeMap<String, Arc<Proxy>>>,
    changing: Mutex<()>,
}

impl Registry {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            common: Common {
                seed: settings.seed,
                share_ports: settings.share_ports,
                events: Events::default(),
                shares: Shares {
                    places: Arc::default(),
                    budget: Arc::new(Budget::new(settings.held_bytes_max)),
                    hops: Arc::default(),
                    ways: Arc::default(),
                    pacer: Arc::default(),
                },
            },
            proxies: Brief::default(),
            changing: Mutex::default(),
        }
    }

    pub(crate) fn list(&self) -> BTreeMap<String, Description> {
        let proxies = self.all();
        proxies
            .into_iter()
            .map(|(name, proxy)| (name, proxy.describe()))
            .collect()
    }

    pub(crate) fn statistics(&self) -> BTreeMap<String, Statistics> {
        let proxies = self.all();
        proxies
            .into_iter()
            .map(|(name, proxy)| (name, proxy.statistics()))
            .collect()
    }

    pub(crate) fn events(&self) -> &Events {
        &self.common.events
    }

    pub(crate) fn find(&self, name: &str) -> Result<Arc<Proxy>, Refusal> {
        let found = self.map().get(name).map(Arc::clone);
        found.ok_or(Refusal::ProxyNotFound)
    }

    /// Creates a proxy with its toxics, which its first connection meets already; one that cannot
    /// listen, or a toxic of which is refused, is not kept.
    pub(crate) async fn create(&self, wanted: &Wanted) -> Result<Description, Refusal> {
        let _turn = self.changing.lock().await;
        if self.find(&wanted.name).is_ok() {
            return Err(Refusal::ProxyExists);
        }
        self.has_room()?;
        let proxy = self.equipped(wanted).await?;
        self.keep(wanted, proxy).await
    }

    /// Creates what does not exist, replaces what is elsewhere, leaves alone what is the same but for
    /// the toxics, where some are given. Answers those done, and why it stopped if it did.
    pub(crate) async fn populate(&self, all: &[Wanted]) -> (Vec<Description>, Result<(), Refusal>) {
        let _turn = self.changing.lock().await;
        let mut done = Vec::new();
        for wanted in all {
            match self.create_or_replace(wanted).await {
                Ok(description) => done.push(description),
                Err(refusal) => return (done, Err(refusal)),
            }
        }
        (done, Ok(()))
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), Refusal> {
        let _turn = self.changing.lock().await;
        self.find(name)?.end().await?;
        self.map().remove(name);
        Ok(())
    }

    /// Enables every proxy and removes every toxic; stops at the first that cannot listen.
    pub(crate) async fn reset(&self) -> Result<(), Refusal> {
        let _turn = self.changing.lock().await;
        for proxy in self.all().into_values() {
            proxy.reset().await?;
        }
        Ok(())
    }

    /// Looks after the server's memory for as long as it is polled.
    pub(crate) async fn tend(&self) {
        let shares = &self.common.shares;
        memory::give_back_after_floods(&shares.budget, &shares.places).await;
    }

    /// Ends every proxy.
    pub(crate) async fn stop(&self) {
        let _turn = self.changing.lock().await;
        for (name, proxy) in self.all() {
            // The only refusal is that it has already ended.
            if proxy.end().await.is_err() {
                tracing::debug!(proxy = %name, "had already ended");
            }
        }
        self.map().clear();
        self.common.shares.pacer.stop().await;
    }

    async fn create_or_replace(&self, wanted: &Wanted) -> Result<Description, Refusal> {
        let present = self.find(&wanted.name).ok();
        match &present {
            None => self.has_room()?,
            Some(present) if present.is_at(&wanted.listen, &wanted.upstream).await? => {
                if wanted.half_close.is_some() {
                    let half_close = wanted.half_close;
                    let changes = Changes {
                        half_close,
                        ..Changes::default()
                    };
                    present.update(changes).await?;
                }
                // Clients that know no toxics send none, or an empty list.
                return if wanted.toxics.is_empty() {
                    Ok(present.describe())
                } else {
                    present.bring_to(&wanted.toxics).await
                };
            }
            Some(_) => {}
        }
        let proxy = self.equipped(wanted).await?;
        if let Some(replaced) = present {
            replaced.end().await?;
            self.map().remove(&wanted.name);
        }
        self.keep(wanted, proxy).await
    }

    fn has_room(&self) -> Result<(), Refusal> {
        if self.map().len() < PROXIES_MAX {
            return Ok(());
        }
        let (what, max) = ("proxies", PROXIES_MAX);
        Err(Refusal::TooMany { what, max })
    }

    /// The proxy with its toxics; it does not run yet.
    async fn equipped(&self, wanted: &Wanted) -> Result<Proxy, Refusal> {
        let proxy = Proxy::new(self.common.clone(), wanted);
        proxy.equip(&wanted.toxics).await?;
        Ok(proxy)
    }

    async fn keep(&self, wanted: &Wanted, proxy: Proxy) -> Result<Description, Refusal> {
        let description = if wanted.enabled {
            proxy.start().await?
        } else {
            proxy.describe()
        };
        self.map().insert(wanted.name.clone(), Arc::new(proxy));
        Ok(description)
    }

    fn all(&self) -> BTreeMap<String, Arc<Proxy>> {
        self.map().clone()
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Proxy>>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
