//! A connect whose answer never arrives: the network goes away between the server's yes and the client (row 2).
//!
//! Only the server knows whether it had spent the token. The client tries it again: where it was spent it stays
//! spent, and a fresh token is the way back; where it was not, it opens this socket and no other.
//!
//! The wait before the client hangs up is drawn anew each time, from none to about what an answer takes: where
//! one arrived, the next waits are shorter.

use std::time::Duration;

use super::crew::Crew;
use super::door::{Door, Entry};
use super::{Missed, Outcome, PATIENCE, Turn};
use crate::known::Known;
use crate::scenario::trial::ReplyLost;

/// Longest wait before the client hangs up: it is awake all the while.
const WAIT_US_MAX: u64 = 1_000;
const WAIT_US_MIN: u64 = 50;

pub(super) async fn run(crew: &mut Crew, turn: Turn<'_>, _: ReplyLost) -> Result<Outcome, Missed> {
    let path = crew.new_conversation();
    let token = crew.token(0).await?;
    let door = Door::with_token(0, &path, &token.secret);
    let most_us = turn.kept.hang_up_us.unwrap_or(WAIT_US_MAX);
    let wait_us = turn.chance.below(most_us);
    if crew
        .ask_and_hang_up(&door, Duration::from_micros(wait_us))
        .await?
    {
        turn.kept.hang_up_us = Some(wait_us.max(WAIT_US_MIN));
        return Ok(Outcome::Unclear("the answer arrived"));
    }
    turn.kept.hang_up_us = Some((most_us + most_us / 8).min(WAIT_US_MAX));
    match crew.enter(&door, PATIENCE).await {
        Entry::In(talk) => {
            talk.close();
            once_more(crew, &door).await
        }
        entry if entry.is_refusal() => {
            turn.record
                .add_met("tokens spent on an answer that never arrived", 1);
            crew.join(0, &path).await?.close();
            Ok(Outcome::Held)
        }
        _ => Ok(Outcome::Unclear("the token was not judged")),
    }
}

/// It opened a socket now, and so it must open no other.
async fn once_more(crew: &mut Crew, door: &Door) -> Result<Outcome, Missed> {
    Ok(match crew.enter(door, PATIENCE).await {
        Entry::In(talk) => {
            talk.close();
            let what = "a token let in twice after a connect whose answer was lost".to_owned();
            Outcome::Broke(Known::TokenReusable, what)
        }
        _ => Outcome::Unclear("the server had not spent the token"),
    })
}
