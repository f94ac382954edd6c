//! Hears the events of all rooms that have a socket here, over one RESP3 connection.
//!
//! After every new connection: SUBSCRIBE to everything, then read each history from the last entry
//! delivered, and only then what was pushed meanwhile. An id that is not greater than the last is
//! dropped by the room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo, PushKind, Value};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::health::SubscriptionHealth;
use super::heartbeat::Heartbeat;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::room::Rooms;
use crate::store;
use crate::store::{Entry, StreamId, text};

/// Pushed messages waiting for delivery; past this the connection is made anew and the histories
/// are read.
const PUSHES: usize = 65_536;
const SUBSCRIBE_AT_ONCE: usize = 500;
const READ_AT_ONCE: usize = 200;
const BACKOFF_MS: u64 = 100;

/// Subscriptions made, each with the newest entry that is already in its history.
type Made = Vec<(Arc<str>, StreamId)>;
/// A command on its way.
type Call<T> = BoxFuture<'static, redis::RedisResult<T>>;

/// Why the connection has to be made anew.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    #[error("Redis closed the connection")]
    Closed,
    #[error("more messages than can be delivered")]
    Lagged,
}

/// Hears for the rooms of one server.
pub(crate) struct Subscriber {
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
    /// Where events go.
    pub(crate) rooms: Arc<Rooms>,
    /// Told whether events arrive.
    pub(crate) health: Arc<SubscriptionHealth>,
    /// Told which nonces come back.
    pub(crate) heartbeat: Arc<Heartbeat>,
    /// The server has ended.
    pub(crate) ended: CancellationToken,
}

impl Subscriber {
    /// Subscribes, delivers, and reconnects, until the server ends.
    pub(crate) async fn run(self) {
        let errors = &self.metrics.redis_errors;
        let errors = errors.with_label_values(&["subscriber"]);
        let mut first = true;
        loop {
            let outcome = tokio::select! {
                outcome = session(&self, &mut first) => outcome,
                () = self.ended.cancelled() => return,
            };
            self.health.set(false);
            self.rooms.refuse_pending();
            errors.inc();
            if let Err(error) = outcome {
                tracing::debug!(%error, "subscriber away");
            }
            let pause = Duration::from_millis(store::jittered(BACKOFF_MS));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ended.cancelled() => return,
            }
        }
    }
}

/// One connection from its beginning to its end.
struct Session<'a> {
    subscriber: &'a Subscriber,
    connection: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    lagged: Arc<AtomicBool>,
    overflow: Arc<Notify>,
}

async fn session(subscriber: &Subscriber, first: &mut bool) -> Result<(), Lost> {
    let (sender, pushes) = mpsc::channel(PUSHES);
    let (lagged, overflow) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (flag, bell) = (Arc::clone(&lagged), Arc::clone(&overflow));
    let push = move |info: PushInfo| {
        sender.try_send(info).inspect_err(|_| {
            flag.store(true, Ordering::Release);
            bell.notify_one();
        })
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(store::CONNECT_TIMEOUT))
        .set_response_timeout(Some(subscriber.config.store.redis_timeout))
        .set_pipeline_buffer_size(1000)
        .set_push_sender(push);
    let connection = store::connect(&subscriber.config.channel, &config).await?;
    let mut session = Session {
        subscriber,
        connection,
        pushes,
        lagged,
        overflow,
    };
    session.restore(*first).await?;
    *first = false;
    subscriber.health.set(true);
    tracing::info!("subscribed");
    session.deliver().await
}

impl Session<'_> {
    /// Subscribes to everything and delivers what was missed.
    async fn restore(&mut self, first: bool) -> Result<(), Lost> {
        let defects = &self.subscriber.config.defects;
        self.connection
            .subscribe(self.subscriber.heartbeat.channel())
            .await?;
        if !first && !defects.resubscribes() {
            return Ok(());
        }
        let histories = first || defects.reads_histories().await;
        let cursors = self.subscriber.rooms.cursors();
        let names: Vec<String> = cursors.iter().map(|(name, _)| name.to_string()).collect();
        for part in names.chunks(SUBSCRIBE_AT_ONCE) {
            self.connection.subscribe(part).await?;
        }
        let (known, new): (Vec<_>, Vec<_>) =
            cursors.into_iter().partition(|(_, last)| last.is_some());
        for part in known.chunks(READ_AT_ONCE).filter(|_| histories) {
            self.catch_up(part).await?;
        }
        let new: Vec<Arc<str>> = new.into_iter().map(|(name, _)| name).collect();
        for part in new.chunks(SUBSCRIBE_AT_ONCE) {
            let last = newest(&mut self.connection, part).await?;
            self.hear()?;
            for (name, last) in part.iter().zip(last) {
                self.subscriber.rooms.subscribed(name, last);
            }
        }
        Ok(())
    }

    /// Delivers what was pushed so far. To be called before a room is told where it begins: what
    /// came before that is then no news.
    fn hear(&mut self) -> Result<(), Lost> {
        while let Ok(info) = self.pushes.try_recv() {
            self.pushed(&info)?;
        }
        Ok(())
    }

    async fn catch_up(&mut self, rooms: &[(Arc<str>, Option<StreamId>)]) -> Result<(), Lost> {
        let mut commands = redis::pipe();
        for (name, last) in rooms {
            let after = format!("({}", last.unwrap_or_default());
            commands.cmd("XRANGE").arg(&**name).arg(after).arg("+");
        }
        for ((name, _), entries) in rooms
            .iter()
            .zip(read(commands, &mut self.connection).await?)
        {
            for entry in &entries {
                if let (Ok(id), Some(text)) = (entry.0.parse(), text(entry)) {
                    self.subscriber.metrics.replayed.inc();
                    self.subscriber.rooms.deliver(name, id, text);
                }
            }
        }
        Ok(())
    }

    /// Delivers what is pushed, changes subscriptions, and watches the connection.
    async fn deliver(&mut self) -> Result<(), Lost> {
        let mut ping = tokio::time::interval(self.subscriber.config.queue.redis_ping);
        ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut pong, mut change): (Option<Call<()>>, Option<Call<Made>>) = (None, None);
        let mut batch = Vec::new();
        loop {
            // Every arm keeps its state outside of the select: nothing is lost when another arm
            // wins.
            tokio::select! {
                count = self.pushes.recv_many(&mut batch, 256) => {
                    if count == 0 {
                        return Err(Lost::Closed);
                    }
                    self.subscriber.config.slow_cpu.burn();
                    for info in batch.drain(..) {
                        self.pushed(&info)?;
                    }
                }
                () = self.subscriber.rooms.wait_for_changes(), if change.is_none() => {
                    change = Some(changes(self.connection.clone(), self.subscriber.rooms.changes()).boxed());
                }
                made = pending(&mut change) => {
                    change = None;
                    self.hear()?;
                    for (name, last) in made? {
                        self.subscriber.rooms.subscribed(&name, last);
                    }
                }
                _ = ping.tick(), if pong.is_none() => {
                    let mut connection = self.connection.clone();
                    let answer = async move { redis::cmd("PING").query_async(&mut connection).await };
                    pong = Some(answer.boxed());
                }
                answer = pending(&mut pong) => {
                    pong = None;
                    answer?;
                }
                () = self.overflow.notified() => {}
            }
            if self.lagged.load(Ordering::Acquire) {
                return Err(Lost::Lagged);
            }
        }
    }

    fn pushed(&self, info: &PushInfo) -> Result<(), Lost> {
        if info.kind == PushKind::Disconnection {
            return Err(Lost::Closed);
        }
        let [Value::BulkString(channel), Value::BulkString(payload)] = info.data.as_slice() else {
            return Ok(());
        };
        if info.kind == PushKind::Message
            && let (Ok(channel), Ok(payload)) = (str::from_utf8(channel), str::from_utf8(payload))
        {
            self.message(channel, payload);
        }
        Ok(())
    }

    fn message(&self, channel: &str, payload: &str) {
        if channel == self.subscriber.heartbeat.channel() {
            self.subscriber.heartbeat.arrived(payload);
        } else if let Some((id, text)) = payload.split_once(' ')
            && let Ok(id) = id.parse()
        {
            self.subscriber.rooms.deliver(channel, id, text);
        }
    }
}

/// Waits for a future that may not be there; for ever where it is not.
async fn pending<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    if let Some(future) = future {
        future.await
    } else {
        std::future::pending().await
    }
}

/// Ends and makes subscriptions.
async fn changes(
    mut connection: MultiplexedConnection,
    (make, end): (Vec<Arc<str>>, Vec<Arc<str>>),
) -> redis::RedisResult<Made> {
    for part in end.chunks(SUBSCRIBE_AT_ONCE) {
        let names: Vec<String> = part.iter().map(ToString::to_string).collect();
        connection.unsubscribe(names).await?;
    }
    let mut made = Vec::with_capacity(make.len());
    for part in make.chunks(SUBSCRIBE_AT_ONCE) {
        let names: Vec<String> = part.iter().map(ToString::to_string).collect();
        connection.subscribe(names).await?;
        let last = newest(&mut connection, part).await?;
        made.extend(part.iter().map(Arc::clone).zip(last));
    }
    Ok(made)
}

/// The newest entry of each history; the default where there is none.
async fn newest(
    connection: &mut MultiplexedConnection,
    names: &[Arc<str>],
) -> redis::RedisResult<Vec<StreamId>> {
    let mut commands = redis::pipe();
    for name in names {
        commands
            .cmd("XREVRANGE")
            .arg(&**name)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1);
    }
    let found = read(commands, connection).await?;
    let id = |entries: Vec<Entry>| entries.first().and_then(|(id, _)| id.parse().ok());
    Ok(found
        .into_iter()
        .map(|entries| id(entries).unwrap_or_default())
        .collect())
}

/// Reads histories. A key that is no stream is an empty one: whoever adds to it begins it anew.
async fn read(
    mut commands: redis::Pipeline,
    connection: &mut MultiplexedConnection,
) -> redis::RedisResult<Vec<Vec<Entry>>> {
    let found: Vec<redis::RedisResult<Vec<Entry>>> =
        commands.ignore_errors().query_async(connection).await?;
    let or_empty = |history: redis::RedisResult<Vec<Entry>>| match history {
        Err(error) if error.code() == Some("WRONGTYPE") => {
            tracing::warn!("a history is no stream: nothing is read from it");
            Ok(Vec::new())
        }
        history => history,
    };
    found.into_iter().map(or_empty).collect()
}
