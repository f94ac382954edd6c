//! Of many messages at once some are refused, or the socket is closed (row 21).
//!
//! By the contract a refusal says `rate_limited`. Elsewhere any refusal is one, after a message of the same kind that was
//! taken.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::client::talk::Heard;
use crate::client::wire::{ErrorFrame, ServerFrame, filler};
use crate::known::Known;
use crate::scenario::trial::Flood;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::message::{Taken, is_by_id, is_heard, is_word_on};

const MESSAGE_CHARS: u32 = 20;
/// Messages that a client may send at once, and each second.
const BURST: u64 = 50;
const RATE_PER_S: u32 = 10;
/// The server closes on who goes on flooding: the contract's code.
const TOO_MANY: u16 = 4429;
/// The same elsewhere: against its policy, not now, and whatever applications say.
const POLICY: u16 = 1008;
const NOT_NOW: u16 = 1013;
const OWN_CODES: RangeInclusive<u16> = 3000..=4999;

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    Flood { messages }: Flood,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let (mapped, by_id) = (client.dialect().is_some(), is_by_id(client.dialect()));
    if mapped {
        is_heard(&mut talk, client).await?;
    }
    let begun_us = client.clock().now_us();
    let mut ids = BTreeSet::new();
    for _ in 0..messages {
        let id = client.new_message_id();
        talk.write(&filler(MESSAGE_CHARS), &id)?;
        ids.insert(id);
    }
    let mut taken = Taken::default();
    let outcome = loop {
        if taken.count() >= messages {
            // What a client may send in that time (wire contract, "Defaults").
            let seconds = (client.clock().now_us() - begun_us) / 1_000_000 + 1;
            let allowed = BURST + u64::from(RATE_PER_S) * seconds;
            if u64::from(messages) <= allowed || !client.is_calm() {
                break Outcome::Inconclusive("they were taken in more time than a flood has");
            }
            let what = format!("{messages} messages at once were all taken");
            break Outcome::Broke(Known::NoRateLimit, what);
        }
        let mine = |frame: &ServerFrame<'_>| is_word_on(frame, by_id, |id| ids.contains(id));
        match talk.hear(ANSWER_TIMEOUT, mine).await {
            Heard::Frame(text) => match talk.parse(&text) {
                Ok(ServerFrame::Error(error)) if is_limit(&error, mapped) => {
                    break Outcome::Held;
                }
                Ok(ServerFrame::Error(_)) | Err(_) => {
                    break Outcome::Inconclusive("refused for another reason");
                }
                Ok(frame) => taken.hear(&frame),
            },
            Heard::Closed(code) if is_shut_out(code, mapped) => break Outcome::Held,
            Heard::Violated(_) => break Outcome::Inconclusive(BROKE_PROTOCOL),
            Heard::Closed(_) | Heard::Cut | Heard::Nothing => {
                break Outcome::Inconclusive("not all were answered");
            }
        }
    };
    talk.close();
    Ok(outcome)
}

fn is_limit(error: &ErrorFrame<'_>, mapped: bool) -> bool {
    error.code == "rate_limited" || mapped && !error.is_passing()
}

fn is_shut_out(code: u16, mapped: bool) -> bool {
    code == TOO_MANY || mapped && (matches!(code, POLICY | NOT_NOW) || OWN_CODES.contains(&code))
}
