//! A token request and a connect are answered in time, whatever is broken behind the server (rows 7 and 8).

use std::time::Duration;

use super::crew::Crew;
use super::door::Entry;
use super::{BROKE_PROTOCOL, Missed, Outcome, Turn};
use crate::client::http::Answer;
use crate::known::Known;
use crate::scenario::trial::{Answers, Situation};

/// Opens nothing; a server has to look it up all the same.
const MADE_UP: &str = "harness-trial-made-up-token-harness-trial-y";

pub(super) async fn run(
    crew: &mut Crew,
    turn: Turn<'_>,
    Answers { within_us }: Answers,
) -> Result<Outcome, Missed> {
    let within = Duration::from_micros(within_us);
    let path = crew.new_conversation();
    let door = if crew.has_tokens() {
        let (answer, ..) = crew.ask_token(0, within).await?;
        if matches!(answer, Answer::None) && !crew.is_disturbed() {
            let what = format!("a token request was not answered within {within:?}");
            return Ok(Outcome::Broke(Known::TokenEndpointHang, what));
        }
        let secret = crew.token_in(&answer);
        crew.made_up(0, &path, secret.as_deref().unwrap_or(MADE_UP))
    } else {
        crew.key(0, &path).await?
    };
    let entry = crew.enter(&door, within).await;
    if !crew.is_calm() {
        turn.record.add_met(Situation::UnderFault.text(), 1);
    }
    Ok(match entry {
        Entry::In(talk) => {
            talk.close();
            Outcome::Held
        }
        Entry::Out(_) | Entry::Status(_) => Outcome::Held,
        Entry::Silent if !crew.is_disturbed() => {
            let what = format!("a connect was neither let in nor refused within {within:?}");
            Outcome::Broke(Known::ConnectHang, what)
        }
        Entry::Broke(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Entry::Silent | Entry::Cut | Entry::Unreachable => Outcome::Unclear("no answer"),
    })
}
