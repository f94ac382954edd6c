//! A page of another site gets no socket, whoever is logged in (row 19).

use crate::known::Known;
use crate::scenario::trial::Origin;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

/// A site that no server of a chat is configured for.
const ELSEWHERE: &str = "https://elsewhere.invalid";

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    _: Origin,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let request = ConnectRequest {
        origin: Some(ELSEWHERE),
        ..client.key(0, &path).await?
    };
    client.note(&format!("connects as a page of {ELSEWHERE}"));
    Ok(match client.enter(&request, ANSWER_TIMEOUT).await {
        ConnectOutcome::In(talk) => {
            talk.close();
            let what = format!("a page of {ELSEWHERE} was let in");
            Outcome::Broke(Known::OriginUnchecked, what)
        }
        entry if entry.is_refusal() => {
            // It was the origin: without it the same account is let in.
            client.join(0, &path).await?.close();
            Outcome::Held
        }
        _ => Outcome::Inconclusive("the origin was not judged"),
    })
}
