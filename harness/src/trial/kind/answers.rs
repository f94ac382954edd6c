//! A token request and a connect are answered in time, whatever is broken behind the server (rows 7 and 8).

use std::time::Duration;

use crate::client::http::Answer;
use crate::known::Known;
use crate::scenario::trial::{Answers, Situation};
use crate::trial::client::TestClient;
use crate::trial::experiment::{BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::request::ConnectOutcome;

/// Opens nothing; a server has to look it up all the same.
const MADE_UP: &str = "harness-trial-made-up-token-harness-trial-y";

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    Answers { within_us }: Answers,
) -> Result<Outcome, Inconclusive> {
    let within = Duration::from_micros(within_us);
    let path = client.new_conversation();
    let request = if client.has_tokens() {
        let (answer, ..) = client.ask_token(0, within).await?;
        if matches!(answer, Answer::None) && !client.is_disturbed() {
            let what = format!("a token request was not answered within {within:?}");
            return Ok(Outcome::Broke(Known::TokenEndpointHang, what));
        }
        let secret = client.token_in(&answer);
        client.made_up(0, &path, secret.as_deref().unwrap_or(MADE_UP))
    } else {
        client.key(0, &path).await?
    };
    let entry = client.enter(&request, within).await;
    if !client.is_calm() {
        iteration.record.add_met(Situation::UnderFault.text(), 1);
    }
    Ok(match entry {
        ConnectOutcome::In(talk) => {
            talk.close();
            Outcome::Held
        }
        ConnectOutcome::Out(_) | ConnectOutcome::Status(_) | ConnectOutcome::Denied(_) => {
            Outcome::Held
        }
        ConnectOutcome::Silent if !client.is_disturbed() => {
            let what = format!("a connect was neither let in nor refused within {within:?}");
            Outcome::Broke(Known::ConnectHang, what)
        }
        ConnectOutcome::Broke(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        ConnectOutcome::Silent | ConnectOutcome::Cut | ConnectOutcome::Unreachable => {
            Outcome::Inconclusive("no answer")
        }
    })
}
