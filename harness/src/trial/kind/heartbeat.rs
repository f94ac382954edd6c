//! `{"type":"ping"}` is answered by `pong`, and is no message (row 10).

use crate::client::talk::Heard;
use crate::client::template::heartbeat;
use crate::client::wire::ServerFrame;
use crate::known::Known;
use crate::scenario::trial::Heartbeat;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    _: Heartbeat,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let mapped = client
        .dialect()
        .map(|dialect| (dialect, talk.speaker().places()));
    let heartbeat = heartbeat(mapped).ok_or(Inconclusive("there is no heartbeat"))?;
    talk.say(heartbeat)?;
    // In a room that several share, what is said there is not about this socket.
    let alone = client.dialect().is_none();
    let heard = talk
        .hear(ANSWER_TIMEOUT, |frame| is_answer(frame, alone))
        .await;
    let broke = |what: &str| Outcome::Broke(Known::PingAsChat, what.to_owned());
    let outcome = match &heard {
        Heard::Frame(text) => match talk.parse(text) {
            Ok(ServerFrame::Pong) => Outcome::Held,
            Ok(ServerFrame::Error(error)) if error.is_passing() => {
                Outcome::Inconclusive("the server is busy or away")
            }
            Ok(ServerFrame::Error(error)) => broke(&format!(
                "a heartbeat was answered by the error `{}`",
                error.code
            )),
            _ => broke("a heartbeat was taken for a chat message"),
        },
        Heard::Closed(1001 | 1013 | 4001 | 4401) => {
            Outcome::Inconclusive("closed for another reason")
        }
        Heard::Closed(code) if client.is_calm() => {
            broke(&format!("a heartbeat was answered by closing with {code}"))
        }
        Heard::Cut if client.is_calm() => broke("a heartbeat ended the connection"),
        Heard::Nothing if client.is_calm() => broke("a heartbeat was not answered"),
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Closed(_) | Heard::Cut | Heard::Nothing => {
            Outcome::Inconclusive("not answered while a fault was in force")
        }
    };
    talk.close();
    Ok(outcome)
}

fn is_answer(frame: &ServerFrame<'_>, alone: bool) -> bool {
    match frame {
        ServerFrame::Pong | ServerFrame::Error(_) => true,
        ServerFrame::TaskQueued { .. } => alone,
        _ => false,
    }
}
