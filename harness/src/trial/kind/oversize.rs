//! A message over the length limit is refused (row 22).

use crate::client::talk::Heard;
use crate::client::wire::{ServerFrame, chat_message};
use crate::known::Known;
use crate::scenario::trial::Oversize;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};

/// One over the limit (wire contract, "Frames, client to server").
const TOO_LONG_CHARS: u32 = 10_001;
/// The close code of a frame that is too large.
const TOO_LARGE: u16 = 1009;

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    _: Oversize,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let id = client.new_message_id();
    talk.say(chat_message(TOO_LONG_CHARS, &id))?;
    let answer = |frame: &ServerFrame<'_>| {
        matches!(
            frame,
            ServerFrame::TaskQueued { .. } | ServerFrame::Error(_)
        )
    };
    let outcome = match talk.hear(ANSWER_TIMEOUT, answer).await {
        Heard::Frame(text) => match ServerFrame::parse(&text) {
            Ok(ServerFrame::TaskQueued { .. }) => {
                let what = format!("a message of {TOO_LONG_CHARS} characters was taken");
                Outcome::Broke(Known::OversizeAccepted, what)
            }
            Ok(ServerFrame::Error(error)) if error.is_passing() => {
                Outcome::Inconclusive("the server is busy or away")
            }
            _ => Outcome::Held,
        },
        Heard::Closed(TOO_LARGE) => Outcome::Held,
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Closed(_) | Heard::Cut | Heard::Nothing => Outcome::Inconclusive("not answered"),
    };
    talk.close();
    Ok(outcome)
}
