//! The consumer group: made where it is missing, and kept free of workers that are gone.

use redis::aio::MultiplexedConnection;

use super::Context;
use crate::store::queue::{GROUP, STREAM};
use crate::store::{LinkError, script};

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

/// Strikes this worker off, if it has nothing left, and those that were killed long ago.
pub(super) async fn leave(context: &Context) {
    let keys = [STREAM];
    let gone_ms = GONE_MS.to_string();
    let arguments = [GROUP, &context.name, &gone_ms];
    let struck: Result<u64, LinkError> = context
        .tasks
        .script(&script::LEAVE, &keys, &arguments)
        .await;
    match struck {
        Ok(struck) => tracing::debug!(struck, "left the group"),
        Err(error) => tracing::debug!(%error, "still in the group"),
    }
}
