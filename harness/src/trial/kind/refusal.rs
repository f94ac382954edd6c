//! A made-up token is refused, and with a word: a close code or a status, not a bare 1006 (row 6).

use crate::known::Known;
use crate::scenario::trial::Refusal;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::request::ConnectOutcome;

/// 43 characters, as a real one has.
const MADE_UP: &str = "harness-trial-made-up-token-harness-trial-x";

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    _: Refusal,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let request = client.made_up(0, &path, MADE_UP);
    let entry = client.enter(&request, ANSWER_TIMEOUT).await;
    let broke = |what: &str| Outcome::Broke(Known::Silent1006, what.to_owned());
    Ok(match entry {
        ConnectOutcome::Out(_) | ConnectOutcome::Status(_) | ConnectOutcome::Denied(_) => {
            Outcome::Held
        }
        ConnectOutcome::In(talk) => {
            talk.close();
            broke("a made-up token was let in")
        }
        ConnectOutcome::Cut if !client.is_disturbed() => {
            broke("a made-up token was refused by cutting the connection: a browser sees 1006")
        }
        ConnectOutcome::Broke(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        ConnectOutcome::Cut | ConnectOutcome::Silent | ConnectOutcome::Unreachable => {
            Outcome::Inconclusive("no answer")
        }
    })
}
