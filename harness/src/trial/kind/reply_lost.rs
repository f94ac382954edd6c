//! A connect whose answer never arrives: the network goes away between the server's yes and the client (row 2).
//!
//! Only the server knows whether it had spent the token. The client tries it again: where it was spent it stays
//! spent, and a fresh token is the way back; where it was not, it opens this socket and no other.
//!
//! The wait before the client hangs up is drawn anew each time, from none to about what an answer takes: where
//! one arrived, the next waits are shorter.

use std::time::Duration;

use crate::known::Known;
use crate::scenario::trial::ReplyLost;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

/// Longest wait before the client hangs up: it is awake all the while.
const WAIT_US_MAX: u64 = 1_000;
const WAIT_US_MIN: u64 = 50;

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    _: ReplyLost,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let token = client.token(0).await?;
    let request = ConnectRequest::with_token(0, &path, &token.secret);
    let hang_up_us = iteration.state.of::<Option<u64>>()?;
    let most_us = hang_up_us.unwrap_or(WAIT_US_MAX);
    let wait_us = iteration.chance.below(most_us);
    if client
        .ask_and_hang_up(&request, Duration::from_micros(wait_us))
        .await?
    {
        *hang_up_us = Some(wait_us.max(WAIT_US_MIN));
        return Ok(Outcome::Inconclusive("the answer arrived"));
    }
    *hang_up_us = Some((most_us + most_us / 8).min(WAIT_US_MAX));
    match client.enter(&request, ANSWER_TIMEOUT).await {
        ConnectOutcome::In(talk) => {
            talk.close();
            once_more(client, &request).await
        }
        entry if entry.is_refusal() => {
            iteration
                .record
                .add_met("tokens spent on an answer that never arrived", 1);
            client.join(0, &path).await?.close();
            Ok(Outcome::Held)
        }
        _ => Ok(Outcome::Inconclusive("the token was not judged")),
    }
}

/// It opened a socket now, and so it must open no other.
async fn once_more(
    client: &mut TestClient,
    request: &ConnectRequest,
) -> Result<Outcome, Inconclusive> {
    Ok(match client.enter(request, ANSWER_TIMEOUT).await {
        ConnectOutcome::In(talk) => {
            talk.close();
            let what = "a token let in twice after a connect whose answer was lost".to_owned();
            Outcome::Broke(Known::TokenReusable, what)
        }
        _ => Outcome::Inconclusive("the server had not spent the token"),
    })
}
