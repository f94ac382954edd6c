//! Takes over tasks whose worker is gone.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Context;
use super::job::{Entry, Job};
use crate::clock;
use crate::store::LinkError;
use crate::store::queue::{GROUP, STREAM};

const CLAIM_AT_ONCE: usize = 200;

/// The scan's answer: where to go on, what was claimed, what was deleted meanwhile.
type Claimed = (String, Vec<Entry>, Vec<String>);

/// Scans until the shutdown, a third as long apart as a task must have been abandoned.
pub(super) async fn claim(context: &Context, found: mpsc::Sender<Job>) {
    let pause = (context.work.take_over_after / 3).min(Duration::from_secs(1));
    loop {
        // What a dropped scan took stays pending under this name and is claimed by the next one.
        let outcome = tokio::select! {
            outcome = turn(context, pause, &found) => outcome,
            () = context.stopping.cancelled() => return,
        };
        match outcome {
            Ok(()) | Err(LinkError::Away(_)) => {}
            // The reader makes the group.
            Err(error) if error.code() == Some("NOGROUP") => {}
            Err(error) => tracing::debug!(%error, "nothing taken over"),
        }
    }
}

/// Waits, then scans. After an outage everybody's tasks look abandoned: whoever lives has the pause
/// to say so.
async fn turn(
    context: &Context,
    pause: Duration,
    found: &mpsc::Sender<Job>,
) -> Result<(), LinkError> {
    tokio::time::sleep(pause).await;
    if context.capacity.is_closed() {
        scan(context, found).await
    } else {
        Ok(())
    }
}

async fn scan(context: &Context, found: &mpsc::Sender<Job>) -> Result<(), LinkError> {
    let idle_ms = clock::millis(context.work.take_over_after);
    let mut cursor = "0-0".to_owned();
    loop {
        let places = context.capacity.places(CLAIM_AT_ONCE).await;
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(STREAM).arg(GROUP).arg(&context.name);
        command.arg(idle_ms).arg(&cursor);
        command.arg("COUNT").arg(places.count());
        let (next, entries, _deleted): Claimed = context.tasks.run(&command).await?;
        let Ok((claimed, others)) = places.fill(entries, found).await else {
            return Ok(());
        };
        context.counts.taken_over.inc_by(claimed as u64);
        context.discard(&others).await?;
        if next == "0-0" {
            return context.measure().await;
        }
        cursor = next;
    }
}
