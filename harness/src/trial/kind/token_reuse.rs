//! A token that let somebody in is tried again, beside the first socket: it lets nobody in (row 2).

use crate::known::Known;
use crate::scenario::trial::TokenReuse;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    _: TokenReuse,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let token = client.token(0).await?;
    let request = ConnectRequest::with_token(0, &path, &token.secret);
    let first = client.join_with(&request).await?;
    let second = client.enter(&request, ANSWER_TIMEOUT).await;
    first.close();
    Ok(match second {
        ConnectOutcome::In(talk) => {
            talk.close();
            let what = "a token that had let a socket in let a second one in".to_owned();
            Outcome::Broke(Known::TokenReusable, what)
        }
        entry if entry.is_refusal() => Outcome::Held,
        _ => Outcome::Inconclusive("the second attempt was not judged"),
    })
}
