//! What the server runs by: the flags, validated once, with every secret filled in.
//!
//! **In:** [`ServeArgs`]. **Out:** [`Config`], which cannot hold a value the server could not use.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use crate::args::{
    AuthArgs, ChannelKind, ChatArgs, QueueArgs, RedisArgs, ServeArgs, SocketArgs, StoreArgs,
    WorkArgs, WorkerArgs, WorkerKind,
};
use crate::defect::{DefectError, Defects};
use crate::tls::TlsError;
use crate::{secret, tls};

/// Most users and most admins: their numbers must not meet.
const USERS_MAX: u64 = crate::directory::ADMINS_AFTER;

/// Why the flags do not make a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A flag must be more than nothing.
    #[error("{flag}: must be more than 0")]
    Zero {
        /// The flag's name.
        flag: &'static str,
    },
    /// More than the server can tell apart.
    #[error("{flag}: must be at most {most}")]
    TooMany {
        /// The flag's name.
        flag: &'static str,
        /// The bound.
        most: u64,
    },
    /// A rate is not a positive number.
    #[error("{flag}: {value} is not a rate; write a number over 0 and up to 1000000")]
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
        check_counts(&args)?;
        check_durations(&args)?;
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

fn check_counts(args: &ServeArgs) -> Result<(), ConfigError> {
    let counts = [
        ("--users", args.auth.users),
        ("--admins", args.auth.admins),
        ("--participants", args.auth.participants),
        ("--token-burst", u64::from(args.auth.token_burst)),
        ("--rate-burst", u64::from(args.chat.rate_burst)),
        ("--flood-strikes", u64::from(args.chat.flood_strikes)),
        ("--max-message", args.chat.max_message as u64),
        ("--queue-limit", u64::from(args.chat.queue_limit)),
        ("--chats-entries", u64::from(args.redis.chats_entries)),
        ("--max-connections", args.socket.max_connections as u64),
        ("--max-frame", args.socket.max_frame as u64),
        ("--outbox-messages", args.socket.outbox_messages as u64),
        ("--outbox-bytes", args.socket.outbox_bytes as u64),
        ("--send-buffer", args.socket.send_buffer as u64),
    ];
    check_zeros(&counts)?;
    check_work_counts(&args.queue, &args.work)?;
    let people = [("--users", args.auth.users), ("--admins", args.auth.admins)];
    if let Some((flag, _)) = people.iter().find(|(_, count)| *count > USERS_MAX) {
        return Err(ConfigError::TooMany {
            flag,
            most: USERS_MAX,
        });
    }
    let rates = [
        ("--rate-limit", args.chat.rate_limit),
        ("--token-rate", args.auth.token_rate),
        ("--connect-rate", args.socket.connect_rate),
    ];
    match rates
        .iter()
        .find(|(_, rate)| !(*rate > 0.0 && *rate <= 1_000_000.0))
    {
        Some((flag, value)) => Err(ConfigError::Rate {
            flag,
            value: *value,
        }),
        None => Ok(()),
    }
}

fn check_durations(args: &ServeArgs) -> Result<(), ConfigError> {
    let (ms, s) = (Duration::from_millis(1), Duration::from_secs(1));
    #[rustfmt::skip]
    let bounds = [
        ("--token-ttl", args.auth.token_ttl, s, "`expires_in` is whole seconds"),
        ("--jwt-ttl", args.auth.jwt_ttl, s, "`exp` is whole seconds"),
        ("--refresh-ttl", args.auth.refresh_ttl, s, "`exp` is whole seconds"),
        ("--remember-ids", args.chat.remember_ids, s, "one second"),
        ("--redrive-after", args.chat.redrive_after, 100 * ms, "a healthy task must not be queued twice"),
        ("--ping-interval", args.socket.ping_interval, 10 * ms, "ten milliseconds"),
        ("--ping-timeout", args.socket.ping_timeout, args.socket.ping_interval, "the ping interval"),
        ("--header-timeout", args.socket.header_timeout, ms, "one millisecond"),
        ("--handshake-timeout", args.socket.handshake_timeout, args.store.redis_timeout, "the Redis timeout"),
        ("--outbox-age", args.socket.outbox_age, 10 * ms, "ten milliseconds"),
        ("--chats-expiry", args.redis.chats_expiry, s, "one second"),
        ("--history-expiry", args.queue.history_expiry, 2 * args.redis.redis_grace, "twice the grace"),
    ];
    check_bounds(&bounds)?;
    check_work_durations(&args.store, &args.queue, &args.work)
}

type Bound = (&'static str, Duration, Duration, &'static str);

fn check_bounds(bounds: &[Bound]) -> Result<(), ConfigError> {
    match bounds.iter().find(|(_, value, least, _)| value < least) {
        Some(&(flag, _, least, why)) => Err(ConfigError::TooShort { flag, least, why }),
        None => Ok(()),
    }
}

fn check_zeros(counts: &[(&'static str, u64)]) -> Result<(), ConfigError> {
    match counts.iter().find(|(_, count)| *count == 0) {
        Some(&(flag, _)) => Err(ConfigError::Zero { flag }),
        None => Ok(()),
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
        check_work_counts(&args.queue, &args.work)?;
        check_work_durations(&args.store, &args.queue, &args.work)?;
        let ms = Duration::from_millis(1);
        check_bounds(&[(
            "--history-expiry",
            args.queue.history_expiry,
            ms,
            "one millisecond",
        )])?;
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

fn check_work_counts(queue: &QueueArgs, work: &WorkArgs) -> Result<(), ConfigError> {
    check_zeros(&[
        ("--chunks", u64::from(work.chunks)),
        ("--concurrency", u64::from(work.concurrency)),
        ("--history-entries", u64::from(queue.history_entries)),
    ])
}

fn check_work_durations(
    store: &StoreArgs,
    queue: &QueueArgs,
    work: &WorkArgs,
) -> Result<(), ConfigError> {
    let ms = Duration::from_millis(1);
    #[rustfmt::skip]
    let bounds = [
        ("--redis-timeout", store.redis_timeout, ms, "one millisecond"),
        ("--redis-ping", queue.redis_ping, ms, "one millisecond"),
        ("--take-over-after", work.take_over_after, 100 * ms, "three heartbeats must fit"),
    ];
    check_bounds(&bounds)
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
