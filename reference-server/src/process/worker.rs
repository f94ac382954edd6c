//! Start and end of `reference-server worker`, and the pages operators look at.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use prometheus::{IntGaugeVec, Registry};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::start;
use super::start::{Ending, StartError};
use crate::args::WorkerArgs;
use crate::auth::secret;
use crate::channel::Channel;
use crate::config::WorkerConfig;
use crate::http;
use crate::metrics;
use crate::metrics::Maker;
use crate::store::{Link, queue};
use crate::worker::{Capacity, Context, Counts, work};

/// Bytes of the kernel's send buffer of a page's connection.
const SEND_BUFFER: usize = 65_536;

/// Works until it is told to end.
pub(crate) fn start(args: WorkerArgs) -> ExitCode {
    start::report(run(args))
}

fn run(args: WorkerArgs) -> Result<(), StartError> {
    start::log(&args.log)?;
    let address = args.listen;
    let config = WorkerConfig::new(args)?;
    config.slow_cpu.announce();
    // One task does the work and the rest is waiting: a second thread would have nothing to do.
    start::run(1, async move {
        let listener = http::bind(address, SEND_BUFFER);
        let listener = listener.map_err(|source| StartError::Bind { address, source })?;
        process(listener, config).await
    })
}

/// What the pages tell.
struct Pages {
    context: Arc<Context>,
    channel: Arc<Link>,
    registry: Registry,
    redis_up: IntGaugeVec,
}

async fn process(listener: TcpListener, config: WorkerConfig) -> Result<(), StartError> {
    let mut ending = Ending::new()?;
    let address = listener.local_addr()?;
    let registry = Registry::new();
    let maker = Maker::new(&registry);
    let (errors, redis_up) = (maker.redis_errors()?, maker.redis_up()?);
    let link = |name| Link::new(name, errors.with_label_values(&[name]));
    let (tasks, channel) = (link("tasks"), link("channel"));
    let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
    let timeouts = (config.store.redis_timeout, config.queue.redis_ping);
    let mut background = JoinSet::new();
    for (link, database) in [(&tasks, &config.tasks), (&channel, &config.channel)] {
        let link = Arc::clone(link);
        background.spawn(link.supervise(database.clone(), timeouts, ended.clone()));
    }
    let expiry = config.defects.history_expiry(config.queue.history_expiry);
    let history = (config.queue.history_entries, expiry);
    let context = Arc::new(Context {
        name: secret::random_token()?,
        capacity: Capacity::new(config.work.concurrency),
        work: config.work,
        tasks_at: config.tasks,
        redis_timeout: config.store.redis_timeout,
        slow_cpu: config.slow_cpu,
        defects: config.defects,
        tasks,
        channel: Arc::new(Channel::redis(&channel, history)),
        counts: Counts::new(&registry, &errors)?,
        stopping: stopping.clone(),
        ended: ended.clone(),
    });
    let pages = Pages {
        context: Arc::clone(&context),
        channel,
        registry,
        redis_up,
    };
    background.spawn(http::serve_pages(listener, router(pages), ended.clone()));
    let mut working = JoinSet::new();
    working.spawn(work(context));
    start::announce(address)?;
    ending.wait().await;
    tracing::info!("shutting down");
    stopping.cancel();
    if tokio::time::timeout(config.drain, working.join_next())
        .await
        .is_err()
    {
        tracing::warn!("cut at the end of the drain; what is in hand goes to other workers");
    }
    ended.cancel();
    working.shutdown().await;
    background.shutdown().await;
    tracing::info!("ended");
    Ok(())
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(http::alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(text))
        .with_state(Arc::new(pages))
        .fallback(http::not_found)
}

async fn ready(State(pages): State<Arc<Pages>>) -> Response {
    let context = &pages.context;
    let (tasks, channel) = tokio::join!(
        queue::stands(&context.tasks, true),
        http::ping(&pages.channel)
    );
    let states = [
        ("tasks", tasks),
        ("channel_layer", channel),
        ("circuit", context.capacity.is_closed()),
        ("stopping", !context.stopping.is_cancelled()),
    ];
    let failed = states.into_iter().filter(|(_, well)| !well);
    http::readiness(&failed.map(|(name, _)| name).collect::<Vec<_>>())
}

async fn text(State(pages): State<Arc<Pages>>) -> Response {
    for (name, link) in [("tasks", &pages.context.tasks), ("channel", &pages.channel)] {
        let up = pages.redis_up.with_label_values(&[name]);
        up.set(i64::from(link.is_up()));
    }
    http::exposition(metrics::render(&pages.registry))
}
