//! Reads histories for the sockets that asked for what they missed.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::subscriber::Entry;
use crate::args::ChannelKind;
use crate::room::{Fetched, ReplayAsk};
use crate::shared::Shared;
use crate::store::LinkError;
use crate::stream_id::StreamId;

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
            return;
        }
    }
    shared.rooms.abandon(&ask);
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
