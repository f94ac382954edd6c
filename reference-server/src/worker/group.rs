//! The consumer group: made where it is missing, and kept free of workers that are gone.

use redis::aio::MultiplexedConnection;

use super::{Desk, GROUP, STREAM};
use crate::store::{Link, LinkError, script};

/// A worker without tasks is struck off after so long without a sign of life, in ms.
const GONE_MS: u64 = 3_600_000;

/// Makes the group, with everything that is in the queue already.
pub(super) async fn create(connection: &mut MultiplexedConnection) -> redis::RedisResult<()> {
    let mut command = redis::cmd("XGROUP");
    command.arg("CREATE").arg(STREAM).arg(GROUP);
    command.arg("0").arg("MKSTREAM");
    let made: redis::RedisResult<()> = command.query_async(connection).await;
    match made {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        made => made,
    }
}

/// Whether the queue can be added to and, where a worker is to read it, read: its key is a stream with the group, or absent until
/// somebody makes it.
pub(crate) async fn stands(link: &Link, is_read: bool) -> bool {
    if is_read {
        let mut command = redis::cmd("XPENDING");
        command.arg(STREAM).arg(GROUP);
        return link.run::<redis::Value>(&command).await.is_ok();
    }
    let kind: Result<String, LinkError> = link.run(redis::cmd("TYPE").arg(STREAM)).await;
    kind.is_ok_and(|kind| kind == "stream" || kind == "none")
}

/// Strikes this worker off, if it has nothing left, and those that were killed long ago.
pub(super) async fn leave(desk: &Desk) {
    let keys = [STREAM];
    let gone_ms = GONE_MS.to_string();
    let arguments = [GROUP, &desk.name, &gone_ms];
    let struck: Result<u64, LinkError> = desk.tasks.script(&script::LEAVE, &keys, &arguments).await;
    match struck {
        Ok(struck) => tracing::debug!(struck, "left the group"),
        Err(error) => tracing::debug!(%error, "still in the group"),
    }
}
