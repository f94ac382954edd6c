//! Connects at the moment at which the access token ends: in or out, but never cut without a word (rows 6
//! and 23).
//!
//! Every other connect shows the access token itself, the others a connection token that was fetched with it
//! shortly before. Who is let in at the last moment is closed with a code when the server notices.

use std::time::Duration;

use crate::client::talk::{Heard, Talk};
use crate::known::Known;
use crate::plan::Credential;
use crate::scenario::trial::{ExpiryRace, Situation};
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, BROKE_PROTOCOL, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

/// A connection token is fetched so long before the end of the access token.
const TOKEN_AHEAD_US: u64 = 300_000;
/// A socket that was let in may outlive the token by this much.
const SLACK: Duration = Duration::from_secs(5);

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    ExpiryRace { spread_us, .. }: ExpiryRace,
) -> Result<Outcome, Inconclusive> {
    let access = client.login(0).await?;
    let ends_us = access
        .ends_us
        .ok_or(Inconclusive("the login does not say when its token ends"))?;
    let at_us = (ends_us + iteration.chance.below(spread_us * 2)).saturating_sub(spread_us);
    let path = client.new_conversation();
    let request = if iteration.number.is_multiple_of(2) {
        ConnectRequest {
            credential: Credential::QueryToken,
            ..ConnectRequest::with_token(0, &path, &access.secret)
        }
    } else {
        let ahead_us = ends_us.saturating_sub(TOKEN_AHEAD_US);
        tokio::time::sleep(client.clock().until(ahead_us)).await;
        ConnectRequest::with_token(0, &path, &client.token(0).await?.secret)
    };
    client.note("waits until the access token ends");
    tokio::time::sleep(client.clock().until(at_us)).await;
    let presented_us = client.clock().now_us();
    let entry = client.enter(&request, ANSWER_TIMEOUT).await;
    let judged_us = client.clock().now_us();
    if presented_us <= ends_us && ends_us <= judged_us {
        iteration.record.add_met(Situation::EndedMidway.text(), 1);
    }
    Ok(match entry {
        ConnectOutcome::In(talk) => until_closed(client, *talk, ends_us).await,
        entry if entry.is_refusal() && judged_us < ends_us => {
            Outcome::Inconclusive("the access token was refused before its end")
        }
        entry if entry.is_refusal() => Outcome::Held,
        ConnectOutcome::Out(_) | ConnectOutcome::Status(_) | ConnectOutcome::Denied(_) => {
            Outcome::Inconclusive("refused for another reason")
        }
        ConnectOutcome::Cut if !client.is_disturbed() => {
            let what = "a connect at the end of the access token was cut without a word: a browser sees 1006";
            Outcome::Broke(Known::Silent1006, what.to_owned())
        }
        ConnectOutcome::Broke(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        ConnectOutcome::Cut | ConnectOutcome::Silent | ConnectOutcome::Unreachable => {
            Outcome::Inconclusive("no answer")
        }
    })
}

/// It was let in before the end, or hardly after it.
async fn until_closed(client: &TestClient, mut talk: Talk, ends_us: u64) -> Outcome {
    let patience = client.clock().until(ends_us) + SLACK;
    match talk.hear(patience, |_| false).await {
        Heard::Closed(_) => Outcome::Held,
        Heard::Cut if !client.is_disturbed() => {
            let what = "a socket that was let in as its access token ended was cut without a code";
            Outcome::Broke(Known::JwtExpiryCut, what.to_owned())
        }
        Heard::Violated(_) => Outcome::Inconclusive(BROKE_PROTOCOL),
        Heard::Cut => Outcome::Inconclusive("the network was disturbed"),
        Heard::Frame(_) | Heard::Nothing => {
            talk.close();
            Outcome::Inconclusive("the socket outlived its access token")
        }
    }
}
