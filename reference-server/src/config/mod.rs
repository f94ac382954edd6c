//! What the server runs by: the flags, validated once, with every secret filled in.
//!
//! **In:** [`ServeArgs`]. **Out:** [`Config`], which cannot hold a value the server could not use.

mod check;
mod error;
mod tls;

pub(crate) use error::ConfigError;

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use crate::args::{
    AuthArgs, BoundArgs, ChannelKind, ChatArgs, QueueArgs, RedisArgs, ServeArgs, SocketArgs,
    StoreArgs, WorkArgs, WorkerArgs, WorkerKind,
};
use crate::auth::secret;
use crate::defect;
use crate::defect::Defects;
use crate::host::SlowCpu;
use crate::store::Database;

/// Everything the server needs to know.
pub(crate) struct Config {
    /// Where tasks are worked on.
    pub(crate) worker: WorkerKind,
    /// Flags about every Redis connection.
    pub(crate) store: StoreArgs,
    /// Flags about queue and histories.
    pub(crate) queue: QueueArgs,
    /// Flags about Redis that only a server has.
    pub(crate) redis: RedisArgs,
    /// Flags about users, tokens and origins.
    pub(crate) auth: AuthArgs,
    /// Flags about messages and the queue.
    pub(crate) chat: ChatArgs,
    /// Flags about the answers.
    pub(crate) work: WorkArgs,
    /// Flags about connections.
    pub(crate) socket: SocketArgs,
    /// Flags about what one user or address may have.
    pub(crate) bound: BoundArgs,
    /// Time to end after SIGTERM.
    pub(crate) drain: Duration,
    /// Database 0.
    pub(crate) tasks: Database,
    /// Database 2.
    pub(crate) tokens: Database,
    /// Database 3.
    pub(crate) channel: Database,
    /// The key of access and refresh tokens.
    pub(crate) jwt_key: Vec<u8>,
    /// The password of every user.
    pub(crate) password: String,
    /// Whether the password was made up at start.
    pub(crate) password_is_random: bool,
    /// Certificate and key, where the server speaks TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// How much slower it is on purpose.
    pub(crate) slow_cpu: SlowCpu,
    /// What is wrong on purpose.
    pub(crate) defects: Defects,
}

impl Config {
    /// Checks the flags and fills in the secrets.
    pub(crate) fn new(args: ServeArgs) -> Result<Self, ConfigError> {
        check::counts(&args)?;
        check::durations(&args)?;
        let memory = args.redis.channel_layer == ChannelKind::Memory;
        if memory && args.worker == WorkerKind::None {
            return Err(ConfigError::NoWorker);
        }
        let defects = defect::parse(&args.defect)?;
        let tls = match (&args.tls_cert, &args.tls_key) {
            (Some(cert), Some(key)) => Some(tls::load(cert, key)?),
            _ => None,
        };
        let store = &args.store;
        let tasks = tasks(store, &args.queue)?;
        let channel = channel(store)?;
        let own = args.redis.redis_tokens_url.as_ref();
        let tokens = database(2, ("--redis-tokens-url", own), store)?;
        let jwt_key = match &args.auth.jwt_secret {
            Some(given) if given.len() < 16 => {
                return Err(ConfigError::WeakSecret { bytes: given.len() });
            }
            Some(given) => given.clone().into_bytes(),
            None => secret::random_token()?.into_bytes(),
        };
        let password_is_random = args.auth.password.is_none();
        let password = match &args.auth.password {
            Some(given) => given.clone(),
            None => secret::random_token()?,
        };
        Ok(Self {
            worker: args.worker,
            store: args.store,
            queue: args.queue,
            redis: args.redis,
            auth: args.auth,
            chat: args.chat,
            work: args.work,
            socket: args.socket,
            bound: args.bound,
            drain: args.drain,
            tasks,
            tokens,
            channel,
            jwt_key,
            password,
            password_is_random,
            tls,
            slow_cpu: args.slow.slow_cpu,
            defects,
        })
    }
}

/// What a worker runs by, as a process of its own.
pub(crate) struct WorkerConfig {
    /// Flags about every Redis connection.
    pub(crate) store: StoreArgs,
    /// Flags about queue and histories.
    pub(crate) queue: QueueArgs,
    /// Flags about the answers.
    pub(crate) work: WorkArgs,
    /// Time to end after SIGTERM.
    pub(crate) drain: Duration,
    /// Database 0.
    pub(crate) tasks: Database,
    /// Database 3.
    pub(crate) channel: Database,
    /// How much slower it is on purpose.
    pub(crate) slow_cpu: SlowCpu,
    /// What is wrong on purpose.
    pub(crate) defects: Defects,
}

impl WorkerConfig {
    /// Checks the flags.
    pub(crate) fn new(args: WorkerArgs) -> Result<Self, ConfigError> {
        check::worker(&args)?;
        Ok(Self {
            tasks: tasks(&args.store, &args.queue)?,
            channel: channel(&args.store)?,
            defects: defect::parse(&args.defect)?,
            store: args.store,
            queue: args.queue,
            work: args.work,
            drain: args.drain,
            slow_cpu: args.slow.slow_cpu,
        })
    }
}

fn tasks(store: &StoreArgs, queue: &QueueArgs) -> Result<Database, ConfigError> {
    let own = queue.redis_tasks_url.as_ref();
    database(0, ("--redis-tasks-url", own), store)
}

/// Database 3, where the channel layer is.
pub(crate) fn channel(store: &StoreArgs) -> Result<Database, ConfigError> {
    let own = store.redis_channel_url.as_ref();
    database(3, ("--redis-channel-url", own), store)
}

/// The database's own URL, or the base URL with the database's number.
fn database(
    number: i64,
    (flag, own): (&'static str, Option<&String>),
    store: &StoreArgs,
) -> Result<Database, ConfigError> {
    let (flag, url, number) = match own {
        Some(url) => (flag, url, None),
        None => ("--redis-url", &store.redis_url, Some(number)),
    };
    Database::new(url, number).map_err(|problem| ConfigError::Url { flag, problem })
}
