//! Who comes back to a chat of people asks for what it missed: it gets all of that, and nothing twice
//! (rows 14 and 15).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, people_message, resume};
use crate::known::Known;
use crate::scenario::trial::Resume;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::people::{client_id, post, until};

/// The one who leaves, and the one who goes on writing.
const READER: usize = 0;
const WRITER: usize = 1;
/// After the last message that was expected, how long one that was not is waited for.
const QUIET: Duration = Duration::from_millis(300);

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    Resume { messages }: Resume,
) -> Result<Outcome, Inconclusive> {
    let path = format!("/ws/chats/{}/", client.chat());
    let mut reader = client.join(READER, &path).await?;
    let mut writer = client.join(WRITER, &path).await?;
    let first = client.new_message_id();
    post(&mut writer, &first).await?;
    let last_seen = until(&mut reader, &first).await?;
    reader.close();
    client.note("the reader is away");
    let mut missed = Vec::new();
    for _ in 0..messages {
        let id = client.new_message_id();
        post(&mut writer, &id).await?;
        missed.push(id);
    }
    writer.close();
    let mut back = client.join(READER, &path).await?;
    // One that is live before the replay: a careless replay repeats it. What was missed may come with it, live,
    // and must not come again then.
    let live = client.new_message_id();
    let message = people_message("hello", &live);
    back.say(message)?;
    let mut heard = BTreeMap::new();
    while !heard.contains_key(&live) {
        let Heard::Frame(text) = back.hear(ANSWER_TIMEOUT, is_about_chat).await else {
            return Err(Inconclusive("a message did not come back"));
        };
        count(&mut heard, &text)?;
    }
    // What came before the replay was asked for is no replay.
    heard.remove(&first);
    back.say(resume(&last_seen))?;
    listen(&mut back, &missed, &mut heard).await?;
    back.close();
    let again = |id: &str| *heard.get(id).unwrap_or(&0);
    let repeated = again(&first) > 0 || again(&live) > 1 || missed.iter().any(|id| again(id) > 1);
    let lost = missed.iter().filter(|id| again(id) == 0).count();
    Ok(if repeated {
        let what = "a replay repeated messages that had been seen".to_owned();
        Outcome::Broke(Known::DuplicateOnResume, what)
    } else if lost == 0 {
        Outcome::Held
    } else if client.is_calm() {
        let what = format!(
            "{lost} of {messages} messages that were sent to a member who was away never came"
        );
        Outcome::Broke(Known::LostWhileAway, what)
    } else {
        Outcome::Inconclusive("a fault was in force meanwhile")
    })
}

/// Hears what comes until all that was missed did, and a little longer; how often each message came. What
/// comes twice is enough to know.
async fn listen(
    talk: &mut Talk,
    missed: &[String],
    heard: &mut BTreeMap<String, u32>,
) -> Result<(), Inconclusive> {
    while heard.values().all(|&times| times == 1) {
        let all = missed.iter().all(|id| heard.contains_key(id));
        let patience = if all { QUIET } else { ANSWER_TIMEOUT };
        match talk.hear(patience, is_about_chat).await {
            Heard::Nothing => return Ok(()),
            Heard::Closed(_) | Heard::Cut | Heard::Violated(_) => {
                return Err(Inconclusive("the socket ended"));
            }
            Heard::Frame(text) => count(heard, &text)?,
        }
    }
    Ok(())
}

/// Counts a message by its id of the client.
fn count(heard: &mut BTreeMap<String, u32>, text: &str) -> Result<(), Inconclusive> {
    match ServerFrame::parse(text) {
        Ok(ServerFrame::Error(_)) => Err(Inconclusive("the replay was refused")),
        Ok(frame) => {
            if let Some(id) = client_id(&frame) {
                *heard.entry(id.to_owned()).or_insert(0) += 1;
            }
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

fn is_about_chat(frame: &ServerFrame<'_>) -> bool {
    matches!(frame, ServerFrame::Message { .. } | ServerFrame::Error(_))
}
