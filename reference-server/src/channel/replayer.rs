//! Reads histories for the sockets that asked for what they missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::args::ChannelKind;
use crate::config::Config;
use crate::room::{Part, RawEvent, ReplayRequest, Replayed, Rooms, What};
use crate::store::queue::{STREAM, id_key};
use crate::store::{Entry, LinkError, Links, StreamId, text};
use crate::{route, wire};

/// Replays under way at once; most of those that take long wait for their readers.
const AT_ONCE: usize = 256;
/// Entries in one part.
const PART: usize = 64;
/// Parts in one replay: a few more than the longest history has.
const PARTS_MAX: u32 = 4096;
/// Until a reader that had no room is looked at again.
const READER_PAUSE: Duration = Duration::from_millis(5);

/// Reads for the rooms of one server.
pub(crate) struct Replayer {
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// Commands to Redis.
    pub(crate) links: Links,
    /// Whose sockets want something again.
    pub(crate) rooms: Arc<Rooms>,
    /// The server has ended.
    pub(crate) ended: CancellationToken,
}

impl Replayer {
    /// Serves requests until the server ends.
    pub(crate) async fn run(self, mut requests: mpsc::Receiver<ReplayRequest>) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(request) = requests.recv(), if running.len() < AT_ONCE => running.push(self.one(request)),
                Some(()) = running.next() => {}
                () = self.ended.cancelled() => return,
            }
        }
    }

    async fn one(&self, request: ReplayRequest) {
        let timeout = self.config.socket.outbox_age;
        let (mut progress, mut since) = (request.what.start(&self.config.defects), Instant::now());
        for _ in 0..PARTS_MAX {
            while !request.conn.has_room() {
                if since.elapsed() > timeout {
                    return self.rooms.abandon(&request, true);
                }
                tokio::time::sleep(READER_PAUSE).await;
            }
            since = Instant::now();
            let target = self.rooms.delivered(&request.conn.room).unwrap_or_default();
            let entries = match self.fetch(&request.conn.room, progress.read).await {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::debug!(%error, "history not read");
                    break;
                }
            };
            let is_last = entries.len() < PART;
            let part = Part {
                entries,
                is_last,
                target,
            };
            match self.rooms.replayed(&request, &part, &mut progress) {
                Replayed::Part | Replayed::Full => {}
                Replayed::UpToDate => {
                    if let What::Task(task, entry) = request.what
                        && progress.is_without(task)
                        && self.is_gone(&request.conn.room, (task, entry)).await
                        && self.is_old(&request, task).await
                    {
                        self.rooms.gone(&request, task);
                    }
                    return;
                }
            }
        }
        self.rooms.abandon(&request, false);
    }

    /// Whether neither the queue nor the history knows of a task; asked in this order, as it moves
    /// from the one to the other.
    async fn is_gone(&self, room: &str, (task, entry): (u64, StreamId)) -> bool {
        let (mut command, entry) = (redis::cmd("XRANGE"), entry.to_string());
        command.arg(STREAM).arg(&entry).arg(&entry);
        let queued: Result<Vec<redis::Value>, _> = self.links.tasks.run(&command).await;
        if !queued.is_ok_and(|found| found.is_empty()) {
            return false;
        }
        let mut read = StreamId::default();
        for _ in 0..PARTS_MAX {
            let Ok(part) = self.fetch(room, read).await else {
                return false;
            };
            let of =
                |text: &str| RawEvent::parse(room, text).is_some_and(|event| event.task == task);
            if part.iter().any(|(_, text)| of(text)) {
                return false;
            }
            match part.last() {
                Some((last, _)) if part.len() == PART => read = *last,
                _ => return true,
            }
        }
        false
    }

    /// Whether the id of the message still leads to the task, and the task is old enough that its
    /// history can have ended. Otherwise Redis forgot the answer, and the task is queued again.
    async fn is_old(&self, request: &ReplayRequest, task: u64) -> bool {
        let id = request.client_message_id.as_deref().unwrap_or_default();
        let key = id_key(request.conn.user, route::id(&request.conn.room), id);
        let mut commands = redis::pipe();
        commands.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
        let known: Result<(Option<Vec<u8>>, i64), _> = self.links.tasks.pipe(&commands).await;
        let Ok((Some(known), left_ms)) = known else {
            return false;
        };
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        let age = self.config.chat.remember_ids.saturating_sub(left);
        let leads = known.starts_with(wire::task_id(task).as_bytes());
        let config = &self.config;
        leads && age >= config.defects.history_expiry(config.queue.history_expiry)
    }

    /// The next entries of a history.
    async fn fetch(
        &self,
        room: &str,
        after: StreamId,
    ) -> Result<Vec<(StreamId, String)>, LinkError> {
        if self.config.redis.channel_layer == ChannelKind::Memory {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("XRANGE");
        command.arg(room).arg(format!("({after}")).arg("+");
        command.arg("COUNT").arg(PART);
        let entries: Vec<Entry> = self.links.channel.run(&command).await?;
        // What is no event stays: the length says whether there is more.
        let event =
            |entry: &Entry| Some((entry.0.parse().ok()?, text(entry).unwrap_or("").to_owned()));
        Ok(entries.iter().filter_map(event).collect())
    }
}
