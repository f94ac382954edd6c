//! Start and end of `reference-server serve`.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::{ChannelKind, ServeArgs, WorkerKind};
use crate::bound::{Accounts, Attempts, Peers, Tally};
use crate::channel::{Channel, Pulse};
use crate::config::Config;
use crate::directory::Directory;
use crate::metrics::Metrics;
use crate::room;
use crate::room::Rooms;
use crate::shared::{Ears, Links, Shared};
use crate::socket::Registry;
use crate::start::{Ending, StartError};
use crate::store::Link;
use crate::worker::Desk;
use crate::{channel, http, intake, secret, socket, start, worker};

/// Replays waiting to be begun.
const REPLAYS: usize = 1024;

/// Runs the server until it is told to end.
pub(crate) fn start(args: ServeArgs) -> ExitCode {
    start::report(run(args))
}

fn run(args: ServeArgs) -> Result<(), StartError> {
    start::log(&args.log)?;
    let (address, threads) = (args.listen, args.threads);
    let config = Config::new(args)?;
    if config.password_is_random {
        tracing::warn!(
            password = config.password,
            "no --password given; this one is for every user, until the server ends"
        );
    }
    start::run(threads, async move {
        let listener = http::bind(address, config.socket.send_buffer);
        let listener = listener.map_err(|source| StartError::Bind { address, source })?;
        serve(listener, config).await
    })
}

async fn serve(listener: TcpListener, config: Config) -> Result<(), StartError> {
    let mut ending = Ending::new()?;
    let parts = Parts::new(config)?;
    let shared = Arc::clone(&parts.shared);
    let mut background = JoinSet::new();
    let address = listener.local_addr()?;
    let foreground = parts.spawn(listener, &mut background);
    start::announce(address)?;
    ending.wait().await;
    drain(&shared, foreground, &mut background).await;
    Ok(())
}

/// A server that is made and not yet started.
pub(crate) struct Parts {
    shared: Arc<Shared>,
    offered: intake::Offered,
    replays: mpsc::Receiver<room::ReplayAsk>,
    instance: String,
    /// Where the worker works, if it is here.
    desk: Option<Desk>,
}

impl Parts {
    pub(crate) fn new(config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let link = |name| Link::new(name, metrics.redis_errors.with_label_values(&[name]));
        let links = Links {
            tasks: link("tasks"),
            tokens: link("tokens"),
            channel: link("channel"),
        };
        let (ask, replays) = mpsc::channel(REPLAYS);
        let terms = room::Terms {
            text_bytes: config.chat.redrive_bytes,
            ids: config.chat.remember_ids,
            history: config.queue.history_expiry,
            answer: config.chat.answer_within,
        };
        let rooms = Rooms::new(Arc::clone(&metrics), config.defects, ask, &terms);
        let rooms = Arc::new(rooms);
        let expiry = config.defects.history_expiry(config.queue.history_expiry);
        let history = (config.queue.history_entries, expiry);
        let kind = config.redis.channel_layer;
        let (intake, offered) = intake::queue();
        let shared = Shared {
            channel: Arc::new(Channel::new(kind, &links.channel, &rooms, history)),
            ears: Arc::new(Ears::new(kind)),
            registry: Registry::new(config.socket.max_connections),
            peers: Peers::new(&config.bound.trusted_proxy, config.bound.limit_loopback),
            sockets: Tally::new(config.bound.sockets_per_address),
            accounts: Accounts::new(
                config.bound.sockets_per_user,
                config.bound.frames(&config.chat),
            ),
            attempts: Attempts::new(config.bound.failures()),
            directory: Directory::new(&config.auth, config.password.clone()),
            pong: socket::pong(),
            stopping: CancellationToken::new(),
            ended: CancellationToken::new(),
            config,
            metrics,
            links,
            rooms,
            intake,
        };
        let instance = secret::random_token()?;
        let desk = match shared.config.worker {
            WorkerKind::Inside => Some(desk(&shared, &instance)?),
            WorkerKind::None => None,
        };
        Ok(Self {
            shared: Arc::new(shared),
            offered,
            replays,
            instance,
            desk,
        })
    }

    /// Starts everything.
    pub(crate) fn spawn(self, listener: TcpListener, background: &mut JoinSet<()>) -> Foreground {
        let Self {
            shared,
            offered,
            replays,
            instance,
            desk,
        } = self;
        let (links, config) = (&shared.links, &shared.config);
        let patience = (config.store.redis_timeout, config.queue.redis_ping);
        for (link, database) in [
            (&links.tasks, &config.tasks),
            (&links.tokens, &config.tokens),
            (&links.channel, &config.channel),
        ] {
            background.spawn(Arc::clone(link).supervise(
                database.clone(),
                patience,
                shared.ended.clone(),
            ));
        }
        let pulse = Arc::new(Pulse::new(&instance));
        match config.redis.channel_layer {
            ChannelKind::Redis => {
                background.spawn(channel::subscribe(Arc::clone(&shared), Arc::clone(&pulse)));
            }
            ChannelKind::Memory => {
                background.spawn(channel::attach(Arc::clone(&shared)));
            }
        }
        background.spawn(channel::replay(Arc::clone(&shared), replays));
        background.spawn(intake::run(Arc::clone(&shared), offered));
        let mut worker = JoinSet::new();
        if let Some(desk) = desk {
            worker.spawn(worker::work(Arc::new(desk)));
        }
        background.spawn(worker::redrive(Arc::clone(&shared)));
        background.spawn(socket::sweep(Arc::clone(&shared)));
        let connections = TaskTracker::new();
        let health = Arc::new(http::Health::new(Arc::clone(&shared), pulse));
        let router = http::router(Arc::clone(&shared), health);
        background.spawn(http::accept(shared, listener, router, connections.clone()));
        Foreground {
            connections,
            worker,
        }
    }
}

/// The desk of a worker inside the server.
fn desk(shared: &Shared, instance: &str) -> Result<Desk, StartError> {
    let config = &shared.config;
    Ok(Desk::new(
        worker::Terms {
            name: instance.to_owned(),
            work: config.work.clone(),
            tasks: config.tasks.clone(),
            redis_timeout: config.store.redis_timeout,
            defects: config.defects,
        },
        worker::Ways {
            tasks: Arc::clone(&shared.links.tasks),
            channel: Arc::clone(&shared.channel),
            counts: worker::Counts::new(shared.metrics.registry(), &shared.metrics.redis_errors)?,
            stopping: shared.stopping.clone(),
            ended: shared.ended.clone(),
        },
    ))
}

/// What the end of the server waits for.
pub(crate) struct Foreground {
    connections: TaskTracker,
    /// Ends by itself once it has answered what it had in hand at the shutdown.
    worker: JoinSet<()>,
}

/// Says goodbye to every socket and waits for them and for the answers in hand, as long as allowed.
async fn drain(shared: &Shared, foreground: Foreground, background: &mut JoinSet<()>) {
    let Foreground {
        connections,
        mut worker,
    } = foreground;
    tracing::info!("shutting down");
    shared.stopping.cancel();
    let mut open = Vec::new();
    shared.registry.copy_to(&mut open);
    for conn in &open {
        conn.close(socket::code::GOING_AWAY, "shutting down");
    }
    let sockets = open.len();
    drop(open);
    connections.close();
    let in_hand = async { tokio::join!(connections.wait(), worker.join_next()) };
    if tokio::time::timeout(shared.config.drain, in_hand)
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            answers = !worker.is_empty(),
            "cut at the end of the drain"
        );
    }
    shared.ended.cancel();
    worker.shutdown().await;
    background.abort_all();
    while background.join_next().await.is_some() {}
    tracing::info!(sockets, "ended");
}
