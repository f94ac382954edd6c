//! The task queue's names, for those who add to it and those who read it.

use super::{Link, LinkError};

/// The queue.
pub(crate) const STREAM: &str = "chat:tasks";
/// Its consumer group.
pub(crate) const GROUP: &str = "workers";

/// Where the id of a message is remembered. Neither a number nor a conversation has a slash: no two
/// messages share a key.
pub(crate) fn id_key(user: u64, conversation: &str, id: &str) -> String {
    format!("cmid:{user}/{conversation}/{id}")
}

/// Whether the queue can be added to and, where a worker is to read it, read: its key is a stream
/// with the group, or absent until somebody makes it.
pub(crate) async fn stands(link: &Link, is_read: bool) -> bool {
    if is_read {
        let mut command = redis::cmd("XPENDING");
        command.arg(STREAM).arg(GROUP);
        return link.run::<redis::Value>(&command).await.is_ok();
    }
    let kind: Result<String, LinkError> = link.run(redis::cmd("TYPE").arg(STREAM)).await;
    kind.is_ok_and(|kind| kind == "stream" || kind == "none")
}
