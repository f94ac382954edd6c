//! Reads new tasks over a connection of its own: a blocking read would hold up every other command.

use std::time::{Duration, Instant};

use redis::AsyncConnectionConfig;
use tokio::sync::mpsc;

use super::job::{Entry, Job};
use super::{Context, group};
use crate::store;
use crate::store::Gap;
use crate::store::queue::{GROUP, STREAM};

const READ_AT_ONCE: usize = 64;
const BLOCK_MS: u64 = 1000;
const BACKOFF_MS: u64 = 100;

/// Streams with their entries; nil where nothing came.
type Read = Option<Vec<(String, Vec<Entry>)>>;

/// Reads until the shutdown.
pub(super) async fn read(context: &Context, found: mpsc::Sender<Job>) {
    loop {
        // A read that is dropped here may have taken tasks: they stay pending and are taken over.
        let outcome = tokio::select! {
            outcome = session(context, &found) => outcome,
            () = context.stopping.cancelled() => return,
        };
        if let Err(error) = outcome {
            context.counts.reader_errors.inc();
            tracing::debug!(%error, "reader away");
        }
        tokio::time::sleep(Duration::from_millis(store::jittered(BACKOFF_MS))).await;
    }
}

async fn session(context: &Context, found: &mpsc::Sender<Job>) -> redis::RedisResult<()> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(store::CONNECT_TIMEOUT))
        .set_response_timeout(Some(
            Duration::from_millis(BLOCK_MS) + context.redis_timeout,
        ));
    let mut connection = store::connect(&context.tasks_at, &config).await?;
    group::create(&mut connection).await?;
    let mut gap = Gap::none();
    loop {
        let places = context.capacity.places(READ_AT_ONCE).await;
        gap.over().await;
        gap.begin(Instant::now());
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&context.name);
        command.arg("COUNT").arg(places.count());
        command.arg("BLOCK").arg(BLOCK_MS);
        command.arg("STREAMS").arg(STREAM).arg(">");
        let read: redis::RedisResult<Read> = command.query_async(&mut connection).await;
        let read = match read {
            // Redis came back empty.
            Err(error) if error.code() == Some("NOGROUP") => {
                group::create(&mut connection).await?;
                continue;
            }
            read => read?,
        };
        let entries = read.into_iter().flatten().flat_map(|(_, entries)| entries);
        let Ok((_, others)) = places.fill(entries.collect(), found).await else {
            return Ok(());
        };
        if let Err(error) = context.discard(&others).await {
            tracing::debug!(%error, "what is no task stays until it is claimed");
        }
    }
}
