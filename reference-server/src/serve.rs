//! Start and end of `reference-server serve`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::{ChannelKind, ServeArgs};
use crate::channel::{Channel, Pulse};
use crate::config::{Config, ConfigError};
use crate::directory::Directory;
use crate::metrics::{Metrics, MetricsError};
use crate::room::Rooms;
use crate::shared::{Ears, Links, Shared};
use crate::socket::Registry;
use crate::store::Link;
use crate::{channel, complain, http, intake, secret, socket, worker};

/// Replays waiting to be begun.
const REPLAYS: usize = 1024;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// The flags are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The filter for logs is wrong.
    #[error("--log: {0}")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    /// The address cannot be listened on.
    #[error("--listen: {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// Runtime, signals or stdout.
    #[error("cannot start: {0}")]
    Io(#[from] std::io::Error),
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] secret::NoRandomness),
}

/// Runs the server until it is told to end.
pub(crate) fn start(args: ServeArgs) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            if let StartError::Bind { .. } = problem {
                complain(" hint: take another address, or port 0 for a free one");
            }
            let usage = matches!(problem, StartError::Config(_) | StartError::Log(_));
            ExitCode::from(if usage { 2 } else { 3 })
        }
    }
}

fn run(args: ServeArgs) -> Result<(), StartError> {
    // The library would log the messages themselves, unless it is asked for by name.
    let filter = format!("tungstenite=warn,{}", args.log);
    let filter: tracing_subscriber::EnvFilter = filter.parse()?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let (address, threads) = (args.listen, args.threads);
    let config = Config::new(args)?;
    if config.password_is_random {
        tracing::warn!(
            password = config.password,
            "no --password given; this one is for every user, until the server ends"
        );
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        let listener = http::bind(address, config.socket.send_buffer);
        let listener = listener.map_err(|source| StartError::Bind { address, source })?;
        serve(listener, config).await
    })
}

async fn serve(listener: TcpListener, config: Config) -> Result<(), StartError> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let parts = Parts::new(config)?;
    let shared = Arc::clone(&parts.shared);
    let mut background = JoinSet::new();
    let address = listener.local_addr()?;
    let foreground = parts.spawn(listener, &mut background);
    announce(address)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drain(&shared, foreground, &mut background).await;
    Ok(())
}

/// The one line on stdout, for whoever started the server and waits for it.
fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    stdout.flush()
}

/// A server that is made and not yet started.
struct Parts {
    shared: Arc<Shared>,
    offered: intake::Offered,
    replays: mpsc::Receiver<crate::room::ReplayAsk>,
    instance: String,
}

impl Parts {
    fn new(config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new()?);
        let link = |name| Link::new(name, metrics.redis_errors.with_label_values(&[name]));
        let links = Links {
            tasks: link("tasks"),
            tokens: link("tokens"),
            channel: link("channel"),
        };
        let (ask, replays) = mpsc::channel(REPLAYS);
        let rooms = Arc::new(Rooms::new(Arc::clone(&metrics), config.defects, ask));
        let history = (config.redis.history_entries, config.redis.history_expiry);
        let kind = config.redis.channel_layer;
        let (intake, offered) = intake::queue();
        let shared = Shared {
            channel: Channel::new(kind, &links.channel, &rooms, history),
            ears: Arc::new(Ears::new(kind)),
            registry: Registry::new(config.socket.max_connections),
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
        Ok(Self {
            shared: Arc::new(shared),
            offered,
            replays,
            instance,
        })
    }

    /// Starts everything.
    fn spawn(self, listener: TcpListener, background: &mut JoinSet<()>) -> Foreground {
        let Self {
            shared,
            offered,
            replays,
            instance,
        } = self;
        let (links, config) = (&shared.links, &shared.config);
        let patience = (config.redis.redis_timeout, config.redis.redis_ping);
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
        worker.spawn(worker::work(Arc::clone(&shared), instance));
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

/// What the end of the server waits for.
struct Foreground {
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
