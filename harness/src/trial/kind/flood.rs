//! Of many messages at once some are refused, or the socket is closed (row 21).

use crate::client::talk::Heard;
use crate::client::wire::{ServerFrame, chat_message};
use crate::known::Known;
use crate::scenario::trial::Flood;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};

const MESSAGE_CHARS: u32 = 20;
/// Messages that a client may send at once, and each second.
const BURST: u64 = 50;
const RATE_PER_S: u32 = 10;
/// The server closes on who goes on flooding.
const TOO_MANY: u16 = 4429;

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    Flood { messages }: Flood,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let begun_us = client.clock().now_us();
    for _ in 0..messages {
        let id = client.new_message_id();
        talk.say(chat_message(MESSAGE_CHARS, &id))?;
    }
    let mut queued = 0;
    let outcome = loop {
        if queued == messages {
            // What a client may send in that time (wire contract, "Defaults").
            let seconds = (client.clock().now_us() - begun_us) / 1_000_000 + 1;
            let allowed = BURST + u64::from(RATE_PER_S) * seconds;
            if u64::from(messages) <= allowed || !client.is_calm() {
                break Outcome::Inconclusive("they were taken in more time than a flood has");
            }
            let what = format!("{messages} messages at once were all taken");
            break Outcome::Broke(Known::NoRateLimit, what);
        }
        match talk.hear(ANSWER_TIMEOUT, is_answer).await {
            Heard::Frame(text) => match ServerFrame::parse(&text) {
                Ok(ServerFrame::TaskQueued { .. }) => queued += 1,
                Ok(ServerFrame::Error(error)) if error.code == "rate_limited" => {
                    break Outcome::Held;
                }
                _ => break Outcome::Inconclusive("refused for another reason"),
            },
            Heard::Closed(TOO_MANY) => break Outcome::Held,
            Heard::Violated(_) => break Outcome::Inconclusive(BROKE_PROTOCOL),
            Heard::Closed(_) | Heard::Cut | Heard::Nothing => {
                break Outcome::Inconclusive("not all were answered");
            }
        }
    };
    talk.close();
    Ok(outcome)
}

fn is_answer(frame: &ServerFrame<'_>) -> bool {
    matches!(
        frame,
        ServerFrame::TaskQueued { .. } | ServerFrame::Error(_)
    )
}
