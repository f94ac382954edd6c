//! An answer can be had again, whole, by who lost the socket and comes back a little later (row 18).

use std::time::Duration;

use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, chat_message};
use crate::known::Known;
use crate::scenario::trial::Comeback;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};

const MESSAGE_CHARS: u32 = 20;
/// Joins and answers may take this long on top.
const SLACK: Duration = Duration::from_secs(12);

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    Comeback { away_us }: Comeback,
) -> Result<Outcome, Inconclusive> {
    let away = Duration::from_micros(away_us);
    let (path, id) = (client.new_conversation(), client.new_message_id());
    let mut talk = client.join(0, &path).await?;
    let Answer::Whole(chunks) = ask(&mut talk, &id).await? else {
        return Err(Inconclusive("not answered at all"));
    };
    let left_us = client.clock().now_us();
    talk.close();
    client.note(&format!("is away for {away:?}"));
    tokio::time::sleep(away).await;
    let mut back = client.join(0, &path).await?;
    let again = ask(&mut back, &id).await?;
    back.close();
    // A machine that stalls makes every absence long.
    let absent = Duration::from_micros(client.clock().now_us() - left_us);
    let too_long = absent > away + SLACK;
    let broke = |what: String| Outcome::Broke(Known::ExpiryTooShort, what);
    Ok(match again {
        Answer::Whole(again) if again == chunks => Outcome::Held,
        _ if too_long => Outcome::Inconclusive("it was away for longer than it meant"),
        _ if !client.is_calm() => Outcome::Inconclusive("a fault was in force meanwhile"),
        Answer::Whole(again) => broke(format!(
            "after {away:?} away {again} of {chunks} chunks of an answer were left"
        )),
        Answer::Lost => broke(format!("an answer of {away:?} ago is gone: `lost`")),
        Answer::Broken => broke(format!("an answer of {away:?} ago did not come again")),
    })
}

/// What came after `task_queued`.
enum Answer {
    /// So many chunks, then `complete`.
    Whole(u32),
    Lost,
    /// It stopped.
    Broken,
}

async fn ask(talk: &mut Talk, id: &str) -> Result<Answer, Inconclusive> {
    let message = chat_message(MESSAGE_CHARS, id);
    talk.say(message)?;
    let mut chunks = 0;
    loop {
        let text = match talk.hear(ANSWER_TIMEOUT, |_| true).await {
            Heard::Frame(text) => text,
            Heard::Nothing => return Ok(Answer::Broken),
            Heard::Closed(_) | Heard::Cut | Heard::Violated(_) => {
                return Err(Inconclusive("the socket ended"));
            }
        };
        match ServerFrame::parse(&text) {
            Ok(ServerFrame::Chunk { .. }) => chunks += 1,
            Ok(ServerFrame::Complete { .. }) => return Ok(Answer::Whole(chunks)),
            Ok(ServerFrame::Error(error)) if error.code == "lost" => return Ok(Answer::Lost),
            Ok(ServerFrame::Error(_)) => return Err(Inconclusive("the message was refused")),
            _ => {}
        }
    }
}
