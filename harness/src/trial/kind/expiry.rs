//! Who holds a socket when the access token ends is warned before, and closed with a code (row 23).

use std::time::Duration;

use crate::client::talk::Heard;
use crate::client::wire::ServerFrame;
use crate::known::Known;
use crate::plan::Credential;
use crate::scenario::trial::Expiry;
use crate::trial::client::TestClient;
use crate::trial::experiment::{BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::request::ConnectRequest;

/// The end may come this much later than the token's.
const SLACK: Duration = Duration::from_secs(5);
/// The server goes away, or cannot go on.
const GOING: [u16; 3] = [1001, 1011, 1013];

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    Expiry { ttl_us }: Expiry,
) -> Result<Outcome, Inconclusive> {
    let asked_us = client.clock().now_us();
    let access = client.login(0).await?.secret;
    let request = ConnectRequest {
        credential: Credential::QueryToken,
        ..ConnectRequest::with_token(0, &client.new_conversation(), &access)
    };
    let mut talk = client.join_with(&request).await?;
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
    let early = client.clock().now_us() - asked_us < ttl_us / 10 * 8;
    Ok(match end {
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Closed(_) | Heard::Cut if early => Outcome::Inconclusive("the socket ended before"),
        _ if client.is_disturbed() => Outcome::Inconclusive("the network was disturbed"),
        Heard::Closed(code) if GOING.contains(&code) => {
            Outcome::Inconclusive("the server went away")
        }
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
            Outcome::Inconclusive("the socket outlived its access token")
        }
    })
}
