//! A message that is sent again with its id, on a new socket, is the same task (row 34): while the first is
//! being answered, and every other time when it has been.

use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, TaskId, filler};
use crate::known::Known;
use crate::scenario::trial::Retry;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::message::is_word_on;

const MESSAGE_CHARS: u32 = 20;

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    _: Retry,
) -> Result<Outcome, Inconclusive> {
    let (path, id) = (client.new_conversation(), client.new_message_id());
    let mut tasks = Vec::new();
    for attempt in 0..2 {
        let mut talk = client.join(0, &path).await?;
        tasks.push(ask(&mut talk, &id).await?);
        if attempt == 0 && iteration.number % 2 == 1 {
            let complete = |frame: &ServerFrame<'_>| matches!(frame, ServerFrame::Complete { .. });
            talk.hear(ANSWER_TIMEOUT, complete).await;
        }
        // The connection is lost; the client comes back and does not know what became of it.
        talk.close();
    }
    Ok(if tasks[0] == tasks[1] {
        Outcome::Held
    } else if client.is_calm() {
        let what = "a message sent again with its id became a second task".to_owned();
        Outcome::Broke(Known::RetryRunsTwice, what)
    } else {
        Outcome::Inconclusive("ran again after a fault")
    })
}

/// Sends the message; its task.
async fn ask(talk: &mut Talk, id: &str) -> Result<TaskId, Inconclusive> {
    talk.write(&filler(MESSAGE_CHARS), id)?;
    let answer = |frame: &ServerFrame<'_>| {
        let done = matches!(frame, ServerFrame::Complete { .. });
        !done && is_word_on(frame, true, |named| named == id)
    };
    let Heard::Frame(text) = talk.hear(ANSWER_TIMEOUT, answer).await else {
        return Err(Inconclusive("not answered"));
    };
    match talk.parse(&text) {
        Ok(ServerFrame::TaskQueued {
            task: TaskId::UNNAMED,
            ..
        }) => Err(Inconclusive("the server names no task")),
        Ok(ServerFrame::TaskQueued { task, .. }) => Ok(task),
        _ => Err(Inconclusive("the message was refused")),
    }
}
