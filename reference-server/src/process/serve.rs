//! Start and end of `reference-server serve`.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::start;
use super::start::{Ending, StartError};
use crate::args::{ChannelKind, ServeArgs, WorkerKind};
use crate::auth::{Directory, Signer, Tokens, secret};
use crate::bound::{Accounts, Attempts, Peers, Tally};
use crate::channel::{
    Channel, ChatHealth, Heartbeat, Replayer, Subscriber, SubscriptionHealth, attach,
};
use crate::config::Config;
use crate::http::{Api, Gate, Health, Server};
use crate::message::Submitted;
use crate::metrics::Metrics;
use crate::room::{ReplayRequest, Rooms};
use crate::session::Sessions;
use crate::socket::{Registry, code};
use crate::store::{Link, Links};
use crate::wire::Event;
use crate::{http, message, room, session, worker};

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
    config.slow_cpu.announce();
    start::run(threads, async move {
        let listener = http::bind(address, config.socket.send_buffer);
        let listener = listener.map_err(|source| StartError::Bind { address, source })?;
        serve(listener, config).await
    })
}

async fn serve(listener: TcpListener, config: Config) -> Result<(), StartError> {
    let mut ending = Ending::new()?;
    let parts = Parts::new(config)?;
    let sessions = Arc::clone(&parts.sessions);
    let mut background = JoinSet::new();
    let address = listener.local_addr()?;
    let foreground = parts.spawn(listener, &mut background);
    start::announce(address)?;
    ending.wait().await;
    drain(&sessions, foreground, &mut background).await;
    Ok(())
}

/// A server that is made and not yet started.
pub(crate) struct Parts {
    sessions: Arc<Sessions>,
    channel: Arc<Channel>,
    heartbeat: Arc<Heartbeat>,
    submitted: Submitted,
    replays: mpsc::Receiver<ReplayRequest>,
    /// The worker, if it is here.
    worker: Option<worker::Context>,
}

impl Parts {
    /// Makes a server, which is away from Redis until it is started.
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
        let rooms = Rooms::new(Arc::clone(&metrics), config.defects.clone(), ask, &terms);
        let rooms = Arc::new(rooms);
        let expiry = config.defects.history_expiry(config.queue.history_expiry);
        let history = (config.queue.history_entries, expiry);
        let kind = config.redis.channel_layer;
        let (inbox, submitted) = message::inbox();
        let instance = secret::random_token()?;
        let sessions = Sessions {
            registry: Registry::new(config.socket.max_connections),
            accounts: Accounts::new(
                config.bound.sockets_per_user,
                config.bound.frames(&config.chat),
            ),
            health: ChatHealth {
                links,
                subscription: Arc::new(SubscriptionHealth::new(kind)),
            },
            pong: Event::Pong.frame(),
            stopping: CancellationToken::new(),
            ended: CancellationToken::new(),
            config: Arc::new(config),
            metrics,
            rooms,
            inbox,
        };
        let link = &sessions.health.links.channel;
        let channel = Arc::new(Channel::new(kind, link, &sessions.rooms, history));
        let worker = match sessions.config.worker {
            WorkerKind::Inside => Some(inside(&sessions, &channel, &instance)?),
            WorkerKind::None => None,
        };
        Ok(Self {
            sessions: Arc::new(sessions),
            channel,
            heartbeat: Arc::new(Heartbeat::new(&instance)),
            submitted,
            replays,
            worker,
        })
    }

    /// Starts everything.
    pub(crate) fn spawn(self, listener: TcpListener, background: &mut JoinSet<()>) -> Foreground {
        let Sessions { config, health, .. } = &*self.sessions;
        let timeouts = (config.store.redis_timeout, config.queue.redis_ping);
        for (link, database) in [
            (&health.links.tasks, &config.tasks),
            (&health.links.tokens, &config.tokens),
            (&health.links.channel, &config.channel),
        ] {
            background.spawn(Arc::clone(link).supervise(
                database.clone(),
                timeouts,
                self.sessions.ended.clone(),
            ));
        }
        self.subscribe(background);
        let replayer = self.replayer();
        let messages = Arc::new(self.messages());
        let server = self.server();
        background.spawn(replayer.run(self.replays));
        background.spawn(message::run(Arc::clone(&messages), self.submitted));
        background.spawn(message::redrive(messages));
        let mut worker = JoinSet::new();
        if let Some(context) = self.worker {
            worker.spawn(worker::work(Arc::new(context)));
        }
        background.spawn(session::sweep(self.sessions));
        let connections = TaskTracker::new();
        background.spawn(http::accept(server, listener, connections.clone()));
        Foreground {
            connections,
            worker,
        }
    }

    /// Makes events reach the rooms.
    fn subscribe(&self, background: &mut JoinSet<()>) {
        let sessions = &self.sessions;
        match sessions.config.redis.channel_layer {
            ChannelKind::Redis => {
                let subscriber = Subscriber {
                    config: Arc::clone(&sessions.config),
                    metrics: Arc::clone(&sessions.metrics),
                    rooms: Arc::clone(&sessions.rooms),
                    health: Arc::clone(&sessions.health.subscription),
                    heartbeat: Arc::clone(&self.heartbeat),
                    ended: sessions.ended.clone(),
                };
                background.spawn(subscriber.run());
            }
            ChannelKind::Memory => {
                background.spawn(attach(Arc::clone(&sessions.rooms)));
            }
        }
    }

    fn messages(&self) -> message::Context {
        let sessions = &self.sessions;
        message::Context {
            config: Arc::clone(&sessions.config),
            metrics: Arc::clone(&sessions.metrics),
            rooms: Arc::clone(&sessions.rooms),
            channel: Arc::clone(&self.channel),
            health: sessions.health.clone(),
            stopping: sessions.stopping.clone(),
        }
    }

    /// What listens.
    fn server(&self) -> Server {
        let sessions = &self.sessions;
        let (config, links) = (&sessions.config, &sessions.health.links);
        let directory = Arc::new(Directory::new(&config.auth, config.password.clone()));
        let signer = Arc::new(Signer::new(&config.jwt_key, &config.auth));
        let tokens = Arc::new(Tokens::new(&links.tokens, &config.auth, &config.defects));
        let api = Api {
            config: Arc::clone(config),
            metrics: Arc::clone(&sessions.metrics),
            directory: Arc::clone(&directory),
            attempts: Attempts::new(config.bound.failures()),
            signer: Arc::clone(&signer),
            tokens: Arc::clone(&tokens),
            histories: Arc::clone(&links.channel),
        };
        let health = Health {
            sessions: Arc::clone(sessions),
            heartbeat: Arc::clone(&self.heartbeat),
        };
        Server {
            sessions: Arc::clone(sessions),
            peers: Peers::new(&config.bound.trusted_proxy, config.bound.limit_loopback),
            router: http::router(Arc::new(api), Arc::new(health)),
            gate: Gate {
                sessions: Arc::clone(sessions),
                directory,
                signer,
                tokens,
                addresses: Tally::new(config.bound.sockets_per_address),
            },
        }
    }

    fn replayer(&self) -> Replayer {
        let sessions = &self.sessions;
        Replayer {
            config: Arc::clone(&sessions.config),
            links: sessions.health.links.clone(),
            rooms: Arc::clone(&sessions.rooms),
            ended: sessions.ended.clone(),
        }
    }
}

/// The context of a worker inside the server.
fn inside(
    sessions: &Sessions,
    channel: &Arc<Channel>,
    instance: &str,
) -> Result<worker::Context, StartError> {
    let Sessions {
        config, metrics, ..
    } = sessions;
    Ok(worker::Context {
        name: instance.to_owned(),
        capacity: worker::Capacity::new(config.work.concurrency),
        work: config.work.clone(),
        tasks_at: config.tasks.clone(),
        redis_timeout: config.store.redis_timeout,
        slow_cpu: config.slow_cpu,
        defects: config.defects.clone(),
        tasks: Arc::clone(&sessions.health.links.tasks),
        channel: Arc::clone(channel),
        counts: worker::Counts::new(metrics.registry(), &metrics.redis_errors)?,
        stopping: sessions.stopping.clone(),
        ended: sessions.ended.clone(),
    })
}

/// What the end of the server waits for.
pub(crate) struct Foreground {
    connections: TaskTracker,
    /// Ends by itself once it has answered what it had in hand at the shutdown.
    worker: JoinSet<()>,
}

/// Says goodbye to every socket and waits for them and for the answers in hand, as long as allowed.
async fn drain(sessions: &Sessions, foreground: Foreground, background: &mut JoinSet<()>) {
    let Foreground {
        connections,
        mut worker,
    } = foreground;
    tracing::info!("shutting down");
    sessions.stopping.cancel();
    let mut open = Vec::new();
    sessions.registry.copy_to(&mut open);
    for conn in &open {
        conn.close(code::GOING_AWAY, "shutting down");
    }
    let sockets = open.len();
    drop(open);
    connections.close();
    let in_hand = async { tokio::join!(connections.wait(), worker.join_next()) };
    if tokio::time::timeout(sessions.config.drain, in_hand)
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            answers = !worker.is_empty(),
            "cut at the end of the drain"
        );
    }
    sessions.ended.cancel();
    worker.shutdown().await;
    background.abort_all();
    while background.join_next().await.is_some() {}
    tracing::info!(sockets, "ended");
}
