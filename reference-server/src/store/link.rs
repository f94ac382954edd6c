//! One supervised connection to one Redis database.
//!
//! A call never waits for a reconnect: while the database is known to be away it fails at once, and
//! otherwise within the response timeout. A watchdog PING notices what TCP does not (a black hole),
//! so an outage is known after one ping interval and one timeout at the latest.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Database;
use super::script::Script;
use crate::clock;

/// TCP, AUTH and SELECT together.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const BACKOFF_FIRST_MS: u64 = 50;
const BACKOFF_CAP_MS: u64 = 400;

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The database is known to be away; nothing was sent.
    #[error("{0} is away")]
    Away(&'static str),
    /// The connection failed or timed out: the command may have run.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] redis::RedisError),
    /// Redis answered with an error.
    #[error("{0} refused: {1}")]
    Refused(&'static str, #[source] redis::RedisError),
}

impl LinkError {
    /// Redis' own code, such as `NOGROUP`.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(_, error) => error.code(),
            Self::Away(_) | Self::Io(..) => None,
        }
    }
}

/// The connections to Redis that carry commands.
#[derive(Clone)]
pub(crate) struct Links {
    /// Database 0: queue and remembered ids.
    pub(crate) tasks: Arc<Link>,
    /// Database 2: tokens and rate limits.
    pub(crate) tokens: Arc<Link>,
    /// Database 3: histories and publishing.
    pub(crate) channel: Arc<Link>,
}

/// The supervised connection. Cheap to share; commands of all callers are pipelined.
pub(crate) struct Link {
    name: &'static str,
    current: Mutex<Option<MultiplexedConnection>>,
    /// Since when the database is away, in ms since start; 0 while it is there.
    away_since_ms: AtomicU64,
    kick: Notify,
    errors: IntCounter,
}

impl Link {
    /// A link that is away until [`Link::supervise`] runs.
    pub(crate) fn new(name: &'static str, errors: IntCounter) -> Arc<Self> {
        Arc::new(Self {
            name,
            current: Mutex::new(None),
            away_since_ms: AtomicU64::new(clock::since_start_ms()),
            kick: Notify::new(),
            errors,
        })
    }

    /// Keeps the connection until `stop`. `response` bounds every command, `ping` is the watchdog's
    /// pause.
    pub(crate) async fn supervise(
        self: Arc<Self>,
        database: Database,
        (response, ping): (Duration, Duration),
        stop: CancellationToken,
    ) {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(response))
            .set_pipeline_buffer_size(1000);
        let mut backoff_ms = BACKOFF_FIRST_MS;
        while !stop.is_cancelled() {
            match connect(&database, &config).await {
                Ok(connection) => {
                    backoff_ms = BACKOFF_FIRST_MS;
                    self.arrive(connection.clone());
                    // Dropping the watch drops a PING at most.
                    tokio::select! {
                        () = self.watch(connection, ping) => {}
                        () = stop.cancelled() => {}
                    }
                    self.leave();
                }
                Err(error) => {
                    self.errors.inc();
                    tracing::debug!(link = self.name, %error, "no connection");
                }
            }
            let pause = Duration::from_millis(jittered(backoff_ms));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            backoff_ms = (backoff_ms * 2).min(BACKOFF_CAP_MS);
        }
    }

    async fn watch(&self, connection: MultiplexedConnection, ping: Duration) {
        loop {
            let answer: redis::RedisResult<String> = redis::cmd("PING")
                .query_async(&mut connection.clone())
                .await;
            if let Err(error) = answer {
                self.errors.inc();
                tracing::warn!(link = self.name, %error, "Redis is away");
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(ping) => {}
                () = self.kick.notified() => {}
            }
        }
    }

    fn arrive(&self, connection: MultiplexedConnection) {
        *self.lock() = Some(connection);
        self.away_since_ms.store(0, Ordering::Release);
        tracing::info!(link = self.name, "connected to Redis");
    }

    fn leave(&self) {
        self.away_since_ms
            .store(clock::since_start_ms(), Ordering::Release);
        *self.lock() = None;
    }

    /// Whether commands have a chance.
    pub(crate) fn is_up(&self) -> bool {
        self.away_since_ms.load(Ordering::Acquire) == 0
    }

    /// For how long the database has been away; `None` while it is there.
    pub(crate) fn away_for(&self) -> Option<Duration> {
        let since = self.away_since_ms.load(Ordering::Acquire);
        let now = clock::since_start_ms();
        (since != 0).then(|| Duration::from_millis(now.saturating_sub(since)))
    }

    /// Runs one command.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        command: &redis::Cmd,
    ) -> Result<T, LinkError> {
        let mut connection = self.connection()?;
        let answer = command.query_async(&mut connection).await;
        answer.map_err(|error| self.failed(error))
    }

    /// Runs commands in one round trip. Not a transaction.
    pub(crate) async fn pipe<T: FromRedisValue>(
        &self,
        commands: &redis::Pipeline,
    ) -> Result<T, LinkError> {
        let mut connection = self.connection()?;
        let answer = commands.query_async(&mut connection).await;
        answer.map_err(|error| self.failed(error))
    }

    /// Runs a script by its hash; by its text where Redis does not have it yet.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl redis::ToRedisArgs + AsRef<str>],
        args: &[impl redis::ToRedisArgs + AsRef<str>],
    ) -> Result<T, LinkError> {
        let command = |verb: &str, what: &str| {
            let (count, bytes) = (keys.len() + args.len(), bytes(keys) + bytes(args));
            let mut command = redis::Cmd::with_capacity(count + 3, bytes + 2 * what.len());
            command.arg(verb).arg(what);
            command.arg(keys.len()).arg(keys).arg(args);
            command
        };
        match self.run(&command("EVALSHA", script.hash())).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.run(&command("EVAL", script.text())).await
            }
            answer => answer,
        }
    }

    fn connection(&self) -> Result<MultiplexedConnection, LinkError> {
        self.lock().clone().ok_or(LinkError::Away(self.name))
    }

    fn failed(&self, error: redis::RedisError) -> LinkError {
        if error.code() != Some("NOSCRIPT") {
            self.errors.inc();
        }
        if error.is_io_error() || error.is_unrecoverable_error() {
            self.kick.notify_one();
            LinkError::Io(self.name, error)
        } else {
            LinkError::Refused(self.name, error)
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<MultiplexedConnection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(texts: &[impl AsRef<str>]) -> usize {
    texts.iter().map(|text| text.as_ref().len()).sum()
}

/// Opens a connection as `config` says.
pub(crate) async fn connect(
    database: &Database,
    config: &AsyncConnectionConfig,
) -> redis::RedisResult<MultiplexedConnection> {
    let client = redis::Client::open(database.info.clone())?;
    client
        .get_multiplexed_async_connection_with_config(config)
        .await
}

/// Half of `ms` and a random part of the other half, so that instances do not come back in step.
pub(crate) fn jittered(ms: u64) -> u64 {
    ms / 2 + rand::random_range(0..=ms / 2)
}
