//! Every refusal ends with the close code that the contract has for it, never with a bare 1006 (row 6).
//!
//! One refusal after the other: a token that was made up, one that is spent, a chat of others, a page of another site, a
//! binary frame, text that is no UTF-8, a frame over the limit. A server that refuses in the handshake
//! answers the first four by 401 or 403 instead. That something behind the server is away is told by codes of its own
//! (1011, 1013), and is no answer to the question.

use crate::client::socket::Data;
use crate::client::talk::Heard;
use crate::known::Known;
use crate::scenario::trial::CloseCode;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

/// 43 characters, as a real one has.
const MADE_UP: &str = "harness-trial-made-up-token-harness-trial-x";
const ELSEWHERE: &str = "https://elsewhere.example";
/// More than a frame may have (wire contract, "Operations").
const FRAME_BYTES: usize = 70_000;
/// The server cannot do its work, or has no place left.
const BUSY: [u16; 2] = [1011, 1013];

/// A way to be refused.
#[derive(Clone, Copy)]
enum Refusal {
    MadeUpToken,
    SpentToken,
    ChatOfOthers,
    OtherSite,
    BinaryFrame,
    NoUtf8,
    LongFrame,
}

const REFUSALS: [Refusal; 7] = [
    Refusal::MadeUpToken,
    Refusal::SpentToken,
    Refusal::ChatOfOthers,
    Refusal::OtherSite,
    Refusal::BinaryFrame,
    Refusal::NoUtf8,
    Refusal::LongFrame,
];

impl Refusal {
    /// What it is, the code of the contract, and its status where the handshake is refused.
    const fn told(self) -> (&'static str, u16, Option<u16>) {
        match self {
            Self::MadeUpToken => ("a made-up token", 4001, Some(401)),
            Self::SpentToken => ("a spent token", 4001, Some(401)),
            Self::ChatOfOthers => ("a chat of others", 4003, Some(403)),
            Self::OtherSite => ("a page of another site", 4003, Some(403)),
            Self::BinaryFrame => ("a binary frame", 1003, None),
            Self::NoUtf8 => ("text that is no UTF-8", 1007, None),
            Self::LongFrame => ("a frame over the limit", 1009, None),
        }
    }
}

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    _: CloseCode,
) -> Result<Outcome, Inconclusive> {
    let place = usize::try_from(iteration.number).unwrap_or(0) % REFUSALS.len();
    let refusal = REFUSALS[place];
    match refusal {
        Refusal::MadeUpToken | Refusal::SpentToken | Refusal::ChatOfOthers | Refusal::OtherSite => {
            let request = request(client, refusal).await?;
            let outcome = client.enter(&request, ANSWER_TIMEOUT).await;
            Ok(of_connect(client, refusal, outcome))
        }
        Refusal::BinaryFrame => frame(client, refusal, (Data::Binary, vec![0, 1, 2])).await,
        Refusal::NoUtf8 => frame(client, refusal, (Data::Text, vec![0x22, 0xC3, 0x28])).await,
        Refusal::LongFrame => frame(client, refusal, (Data::Text, vec![b'x'; FRAME_BYTES])).await,
    }
}

/// A connect that must be refused.
async fn request(
    client: &mut TestClient,
    refusal: Refusal,
) -> Result<ConnectRequest, Inconclusive> {
    let path = client.new_conversation();
    if matches!(refusal, Refusal::MadeUpToken) {
        return Ok(client.made_up(0, &path, MADE_UP));
    }
    let token = client.token(0).await?;
    let others = format!("/ws/chats/{}/", client.chat() - 1);
    let is_elsewhere = matches!(refusal, Refusal::ChatOfOthers);
    let path = if is_elsewhere { &others } else { &path };
    let mut request = ConnectRequest::with_token(0, path, &token.secret);
    if matches!(refusal, Refusal::OtherSite) {
        request.origin = Some(ELSEWHERE);
    }
    if matches!(refusal, Refusal::SpentToken) {
        client.join_with(&request).await?.close();
    }
    Ok(request)
}

fn of_connect(client: &TestClient, refusal: Refusal, outcome: ConnectOutcome) -> Outcome {
    let (what, _, expected) = refusal.told();
    match outcome {
        ConnectOutcome::Out(code) => of_code(refusal, code, client.is_calm()),
        ConnectOutcome::Status(status) if Some(status) == expected => Outcome::Held,
        // A limit, or something behind the server, in the handshake.
        ConnectOutcome::Status(429 | 503) => Outcome::Inconclusive("the server was busy"),
        ConnectOutcome::Status(status) => broke(format!(
            "{what} was refused with status {status}{}",
            instead(expected)
        )),
        ConnectOutcome::In(talk) => {
            talk.close();
            // Who is let in that must not be, is another trial's.
            Outcome::Inconclusive("not refused")
        }
        ConnectOutcome::Cut => of_cut(client, what),
        ConnectOutcome::Broke(_) | ConnectOutcome::Denied(_) => {
            Outcome::Inconclusive(BROKE_PROTOCOL)
        }
        ConnectOutcome::Silent | ConnectOutcome::Unreachable => Outcome::Inconclusive("no answer"),
    }
}

/// Sends what closes a socket.
async fn frame(
    client: &mut TestClient,
    refusal: Refusal,
    data: (Data, Vec<u8>),
) -> Result<Outcome, Inconclusive> {
    let (what, ..) = refusal.told();
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    talk.say_bytes(what, data)?;
    Ok(match talk.hear(ANSWER_TIMEOUT, |_| false).await {
        Heard::Closed(code) => of_code(refusal, code, client.is_calm()),
        Heard::Cut => of_cut(client, what),
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Frame(_) | Heard::Nothing => Outcome::Inconclusive("no answer"),
    })
}

fn of_code(refusal: Refusal, code: u16, is_calm: bool) -> Outcome {
    let (what, expected, _) = refusal.told();
    if code == expected {
        return Outcome::Held;
    }
    if BUSY.contains(&code) || !is_calm {
        return Outcome::Inconclusive("the server was busy");
    }
    broke(format!(
        "{what} was closed with {code}{}",
        instead(Some(expected))
    ))
}

fn of_cut(client: &TestClient, what: &str) -> Outcome {
    if client.is_disturbed() {
        return Outcome::Inconclusive("no answer");
    }
    broke(format!("{what} was answered by a cut: a browser sees 1006"))
}

fn instead(expected: Option<u16>) -> String {
    expected.map_or_else(String::new, |code| format!(" instead of {code}"))
}

fn broke(what: String) -> Outcome {
    Outcome::Broke(Known::Silent1006, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_the_contract_will_do_and_a_busy_server_is_no_answer() {
        let of = |code, is_calm| of_code(Refusal::SpentToken, code, is_calm);
        assert!(matches!(of(4001, false), Outcome::Held));
        for code in [1000, 1008, 4003, 4401] {
            assert!(matches!(
                of(code, true),
                Outcome::Broke(Known::Silent1006, _)
            ));
            assert!(matches!(of(code, false), Outcome::Inconclusive(_)));
        }
        for code in BUSY {
            assert!(matches!(of(code, true), Outcome::Inconclusive(_)));
        }
    }
}
