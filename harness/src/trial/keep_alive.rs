//! A socket that says nothing hears a ping of the server, so that no middlebox forgets it (row 9).

use std::time::Duration;

use super::crew::Crew;
use super::{BROKE_PROTOCOL, Missed, Outcome, Turn};
use crate::client::talk::Heard;
use crate::known::Known;
use crate::scenario::trial::KeepAlive;

pub(super) async fn run(
    crew: &mut Crew,
    _: Turn<'_>,
    KeepAlive { within_us }: KeepAlive,
) -> Result<Outcome, Missed> {
    let within = Duration::from_micros(within_us);
    let path = crew.new_conversation();
    let mut talk = crew.join(0, &path).await?;
    let heard = talk.hear_ping(within).await;
    Ok(match heard {
        Heard::Frame(_) => {
            talk.close();
            Outcome::Held
        }
        Heard::Nothing if !crew.is_disturbed() => {
            talk.close();
            let what = format!("an idle socket heard no ping of the server in {within:?}");
            Outcome::Broke(Known::NoServerPing, what)
        }
        Heard::Violated(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Heard::Nothing | Heard::Closed(_) | Heard::Cut => {
            Outcome::Unclear("the socket ended first")
        }
    })
}
