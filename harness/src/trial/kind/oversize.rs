//! A message over the length limit is refused (row 22).

use crate::client::talk::Heard;
use crate::client::wire::{ServerFrame, filler};
use crate::known::Known;
use crate::scenario::trial::Oversize;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::message::{is_by_id, is_heard, is_word_on};

/// The close codes of a frame that is too large, and of one against the server's policy.
const TOO_LARGE: u16 = 1009;
const POLICY: u16 = 1008;

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    Oversize { characters }: Oversize,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let (mapped, by_id) = (client.dialect().is_some(), is_by_id(client.dialect()));
    if mapped {
        is_heard(&mut talk, client).await?;
    }
    let id = client.new_message_id();
    talk.write(&filler(characters), &id)?;
    let answer = |frame: &ServerFrame<'_>| is_word_on(frame, by_id, |named| named == id);
    let outcome = match talk.hear(ANSWER_TIMEOUT, answer).await {
        Heard::Frame(text) => match talk.parse(&text) {
            Ok(ServerFrame::Error(error)) if error.is_passing() => {
                Outcome::Inconclusive("the server is busy or away")
            }
            Ok(ServerFrame::Error(_)) | Err(_) => Outcome::Held,
            Ok(_) => {
                let what = format!("a message of {characters} characters was taken");
                Outcome::Broke(Known::OversizeAccepted, what)
            }
        },
        Heard::Closed(TOO_LARGE) => Outcome::Held,
        Heard::Closed(POLICY) if mapped => Outcome::Held,
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Closed(_) | Heard::Cut | Heard::Nothing => Outcome::Inconclusive("not answered"),
    };
    talk.close();
    Ok(outcome)
}
