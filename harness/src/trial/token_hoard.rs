//! Who asks for tokens without end is told to wait (row 21).

use super::crew::Crew;
use super::{Missed, Outcome, PATIENCE, Turn};
use crate::client::http::Answer;
use crate::known::Known;
use crate::scenario::trial::TokenHoard;

/// Tokens that a user may ask for at once, and each second (wire contract, "Defaults").
const BURST: u64 = 50;
const RATE_PER_S: u64 = 10;

pub(super) async fn run(
    crew: &mut Crew,
    _: Turn<'_>,
    TokenHoard { tokens }: TokenHoard,
) -> Result<Outcome, Missed> {
    let begun_us = crew.clock().now_us();
    for _ in 0..tokens {
        let (answer, ..) = crew.ask_token(0, PATIENCE).await?;
        match answer {
            Answer::Status {
                status: 200 | 201, ..
            } => {}
            Answer::Status { status: 429, .. } => return Ok(Outcome::Held),
            Answer::Status { .. } | Answer::None | Answer::Broken(_) => {
                return Ok(Outcome::Unclear("refused for another reason"));
            }
        }
    }
    let seconds = (crew.clock().now_us() - begun_us) / 1_000_000 + 1;
    if u64::from(tokens) <= BURST + RATE_PER_S * seconds || !crew.is_calm() {
        return Ok(Outcome::Unclear(
            "they were given in more time than a hoarder takes",
        ));
    }
    let what = format!("{tokens} tokens were given to one account one after the other");
    Ok(Outcome::Broke(Known::NoRateLimit, what))
}
