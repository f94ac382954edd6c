//! One proxy: what it is, whether it runs, and the changes it can undergo.
//!
//! **In:** changes, one at a time. **Out:** the proxy as it now is, or why not.
//!
//! Changes wait for each other; looking does not wait for anything. Whoever asks sees the state
//! after the last finished change.

use super::{
    acceptor::Acceptor,
    address,
    description::{Changes, Description, Statistics, ToxicChange, Wanted},
    draw,
    events::{Event, changes},
    orders::Orders,
    places::Place,
    shares::Common,
    toxics::Toxics,
    traffic::Traffic,
    ways::Way,
};
use crate::{refusal::Refusal, toxic::Toxic};
use nix::errno::Errno;
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex as Brief, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct Proxy {
    name: Arc<str>,
    common: Common,
    traffic: Arc<Traffic>,
    half_close: Arc<AtomicBool>,
    control: Mutex<Control>,
    shown: Brief<Description>,
}

#[derive(Debug)]
struct Control {
    listen: String,
    upstream: String,
    toxics: Toxics,
    running: Option<Running>,
    /// Deleted or replaced while a change was waiting for its turn.
    gone: bool,
}

#[derive(Debug)]
struct Running {
    orders: Arc<Orders>,
    stop: CancellationToken,
    acceptor: JoinSet<()>,
    /// Given back when it has stopped.
    _listening: (Place, Way),
}

impl Proxy {
    /// A proxy that does not run yet.
    pub(super) fn new(common: Common, wanted: &Wanted) -> Self {
        let Wanted {
            name,
            listen,
            upstream,
            ..
        } = wanted;
        Self {
            name: name.as_str().into(),
            common,
            traffic: Arc::default(),
            half_close: Arc::new(wanted.half_close.unwrap_or(false).into()),
            shown: Brief::new(Description {
                name: name.to_owned(),
                listen: listen.to_owned(),
                upstream: upstream.to_owned(),
                enabled: false,
                half_close: wanted.half_close.unwrap_or(false),
                toxics: Vec::new(),
            }),
            control: Mutex::new(Control {
                listen: listen.to_owned(),
                upstream: upstream.to_owned(),
                toxics: Toxics::default(),
                running: None,
                gone: false,
            }),
        }
    }

    /// The proxy after its last finished change.
    pub(crate) fn describe(&self) -> Description {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }

    /// The same, with what has gone through it so far.
    pub(crate) fn statistics(&self) -> Statistics {
        Statistics {
            proxy: self.describe(),
            count: self.traffic.count(),
        }
    }

    /// Gives a proxy that does not run yet its toxics, all of them or none.
    pub(super) async fn equip(&self, toxics: &[Value]) -> Result<(), Refusal> {
        let mut control = self.control().await?;
        control.toxics = self.replaced(&control, toxics)?;
        self.show(&control);
        Ok(())
    }

    /// Puts these toxics in place of the present ones, all of them or none. Those that are the same stay as they are.
    pub(super) async fn bring_to(&self, toxics: &[Value]) -> Result<Description, Refusal> {
        let mut control = self.control().await?;
        let before = control.toxics.list().to_vec();
        let toxics = self.replaced(&control, toxics)?;
        self.put_in_force(&mut control, toxics).await?;
        changes(&before, control.toxics.list(), |event| self.tell(|| event));
        Ok(self.describe())
    }

    fn replaced(&self, control: &Control, toxics: &[Value]) -> Result<Toxics, Refusal> {
        let replaced = control.toxics.replaced(toxics);
        replaced.map_err(|(index, problem)| Refusal::InBody {
            number: index + 1,
            proxy: self.name.to_string(),
            problem: Box::new(problem),
        })
    }

    /// Listens, unless it already does.
    pub(super) async fn start(&self) -> Result<Description, Refusal> {
        let mut control = self.control().await?;
        let started = self.bring_up(&mut control).await;
        let shown = self.show(&control);
        started.map(|()| shown)
    }

    /// Closes the listener and every connection, and returns when that is done.
    pub(super) async fn end(&self) -> Result<(), Refusal> {
        let mut control = self.control().await?;
        control.gone = true;
        self.bring_down(&mut control).await;
        self.show(&control);
        self.tell(|| Event::ProxyDeleted);
        Ok(())
    }

    /// Whether listen and upstream are as given, by address rather than by spelling.
    pub(super) async fn is_at(&self, listen: &str, upstream: &str) -> Result<bool, Refusal> {
        let control = self.control().await?;
        is_at(&control, listen, upstream).await
    }

    /// Changes addresses and state. Another address means a restart: all connections are closed,
    /// toxics stay. If it cannot listen again, the proxy is left stopped with the new address.
    pub(crate) async fn update(&self, changes: Changes) -> Result<Description, Refusal> {
        let mut control = self.control().await?;
        let was_enabled = control.running.is_some();
        let listen = changes.listen.unwrap_or_else(|| control.listen.clone());
        let upstream = changes.upstream.unwrap_or_else(|| control.upstream.clone());
        let stays = is_at(&control, &listen, &upstream).await?;
        // A refused change changes nothing.
        if let Some(half_close) = changes.half_close {
            self.half_close.store(half_close, Ordering::Relaxed);
        }
        if !stays {
            self.bring_down(&mut control).await;
            control.listen = listen;
            control.upstream = upstream;
        }
        let changed = if changes.enabled.unwrap_or(was_enabled) {
            self.bring_up(&mut control).await
        } else {
            self.bring_down(&mut control).await;
            Ok(())
        };
        let shown = self.show(&control);
        changed.map(|()| shown)
    }

    /// Changes one toxic, on live connections too, and answers it as it now is.
    pub(crate) async fn change_toxic(
        &self,
        change: ToxicChange<'_>,
    ) -> Result<Arc<Toxic>, Refusal> {
        let mut control = self.control().await?;
        let mut toxics = control.toxics.clone();
        let toxic = match &change {
            ToxicChange::Add(body) => toxics.add(body)?,
            ToxicChange::Update(name, body) => toxics.update(name, body)?,
        };
        self.put_in_force(&mut control, toxics).await?;
        self.tell(|| match change {
            ToxicChange::Add(_) => Event::ToxicAdded { toxic: &toxic },
            ToxicChange::Update(..) => Event::ToxicUpdated { toxic: &toxic },
        });
        Ok(toxic)
    }

    pub(crate) async fn remove_toxic(&self, name: &str) -> Result<(), Refusal> {
        let mut control = self.control().await?;
        let mut toxics = control.toxics.clone();
        toxics.remove(name)?;
        self.put_in_force(&mut control, toxics).await?;
        self.tell(|| Event::ToxicRemoved { toxic: name });
        Ok(())
    }

    /// Resets that share of the live connections, and answers how many they were.
    pub(crate) async fn reset_now(&self, share: f32) -> Result<u64, Refusal> {
        let control = self.control().await?;
        let choose = |reset| {
            let open = self.traffic.open_now();
            (share < 1.0).then(|| draw::some_of(open, share, (self.common.seed, &self.name, reset)))
        };
        let connections = match &control.running {
            Some(running) => running.orders.reset(choose).await?,
            None => 0,
        };
        self.tell(|| Event::ConnectionsReset { connections });
        Ok(connections)
    }

    /// Enabled and without toxics.
    pub(super) async fn reset(&self) -> Result<(), Refusal> {
        let mut control = self.control().await?;
        self.bring_up(&mut control).await?;
        let mut toxics = control.toxics.clone();
        toxics.clear();
        self.put_in_force(&mut control, toxics).await?;
        self.tell(|| Event::ProxyReset);
        Ok(())
    }

    fn tell<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        self.common.events.tell(&self.name, event);
    }

    async fn control(&self) -> Result<MutexGuard<'_, Control>, Refusal> {
        let control = self.control.lock().await;
        if control.gone {
            return Err(Refusal::ProxyNotFound);
        }
        Ok(control)
    }

    async fn put_in_force(&self, control: &mut Control, toxics: Toxics) -> Result<(), Refusal> {
        control.toxics = toxics;
        let applied = match &control.running {
            Some(running) => running.orders.apply(control.toxics.list()).await,
            None => Ok(()),
        };
        self.show(control);
        applied
    }

    async fn bring_up(&self, control: &mut Control) -> Result<(), Refusal> {
        if control.running.is_some() {
            return Ok(());
        }
        let address = address::resolve(&control.listen).await?;
        let listener = address::bind(address, self.common.share_ports)?;
        let bound = listener.local_addr().map_err(|source| Refusal::Listen {
            address: address.to_string(),
            source,
        })?;
        let listening = self.enter(bound, &control.upstream)?;
        self.common.shares.pacer.start();
        control.listen = bound.to_string();
        let orders = Arc::new(Orders::new(control.toxics.list()));
        let stop = CancellationToken::new();
        let mut acceptor = JoinSet::new();
        acceptor.spawn(
            Acceptor {
                listener,
                upstream: control.upstream.as_str().into(),
                proxy: Arc::clone(&self.name),
                seed: self.common.seed,
                traffic: Arc::clone(&self.traffic),
                events: self.common.events.clone(),
                shares: self.common.shares.clone(),
                orders: Arc::clone(&orders),
                half_close: Arc::clone(&self.half_close),
                stop: stop.clone(),
            }
            .run(),
        );
        control.running = Some(Running {
            orders,
            stop,
            acceptor,
            _listening: listening,
        });
        let (name, upstream) = (&self.name, &control.upstream);
        tracing::info!(%name, listen = %bound, %upstream, "Started proxy");
        self.tell(|| Event::ProxyUp {
            listen: &control.listen,
            upstream: &control.upstream,
            toxics: control.toxics.list().iter().map(AsRef::as_ref).collect(),
        });
        Ok(())
    }

    /// Takes a place among the proxies of the server, unless it would lead back to itself.
    fn enter(&self, listen: SocketAddr, upstream: &str) -> Result<(Place, Way), Refusal> {
        let shares = &self.common.shares;
        let place = shares.places.listener().ok_or_else(|| Refusal::Listen {
            address: listen.to_string(),
            source: Errno::EMFILE.into(),
        })?;
        let way = shares.ways.enter(&self.name, listen, upstream);
        let way = way.map_err(|ring| Refusal::Ring {
            way: ring.join(" -> "),
        })?;
        Ok((place, way))
    }

    async fn bring_down(&self, control: &mut Control) {
        let Some(mut running) = control.running.take() else {
            return;
        };
        running.stop.cancel();
        while let Some(ended) = running.acceptor.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a proxy's task failed");
            }
        }
        let (name, listen, upstream) = (&self.name, &control.listen, &control.upstream);
        tracing::info!(%name, %listen, %upstream, "Terminated proxy");
        self.tell(|| Event::ProxyDown);
    }

    fn show(&self, control: &Control) -> Description {
        let description = Description {
            name: self.name.to_string(),
            listen: control.listen.clone(),
            upstream: control.upstream.clone(),
            enabled: control.running.is_some(),
            half_close: self.half_close.load(Ordering::Relaxed),
            toxics: control.toxics.list().to_vec(),
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone_from(&description);
        description
    }
}

async fn is_at(control: &Control, listen: &str, upstream: &str) -> Result<bool, Refusal> {
    let address = address::resolve(listen).await?;
    Ok(address::is_same(&control.listen, address) && control.upstream == upstream)
}
