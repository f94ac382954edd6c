//! A socket that does not read is not kept everything for: it loses frames, or is closed with 1013 (row 17).

use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, chat_message};
use crate::known::Known;
use crate::scenario::trial::SlowReader;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::ConnectRequest;

const MESSAGE_CHARS: u32 = 20;
/// What the kernel keeps for the slow reader: little.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;
/// Less than this any server may keep (wire contract, "Defaults": an outbox, a send buffer).
const ENOUGH_BYTES: usize = 512 * 1024;
/// The same where something stands between, whose kernel keeps some too, on both of its sides.
const ENOUGH_BYTES_BETWEEN: usize = 32 * 1024 * 1024;

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    SlowReader { messages }: SlowReader,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let token = client.token(0).await?;
    let request = ConnectRequest {
        receive_buffer_bytes: Some(RECEIVE_BUFFER_BYTES),
        ..ConnectRequest::with_token(0, &path, &token.secret)
    };
    let mut slow = client.join_with(&request).await?;
    // Another user: the socket that asks hears all the same.
    let mut asker = client.join(1, &path).await?;
    for _ in 0..messages {
        let id = client.new_message_id();
        let message = chat_message(MESSAGE_CHARS, &id);
        asker.say(message)?;
    }
    let asked = completes(&mut asker, messages).await;
    asker.close();
    if asked.completes < messages {
        return Ok(Outcome::Inconclusive("not all messages were answered"));
    }
    let enough = if client.inputs().direct {
        ENOUGH_BYTES
    } else {
        ENOUGH_BYTES_BETWEEN
    };
    if asked.bytes < enough {
        return Ok(Outcome::Inconclusive(
            "too little was sent to fill an outbox",
        ));
    }
    client.note("the slow reader begins to read");
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
        let Heard::Frame(text) = talk.hear(ANSWER_TIMEOUT, |_| true).await else {
            break;
        };
        read.bytes += text.len();
        let frame = ServerFrame::parse(&text);
        read.completes += u32::from(matches!(frame, Ok(ServerFrame::Complete { .. })));
    }
    read
}
