//! A chat of others stays closed to who is no participant (row 20).

use crate::known::Known;
use crate::scenario::trial::Participation;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    _: Participation,
) -> Result<Outcome, Inconclusive> {
    let token = client.token(0).await?;
    let others = client.chat() - 1;
    let request = ConnectRequest::with_token(0, &format!("/ws/chats/{others}/"), &token.secret);
    Ok(match client.enter(&request, ANSWER_TIMEOUT).await {
        ConnectOutcome::In(talk) => {
            talk.close();
            let what = format!("a user of another chat was let into chat {others}");
            Outcome::Broke(Known::NotAParticipant, what)
        }
        entry if entry.is_refusal() => Outcome::Held,
        _ => Outcome::Inconclusive("participation was not judged"),
    })
}
