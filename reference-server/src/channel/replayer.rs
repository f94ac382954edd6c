//! Reads histories for the sockets that asked for what they missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::subscriber::{Entry, text};
use crate::args::ChannelKind;
use crate::room::{Part, RawEvent, ReplayAsk, Replayed, What};
use crate::shared::Shared;
use crate::store::LinkError;
use crate::stream_id::StreamId;
use crate::worker::STREAM;
use crate::{intake, route, wire};

/// Replays under way at once; most of those that take long wait for their readers.
const AT_ONCE: usize = 256;
/// Entries in one part.
const PART: usize = 64;
/// Parts in one replay: a few more than the longest history has.
const PARTS_MAX: u32 = 4096;
/// Until a reader that had no room is looked at again.
const READER_PAUSE: Duration = Duration::from_millis(5);

/// Serves requests until the server ends.
pub(crate) async fn replay(shared: Arc<Shared>, mut asks: mpsc::Receiver<ReplayAsk>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(ask) = asks.recv(), if running.len() < AT_ONCE => running.push(one(&shared, ask)),
            Some(()) = running.next() => {}
            () = shared.ended.cancelled() => return,
        }
    }
}

async fn one(shared: &Shared, ask: ReplayAsk) {
    let patience = shared.config.socket.outbox_age;
    let (mut progress, mut since) = (ask.what.start(shared.config.defects), Instant::now());
    for _ in 0..PARTS_MAX {
        while !ask.conn.has_room() {
            if since.elapsed() > patience {
                return shared.rooms.abandon(&ask, true);
            }
            tokio::time::sleep(READER_PAUSE).await;
        }
        since = Instant::now();
        let target = shared.rooms.delivered(&ask.conn.room).unwrap_or_default();
        let entries = match fetch(shared, &ask.conn.room, progress.read).await {
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
        match shared.rooms.replayed(&ask, &part, &mut progress) {
            Replayed::Part | Replayed::Full => {}
            Replayed::UpToDate => {
                if let What::Task(task, entry) = ask.what
                    && progress.is_without(task)
                    && is_gone(shared, &ask.conn.room, (task, entry)).await
                    && is_old(shared, &ask, task).await
                {
                    shared.rooms.gone(&ask, task);
                }
                return;
            }
        }
    }
    shared.rooms.abandon(&ask, false);
}

/// Whether neither the queue nor the history knows of a task; asked in this order, as it moves from the one to the other.
async fn is_gone(shared: &Shared, room: &str, (task, entry): (u64, StreamId)) -> bool {
    let (mut command, entry) = (redis::cmd("XRANGE"), entry.to_string());
    command.arg(STREAM).arg(&entry).arg(&entry);
    let queued: Result<Vec<redis::Value>, _> = shared.links.tasks.run(&command).await;
    if !queued.is_ok_and(|found| found.is_empty()) {
        return false;
    }
    let mut read = StreamId::default();
    for _ in 0..PARTS_MAX {
        let Ok(part) = fetch(shared, room, read).await else {
            return false;
        };
        let of = |text: &str| RawEvent::parse(room, text).is_some_and(|event| event.task == task);
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

/// Whether the id of the message still leads to the task, and the task is old enough that its history can have ended. Otherwise Redis forgot the
/// answer, and the task is queued again.
async fn is_old(shared: &Shared, ask: &ReplayAsk, task: u64) -> bool {
    let id = ask.client_message_id.as_deref().unwrap_or_default();
    let key = intake::key(ask.conn.user, route::id(&ask.conn.room), id);
    let mut commands = redis::pipe();
    commands.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
    let known: Result<(Option<Vec<u8>>, i64), _> = shared.links.tasks.pipe(&commands).await;
    let Ok((Some(known), left_ms)) = known else {
        return false;
    };
    let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
    let age = shared.config.chat.remember_ids.saturating_sub(left);
    let leads = known.starts_with(wire::task_id(task).as_bytes());
    let config = &shared.config;
    leads && age >= config.defects.history_expiry(config.queue.history_expiry)
}

/// The next entries of a history.
async fn fetch(
    shared: &Shared,
    room: &str,
    after: StreamId,
) -> Result<Vec<(StreamId, String)>, LinkError> {
    if shared.config.redis.channel_layer == ChannelKind::Memory {
        return Ok(Vec::new());
    }
    let mut command = redis::cmd("XRANGE");
    command.arg(room).arg(format!("({after}")).arg("+");
    command.arg("COUNT").arg(PART);
    let entries: Vec<Entry> = shared.links.channel.run(&command).await?;
    // What is no event stays: the length says whether there is more.
    let event = |entry: &Entry| Some((entry.0.parse().ok()?, text(entry).unwrap_or("").to_owned()));
    Ok(entries.iter().filter_map(event).collect())
}
