//! Takes over tasks whose worker is gone.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Entry, GROUP, Job, STREAM};
use crate::clock;
use crate::shared::Shared;
use crate::store::LinkError;

const CLAIM_AT_ONCE: usize = 200;

/// The scan's answer: where to go on, what was claimed, what was deleted meanwhile.
type Claimed = (String, Vec<Entry>, Vec<String>);

/// Scans until the shutdown, a third as long apart as a task must have been abandoned.
pub(super) async fn claim(shared: &Shared, name: &str, found: mpsc::Sender<Job>) {
    let pause = (shared.config.chat.take_over_after / 3).min(Duration::from_secs(1));
    loop {
        // What a dropped scan took stays pending under this name and is claimed by the next one.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.stopping.cancelled() => return,
        }
        match scan(shared, name, &found).await {
            Ok(()) | Err(LinkError::Away(_)) => {}
            // The reader makes the group.
            Err(error) if error.code() == Some("NOGROUP") => {}
            Err(error) => tracing::debug!(%error, "nothing taken over"),
        }
    }
}

async fn scan(shared: &Shared, name: &str, found: &mpsc::Sender<Job>) -> Result<(), LinkError> {
    let idle_ms = clock::millis(shared.config.chat.take_over_after);
    let mut cursor = "0-0".to_owned();
    loop {
        let mut command = redis::cmd("XAUTOCLAIM");
        command
            .arg(STREAM)
            .arg(GROUP)
            .arg(name)
            .arg(idle_ms)
            .arg(&cursor);
        command.arg("COUNT").arg(CLAIM_AT_ONCE);
        let (next, entries, _deleted): Claimed = shared.links.tasks.run(&command).await?;
        for job in entries.into_iter().filter_map(Job::read) {
            shared.metrics.taken_over.inc();
            if found.send(job).await.is_err() {
                return Ok(());
            }
        }
        if next == "0-0" || shared.stopping.is_cancelled() {
            return Ok(());
        }
        cursor = next;
    }
}
