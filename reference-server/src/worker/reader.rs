//! Reads new tasks over a connection of its own: a blocking read would hold up every other command.

use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;

use super::{Entry, GROUP, Job, STREAM};
use crate::shared::Shared;
use crate::store;

const READ_AT_ONCE: usize = 64;
const BLOCK_MS: u64 = 1000;
const BACKOFF_MS: u64 = 100;

/// Streams with their entries; nil where nothing came.
type Read = Option<Vec<(String, Vec<Entry>)>>;

/// Reads until the shutdown.
pub(super) async fn read(shared: &Shared, name: &str, found: mpsc::Sender<Job>) {
    let errors = shared.metrics.redis_errors.with_label_values(&["reader"]);
    loop {
        // A read that is dropped here may have taken tasks: they stay pending and are taken over.
        let outcome = tokio::select! {
            outcome = session(shared, name, &found) => outcome,
            () = shared.stopping.cancelled() => return,
        };
        if let Err(error) = outcome {
            errors.inc();
            tracing::debug!(%error, "reader away");
        }
        tokio::time::sleep(Duration::from_millis(store::jittered(BACKOFF_MS))).await;
    }
}

async fn session(shared: &Shared, name: &str, found: &mpsc::Sender<Job>) -> redis::RedisResult<()> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(store::CONNECT_TIMEOUT))
        .set_response_timeout(Some(
            Duration::from_millis(BLOCK_MS) + shared.config.redis.redis_timeout,
        ));
    let mut connection = store::connect(&shared.config.tasks, &config).await?;
    create_group(&mut connection).await?;
    let mut command = redis::cmd("XREADGROUP");
    command
        .arg("GROUP")
        .arg(GROUP)
        .arg(name)
        .arg("COUNT")
        .arg(READ_AT_ONCE);
    command
        .arg("BLOCK")
        .arg(BLOCK_MS)
        .arg("STREAMS")
        .arg(STREAM)
        .arg(">");
    loop {
        let read: redis::RedisResult<Read> = command.query_async(&mut connection).await;
        let read = match read {
            // Redis came back empty.
            Err(error) if error.code() == Some("NOGROUP") => {
                create_group(&mut connection).await?;
                continue;
            }
            read => read?,
        };
        for job in read
            .into_iter()
            .flatten()
            .flat_map(|(_, entries)| entries)
            .filter_map(Job::read)
        {
            if found.send(job).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn create_group(connection: &mut MultiplexedConnection) -> redis::RedisResult<()> {
    let mut command = redis::cmd("XGROUP");
    command
        .arg("CREATE")
        .arg(STREAM)
        .arg(GROUP)
        .arg("0")
        .arg("MKSTREAM");
    let made: redis::RedisResult<()> = command.query_async(connection).await;
    match made {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        made => made,
    }
}
