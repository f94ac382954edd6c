//! `{"type":"ping"}` is answered by `pong`, and is no message (row 10).

use super::crew::Crew;
use super::{BROKE_PROTOCOL, Missed, Outcome, PATIENCE, Turn};
use crate::client::dialect;
use crate::client::talk::Heard;
use crate::client::wire::ServerFrame;
use crate::known::Known;
use crate::scenario::trial::Heartbeat;

pub(super) async fn run(crew: &mut Crew, _: Turn<'_>, _: Heartbeat) -> Result<Outcome, Missed> {
    let path = crew.new_conversation();
    let mut talk = crew.join(0, &path).await?;
    let heartbeat = dialect::heartbeat(crew.dialect()).ok_or(Missed("there is no heartbeat"))?;
    talk.say(heartbeat.to_owned())?;
    // In a room that several share, what is said there is not about this socket.
    let alone = crew.dialect().is_none();
    let heard = talk.hear(PATIENCE, |frame| is_answer(frame, alone)).await;
    let broke = |what: &str| Outcome::Broke(Known::PingAsChat, what.to_owned());
    let outcome = match &heard {
        Heard::Frame(text) => match talk.parse(text) {
            Ok(ServerFrame::Pong) => Outcome::Held,
            Ok(ServerFrame::Error(error)) if error.is_passing() => {
                Outcome::Unclear("the server is busy or away")
            }
            Ok(ServerFrame::Error(error)) => broke(&format!(
                "a heartbeat was answered by the error `{}`",
                error.code
            )),
            _ => broke("a heartbeat was taken for a chat message"),
        },
        Heard::Closed(1001 | 1013 | 4001 | 4401) => Outcome::Unclear("closed for another reason"),
        Heard::Closed(code) if crew.is_calm() => {
            broke(&format!("a heartbeat was answered by closing with {code}"))
        }
        Heard::Cut if crew.is_calm() => broke("a heartbeat ended the connection"),
        Heard::Nothing if crew.is_calm() => broke("a heartbeat was not answered"),
        Heard::Violated(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Heard::Closed(_) | Heard::Cut | Heard::Nothing => {
            Outcome::Unclear("not answered while a fault was in force")
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
