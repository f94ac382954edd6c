//! Who asks for tokens without end is told to wait (row 21).

use crate::client::http::Answer;
use crate::known::Known;
use crate::scenario::trial::TokenHoard;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};

/// Tokens that a user may ask for at once, and each second (wire contract, "Defaults").
const BURST: u64 = 50;
const RATE_PER_S: u64 = 10;

pub(super) async fn run(
    client: &mut TestClient,
    _: Iteration<'_>,
    TokenHoard { tokens }: TokenHoard,
) -> Result<Outcome, Inconclusive> {
    let begun_us = client.clock().now_us();
    for _ in 0..tokens {
        let (answer, ..) = client.ask_token(0, ANSWER_TIMEOUT).await?;
        match answer {
            Answer::Status {
                status: 200 | 201, ..
            } => {}
            Answer::Status { status: 429, .. } => return Ok(Outcome::Held),
            Answer::Status { .. } | Answer::None | Answer::Broken(_) => {
                return Ok(Outcome::Inconclusive("refused for another reason"));
            }
        }
    }
    let seconds = (client.clock().now_us() - begun_us) / 1_000_000 + 1;
    if u64::from(tokens) <= BURST + RATE_PER_S * seconds || !client.is_calm() {
        return Ok(Outcome::Inconclusive(
            "they were given in more time than a hoarder takes",
        ));
    }
    let what = format!("{tokens} tokens were given to one account one after the other");
    Ok(Outcome::Broke(Known::NoRateLimit, what))
}
