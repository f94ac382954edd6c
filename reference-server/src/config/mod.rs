//! What the server runs by: the flags, validated once, with every secret filled in.
//!
//! **In:** [`ServeArgs`]. **Out:** [`Config`], which cannot hold a value the server could not use.

mod check;

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use crate::args::{
    AuthArgs, BoundArgs, ChannelKind, ChatArgs, QueueArgs, RedisArgs, ServeArgs, SocketArgs,
    StoreArgs, WorkArgs, WorkerArgs, WorkerKind,
};
use crate::defect::{DefectError, Defects};
use crate::tls::TlsError;
use crate::{secret, tls};

/// Why the flags do not make a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A flag must be more than nothing.
    #[error("{flag}: must be more than 0")]
    Zero {
        /// The flag's name.
        flag: &'static str,
    },
    /// More than the server can tell apart, or hold.
    #[error("{flag}: must be at most {most}")]
    TooMany {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        most: u64,
    },
    /// Less than the server can work with.
    #[error("{flag}: must be at least {least}")]
    TooFew {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        least: u64,
    },
    /// A rate is not a positive number.
    #[error("{flag}: {value} is not a rate; write a number from 0.000001 to 1000000")]
    Rate {
        /// The flag's name.
        flag: &'static str,
        /// What was given.
        value: f64,
    },
    /// One value must not be under another.
    #[error("{flag}: must be at least {least:?} ({why})")]
    TooShort {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        least: Duration,
        /// Where the bound comes from.
        why: &'static str,
    },
    /// Nobody would answer.
    #[error(
        "--worker none: a worker of its own cannot reach `--channel-layer memory`; use `redis`"
    )]
    NoWorker,
    /// A secret that can be guessed.
    #[error("--jwt-secret: has {bytes} bytes; give at least 16, or leave it out for a random one")]
    WeakSecret {
        /// Bytes given.
        bytes: usize,
    },
    /// A Redis URL cannot be read. The URL itself is not printed: it may hold a password.
    #[error("{flag}: not a Redis URL ({problem}); write redis://:PASSWORD@HOST:PORT")]
    Url {
        /// The flag's name.
        flag: &'static str,
        /// What the parser says.
        problem: &'static str,
    },
    /// Certificate or key are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A defect is unknown or its rate is wrong.
    #[error("--defect: {0}")]
    Defect(#[from] DefectError),
    /// No randomness for the secrets.
    #[error(transparent)]
    Randomness(#[from] secret::NoRandomness),
}

/// One Redis database: where it is, password included.
#[derive(Clone)]
pub(crate) struct Database {
    /// Address, TCP settings and credentials.
    pub(crate) info: redis::ConnectionInfo,
}

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
        let defects = Defects::parse(&args.defect)?;
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
            defects: Defects::parse(&args.defect)?,
            store: args.store,
            queue: args.queue,
            work: args.work,
            drain: args.drain,
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
    use redis::IntoConnectionInfo as _;
    let (flag, url) = own.map_or(("--redis-url", &store.redis_url), |url| (flag, url));
    let info = url.as_str().into_connection_info();
    let info = info.map_err(|error| ConfigError::Url {
        flag,
        problem: problem(&error),
    })?;
    let keep_alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(2))
        .with_interval(Duration::from_secs(1))
        .with_retries(2);
    let tcp = redis::io::tcp::TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keep_alive)
        .set_user_timeout(Duration::from_secs(3));
    let settings = info.redis_settings().clone();
    let settings = if own.is_some() {
        settings
    } else {
        settings.set_db(number)
    };
    let settings = settings.set_protocol(redis::ProtocolVersion::RESP3);
    let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
    Ok(Database { info })
}

/// The error's fixed text, without the detail, which may quote the URL.
fn problem(error: &redis::RedisError) -> &'static str {
    match error.kind() {
        redis::ErrorKind::InvalidClientConfig => "scheme, host, port or database is wrong",
        _ => "it cannot be parsed",
    }
}
