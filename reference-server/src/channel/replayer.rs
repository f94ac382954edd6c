//! Reads histories for the sockets that asked for what they missed.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::subscriber::Entry;
use crate::args::ChannelKind;
use crate::room::{Fetched, RawEvent, ReplayAsk, What};
use crate::shared::Shared;
use crate::store::LinkError;
use crate::stream_id::StreamId;
use crate::worker::STREAM;

/// Replays under way at once.
const AT_ONCE: usize = 32;
/// Times a replay may find that the conversation went on meanwhile.
const ROUNDS: u32 = 8;

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
    let mut progress = ask.what.start();
    for _ in 0..ROUNDS {
        let target = shared.rooms.delivered(&ask.conn.room).unwrap_or_default();
        let part = match fetch(shared, &ask.conn.room, progress.read).await {
            Ok(part) => part,
            Err(error) => {
                tracing::debug!(%error, "history not read");
                break;
            }
        };
        if shared.rooms.replayed(&ask, &part, (target, &mut progress)) {
            if let What::Task(task, entry) = ask.what
                && progress.is_without(task)
                && is_gone(shared, &ask.conn.room, (task, entry)).await
            {
                shared.rooms.gone(&ask, task);
            }
            return;
        }
    }
    shared.rooms.abandon(&ask);
}

/// Whether neither the queue nor the history knows of a task; asked in this order, as it moves from the one to the other.
async fn is_gone(shared: &Shared, room: &str, (task, entry): (u64, StreamId)) -> bool {
    let (mut command, entry) = (redis::cmd("XRANGE"), entry.to_string());
    command.arg(STREAM).arg(&entry).arg(&entry);
    let queued: Result<Vec<redis::Value>, _> = shared.links.tasks.run(&command).await;
    if !queued.is_ok_and(|found| found.is_empty()) {
        return false;
    }
    let history = fetch(shared, room, StreamId::default()).await;
    let of = |text: &str| RawEvent::parse(room, text).is_some_and(|event| event.task == task);
    history.is_ok_and(|history| !history.iter().any(|(_, text)| of(text)))
}

async fn fetch(shared: &Shared, room: &str, after: StreamId) -> Result<Fetched, LinkError> {
    if shared.config.redis.channel_layer == ChannelKind::Memory {
        return Ok(Vec::new());
    }
    let mut command = redis::cmd("XRANGE");
    command.arg(room).arg(format!("({after}")).arg("+");
    let entries: Vec<Entry> = shared.links.channel.run(&command).await?;
    let entry = |(id, mut fields): Entry| {
        let id = id.parse().ok()?;
        (fields.len() > 1).then(|| (id, fields.swap_remove(1)))
    };
    Ok(entries.into_iter().filter_map(entry).collect())
}
