//! What no client should send is answered with a word: an `error`, or a close code, never a bare cut (row 6).
//!
//! One thing after the other, a socket each: text that is no JSON, JSON of no known shape, an empty message, a binary
//! frame, text that is no UTF-8, a frame over the limit. Where the answer is an `error` the socket has to live on.
//!
//! Servers of other makes may answer it as any message, or pass over it: that says nothing.

use crate::client::dialect::has_pong;
use crate::client::socket::Data;
use crate::client::talk::{Heard, Talk};
use crate::client::template;
use crate::client::wire::ServerFrame;
use crate::known::Known;
use crate::scenario::trial::Hostile;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::message::is_word_on;

/// More than a frame may have (wire contract, "Operations").
const FRAME_BYTES: usize = 70_000;

const EMPTY: &str = "an empty message";

/// What is sent, and what that is.
type Nuisance = (&'static str, Data, fn() -> Vec<u8>);

const NUISANCES: [Nuisance; 6] = [
    ("text that is no JSON", Data::Text, || b"hello".to_vec()),
    ("JSON of no known shape", Data::Text, || {
        br#"{"type":"nonsense"}"#.to_vec()
    }),
    (EMPTY, Data::Text, || br#"{"message":""}"#.to_vec()),
    ("a binary frame", Data::Binary, || vec![0, 1, 2]),
    ("text that is no UTF-8", Data::Text, || {
        vec![0x22, 0xC3, 0x28]
    }),
    ("a frame over the limit", Data::Text, || {
        vec![b'x'; FRAME_BYTES]
    }),
];

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    _: Hostile,
) -> Result<Outcome, Inconclusive> {
    let place = usize::try_from(iteration.number).unwrap_or(0) % NUISANCES.len();
    let (what, kind, bytes) = NUISANCES[place];
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let mapped = client.dialect().is_some();
    if mapped && what == EMPTY {
        let id = client.new_message_id();
        talk.write("", &id)?;
    } else {
        talk.say_bytes(what, (kind, bytes()))?;
    }
    let is_word = |frame: &ServerFrame<'_>| match frame {
        ServerFrame::Error(_) => true,
        frame => mapped && is_word_on(frame, false, |_| false),
    };
    let heard = talk.hear(ANSWER_TIMEOUT, is_word).await;
    Ok(match heard {
        Heard::Frame(_) => lives_on(client, talk, what).await,
        Heard::Closed(_) => Outcome::Held,
        Heard::Cut if !client.is_disturbed() => cut(&format!("{what} was answered by a cut")),
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Cut | Heard::Nothing => Outcome::Inconclusive("not answered"),
    })
}

/// The socket that was told of its mistake is as good as before.
async fn lives_on(client: &TestClient, mut talk: Box<Talk>, what: &str) -> Outcome {
    let dialect = client.dialect();
    let mapped = dialect.map(|dialect| (dialect, talk.speaker().places()));
    let beat = template::heartbeat(mapped).filter(|_| has_pong(dialect));
    let Some(beat) = beat else {
        talk.close();
        return Outcome::Held;
    };
    if talk.say(beat).is_err() {
        return Outcome::Inconclusive("the socket ended");
    }
    let pong = |frame: &ServerFrame<'_>| matches!(frame, ServerFrame::Pong);
    match talk.hear(ANSWER_TIMEOUT, pong).await {
        Heard::Frame(_) => {
            talk.close();
            Outcome::Held
        }
        Heard::Closed(_) => Outcome::Held,
        Heard::Cut if !client.is_disturbed() => {
            cut(&format!("{what} was answered by an error and then a cut"))
        }
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Cut | Heard::Nothing => Outcome::Inconclusive("not answered after the error"),
    }
}

fn cut(what: &str) -> Outcome {
    let what = format!("{what} without a code: a browser sees 1006");
    Outcome::Broke(Known::Silent1006, what)
}
