//! What a worker works with, and what it does to the queue beside reading it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::capacity::Capacity;
use super::counts::Counts;
use super::job::Entry;
use crate::args::WorkArgs;
use crate::channel::Channel;
use crate::defect::Defects;
use crate::host::SlowCpu;
use crate::store::queue::{GROUP, STREAM};
use crate::store::{Database, Link, LinkError};

/// Bytes of an entry that is no task, as logged.
const SHOWN_BYTES: usize = 120;

/// What the parts of one worker share.
pub(crate) struct Context {
    /// Its name in the group.
    pub(crate) name: String,
    /// Flags about the answers.
    pub(crate) work: WorkArgs,
    /// The queue, for a connection that may block.
    pub(crate) tasks_at: Database,
    /// Longest wait for one Redis command.
    pub(crate) redis_timeout: Duration,
    /// How much slower it is on purpose.
    pub(crate) slow_cpu: SlowCpu,
    /// What is wrong on purpose.
    pub(crate) defects: Defects,
    /// Commands to the queue.
    pub(crate) tasks: Arc<Link>,
    /// Events to the sockets.
    pub(crate) channel: Arc<Channel>,
    /// The counters.
    pub(crate) counts: Counts,
    /// What may be taken from the queue now.
    pub(crate) capacity: Capacity,
    /// The shutdown has begun.
    pub(crate) stopping: CancellationToken,
    /// The shutdown is over: what is still running ends at once.
    pub(crate) ended: CancellationToken,
}

impl Context {
    /// Takes entries that are no tasks out of the queue, or every worker would claim them for ever.
    pub(super) async fn discard(&self, entries: &[Entry]) -> Result<(), LinkError> {
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        self.remove(&ids).await?;
        for (id, fields) in entries {
            // One without fields was deleted by somebody else.
            if let Some(fields) = fields {
                self.counts.discarded.inc();
                let bytes: Vec<u8> = fields.join(&b' ').into_iter().take(SHOWN_BYTES).collect();
                let text = String::from_utf8_lossy(&bytes);
                tracing::warn!(id, ?text, "no task: taken out of the queue");
            }
        }
        Ok(())
    }

    /// Takes entries out of the group and out of the queue, and looks how long that is.
    pub(super) async fn remove(&self, ids: &[impl redis::ToRedisArgs]) -> Result<(), LinkError> {
        let mut commands = redis::pipe();
        let ack = commands.cmd("XACK").arg(STREAM).arg(GROUP).arg(ids);
        ack.ignore();
        commands.cmd("XDEL").arg(STREAM).arg(ids).ignore();
        commands.cmd("XLEN").arg(STREAM);
        let (depth,): (i64,) = self.tasks.pipe(&commands).await?;
        self.counts.queue_depth.set(depth);
        Ok(())
    }

    /// Looks how long the queue is.
    pub(super) async fn measure(&self) -> Result<(), LinkError> {
        let depth = self.tasks.run(redis::cmd("XLEN").arg(STREAM)).await?;
        self.counts.queue_depth.set(depth);
        Ok(())
    }

    /// The circuit opened or closed.
    pub(super) fn set_closed(&self, closed: bool) {
        self.counts.circuit_open.set(i64::from(!closed));
        if !closed {
            self.counts.circuit_opened.inc();
        }
        self.capacity.closed.send_replace(closed);
    }
}
