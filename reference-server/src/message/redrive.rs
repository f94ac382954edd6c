//! Queues acknowledged tasks again whose entry is gone: Redis was killed and came back without
//! them.
//!
//! The test for the entry matters: a healthy task that is merely slow is still in the queue, and
//! queueing it again would only make it slower.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::queue::{Answer, NewTask, send};
use crate::room::Silent;
use crate::route;
use crate::route::Kind;
use crate::store::LinkError;
use crate::store::queue::STREAM;

/// Tasks looked after in one pass.
const AT_ONCE: usize = 500;

/// Looks after silent tasks until the shutdown.
pub(crate) async fn redrive(context: Arc<Context>) {
    let after = context.config.chat.redrive_after;
    let pause = (after / 8).clamp(Duration::from_millis(20), Duration::from_millis(500));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = context.stopping.cancelled() => return,
        }
        // While Redis is away every task is silent; the wait begins anew when it is back.
        if !context.health.can_take(Kind::Assistant) || !context.config.defects.drives_again() {
            continue;
        }
        let silent = context.rooms.silent(after, AT_ONCE);
        if silent.is_empty() {
            continue;
        }
        if let Err(error) = drive(&context, &silent).await {
            tracing::warn!(%error, tasks = silent.len(), "silent tasks not looked after");
        }
    }
}

async fn drive(context: &Context, silent: &[Silent]) -> Result<(), LinkError> {
    let mut commands = redis::pipe();
    for task in silent {
        let entry = task.entry.to_string();
        commands.cmd("XRANGE").arg(STREAM).arg(&entry).arg(&entry);
    }
    let found: Vec<Vec<redis::Value>> = context.health.links.tasks.pipe(&commands).await?;
    let gone: Vec<&Silent> = silent
        .iter()
        .zip(found)
        .filter(|(_, entry)| entry.is_empty())
        .map(|(task, _)| task)
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        tasks = gone.len(),
        "acknowledged tasks are gone from the queue; queued again"
    );
    let (known, forgotten): (Vec<&Silent>, Vec<&Silent>) =
        gone.into_iter().partition(|task| task.text.is_some());
    for task in forgotten {
        context.rooms.given_up(task);
    }
    let tasks: Vec<NewTask<'_>> = known.iter().filter_map(|task| again(task)).collect();
    if tasks.is_empty() {
        return Ok(());
    }
    let answers = send(context, &tasks).await?;
    for (task, answer) in known.iter().zip(answers) {
        if let Some(Answer::Queued(entry)) = Answer::parse(&answer) {
            context.rooms.redriven(task, entry);
        }
    }
    Ok(())
}

fn again(task: &Silent) -> Option<NewTask<'_>> {
    Some(NewTask {
        number: task.task,
        conversation: route::id(&task.room),
        text: task.text.as_deref()?,
        user: task.user,
        client_message_id: task.client_message_id.as_deref(),
        again: true,
    })
}
