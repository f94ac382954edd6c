//! A socket that says nothing hears a ping of the server, so that no middlebox forgets it (row 9).

use std::time::Duration;

use crate::client::talk::Heard;
use crate::known::Known;
use crate::scenario::trial::KeepAlive;
use crate::trial::client::TestClient;
use crate::trial::experiment::{BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    KeepAlive { within_us }: KeepAlive,
) -> Result<Outcome, Inconclusive> {
    let within = Duration::from_micros(within_us);
    let path = client.new_conversation();
    let mut talk = client.join(0, &path).await?;
    let heard = talk.hear_ping(within).await;
    Ok(match heard {
        Heard::Frame(_) => {
            talk.close();
            Outcome::Held
        }
        Heard::Nothing if !client.is_disturbed() => {
            talk.close();
            let what = format!("an idle socket heard no ping of the server in {within:?}");
            Outcome::Broke(Known::NoServerPing, what)
        }
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Nothing | Heard::Closed(_) | Heard::Cut => {
            Outcome::Inconclusive("the socket ended first")
        }
    })
}
