//! Takes over tasks whose worker is gone.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Desk, Entry, GROUP, Job, STREAM};
use crate::clock;
use crate::store::LinkError;

const CLAIM_AT_ONCE: usize = 200;

/// The scan's answer: where to go on, what was claimed, what was deleted meanwhile.
type Claimed = (String, Vec<Entry>, Vec<String>);

/// Scans until the shutdown, a third as long apart as a task must have been abandoned.
pub(super) async fn claim(desk: &Desk, found: mpsc::Sender<Job>) {
    let pause = (desk.work.take_over_after / 3).min(Duration::from_secs(1));
    loop {
        // What a dropped scan took stays pending under this name and is claimed by the next one.
        let outcome = tokio::select! {
            outcome = turn(desk, pause, &found) => outcome,
            () = desk.stopping.cancelled() => return,
        };
        match outcome {
            Ok(()) | Err(LinkError::Away(_)) => {}
            // The reader makes the group.
            Err(error) if error.code() == Some("NOGROUP") => {}
            Err(error) => tracing::debug!(%error, "nothing taken over"),
        }
    }
}

/// Waits, then scans. After an outage everybody's tasks look abandoned: whoever lives has the pause to say so.
async fn turn(desk: &Desk, pause: Duration, found: &mpsc::Sender<Job>) -> Result<(), LinkError> {
    tokio::time::sleep(pause).await;
    if desk.is_closed() {
        scan(desk, found).await
    } else {
        Ok(())
    }
}

async fn scan(desk: &Desk, found: &mpsc::Sender<Job>) -> Result<(), LinkError> {
    let idle_ms = clock::millis(desk.work.take_over_after);
    let mut cursor = "0-0".to_owned();
    loop {
        let places = desk.places(CLAIM_AT_ONCE).await;
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(STREAM).arg(GROUP).arg(&desk.name);
        command.arg(idle_ms).arg(&cursor);
        command.arg("COUNT").arg(places.count());
        let (next, entries, _deleted): Claimed = desk.tasks.run(&command).await?;
        let Ok((claimed, others)) = places.fill(entries, found).await else {
            return Ok(());
        };
        desk.counts.taken_over.inc_by(claimed as u64);
        desk.discard(&others).await?;
        if next == "0-0" {
            return desk.measure().await;
        }
        cursor = next;
    }
}
