//! Who holds a socket when the access token ends is warned before, and closed with a code (row 23).

use std::time::Duration;

use super::crew::Crew;
use super::door::Door;
use super::{BROKE_PROTOCOL, Missed, Outcome, Turn};
use crate::client::talk::Heard;
use crate::client::wire::ServerFrame;
use crate::known::Known;
use crate::plan::Credential;
use crate::scenario::trial::Expiry;

/// The end may come this much later than the token's.
const SLACK: Duration = Duration::from_secs(5);
/// The server goes away, or cannot go on.
const GOING: [u16; 3] = [1001, 1011, 1013];

pub(super) async fn run(
    crew: &mut Crew,
    _: Turn<'_>,
    Expiry { ttl_us }: Expiry,
) -> Result<Outcome, Missed> {
    let asked_us = crew.clock().now_us();
    let access = crew.login(0).await?.secret;
    let door = Door {
        credential: Credential::QueryToken,
        ..Door::with_token(0, &crew.new_conversation(), &access)
    };
    let mut talk = crew.join_with(&door).await?;
    let patience = Duration::from_micros(ttl_us) + SLACK;
    let warning = |frame: &ServerFrame<'_>| matches!(frame, ServerFrame::TokenExpiringSoon);
    let heard = talk.hear(patience, warning).await;
    let broke = |what: &str| Outcome::Broke(Known::JwtExpiryCut, what.to_owned());
    let warned = matches!(heard, Heard::Frame(_));
    let end = if warned {
        talk.hear(patience, |_| false).await
    } else {
        heard
    };
    // Long before its end a token is not the reason.
    let early = crew.clock().now_us() - asked_us < ttl_us / 10 * 8;
    Ok(match end {
        Heard::Violated(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Heard::Closed(_) | Heard::Cut if early => Outcome::Unclear("the socket ended before"),
        _ if crew.is_disturbed() => Outcome::Unclear("the network was disturbed"),
        Heard::Closed(code) if GOING.contains(&code) => Outcome::Unclear("the server went away"),
        Heard::Closed(_) if warned => Outcome::Held,
        Heard::Closed(code) => broke(&format!(
            "the socket was closed with {code} when the access token ended, without a warning"
        )),
        Heard::Cut if warned => {
            broke("the socket was cut without a code when the access token ended")
        }
        Heard::Cut => {
            broke("the socket was cut, without warning or code, when the access token ended")
        }
        Heard::Frame(_) | Heard::Nothing => {
            talk.close();
            Outcome::Unclear("the socket outlived its access token")
        }
    })
}
