//! A socket that does not read is not kept everything for: it loses frames, or is closed with 1013 (row 17).

use super::crew::Crew;
use super::door::Door;
use super::{Missed, Outcome, PATIENCE, Turn};
use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, chat_message};
use crate::known::Known;
use crate::scenario::trial::SlowReader;

const MESSAGE_CHARS: u32 = 20;
/// What the kernel keeps for the slow reader: little.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;
/// Less than this any server may keep (wire contract, "Defaults": an outbox, a send buffer).
const ENOUGH_BYTES: usize = 512 * 1024;
/// The same where something stands between, whose kernel keeps some too, on both of its sides.
const ENOUGH_BYTES_BETWEEN: usize = 32 * 1024 * 1024;

pub(super) async fn run(
    crew: &mut Crew,
    _: Turn<'_>,
    SlowReader { messages }: SlowReader,
) -> Result<Outcome, Missed> {
    let path = crew.new_conversation();
    let token = crew.token(0).await?;
    let door = Door {
        receive_buffer_bytes: Some(RECEIVE_BUFFER_BYTES),
        ..Door::with_token(0, &path, &token.secret)
    };
    let mut slow = crew.join_with(&door).await?;
    // Another user: the socket that asks hears all the same.
    let mut asker = crew.join(1, &path).await?;
    for _ in 0..messages {
        let id = crew.new_message_id();
        let message = chat_message(MESSAGE_CHARS, &id);
        asker.say(message)?;
    }
    let asked = completes(&mut asker, messages).await;
    asker.close();
    if asked.completes < messages {
        return Ok(Outcome::Unclear("not all messages were answered"));
    }
    let enough = if crew.ground().direct {
        ENOUGH_BYTES
    } else {
        ENOUGH_BYTES_BETWEEN
    };
    if asked.bytes < enough {
        return Ok(Outcome::Unclear("too little was sent to fill an outbox"));
    }
    crew.note("the slow reader begins to read");
    let read = completes(&mut slow, messages).await;
    slow.close();
    // What only the one who asks gets is a small part of it.
    let everything = read.bytes * 10 >= asked.bytes * 9;
    Ok(if everything {
        let kib = read.bytes / 1024;
        let what =
            format!("{kib} KiB were kept for a socket that did not read: nothing was given up");
        Outcome::Broke(Known::UnboundedOutbox, what)
    } else {
        Outcome::Held
    })
}

#[derive(Default)]
struct Read {
    completes: u32,
    bytes: usize,
}

/// Reads until so many answers are complete, or nothing comes.
async fn completes(talk: &mut Talk, most: u32) -> Read {
    let mut read = Read::default();
    while read.completes < most {
        let Heard::Frame(text) = talk.hear(PATIENCE, |_| true).await else {
            break;
        };
        read.bytes += text.len();
        let frame = ServerFrame::parse(&text);
        read.completes += u32::from(matches!(frame, Ok(ServerFrame::Complete { .. })));
    }
    read
}
