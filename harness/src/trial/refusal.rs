//! A made-up token is refused, and with a word: a close code or a status, not a bare 1006 (row 6).

use super::crew::Crew;
use super::door::Entry;
use super::{BROKE_PROTOCOL, Missed, Outcome, PATIENCE, Turn};
use crate::known::Known;
use crate::scenario::trial::Refusal;

/// 43 characters, as a real one has.
const MADE_UP: &str = "harness-trial-made-up-token-harness-trial-x";

pub(super) async fn run(crew: &mut Crew, _: Turn<'_>, _: Refusal) -> Result<Outcome, Missed> {
    let path = crew.new_conversation();
    let door = crew.made_up(0, &path, MADE_UP);
    let entry = crew.enter(&door, PATIENCE).await;
    let broke = |what: &str| Outcome::Broke(Known::Silent1006, what.to_owned());
    Ok(match entry {
        Entry::Out(_) | Entry::Status(_) => Outcome::Held,
        Entry::In(talk) => {
            talk.close();
            broke("a made-up token was let in")
        }
        Entry::Cut if !crew.is_disturbed() => {
            broke("a made-up token was refused by cutting the connection: a browser sees 1006")
        }
        Entry::Broke(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Entry::Cut | Entry::Silent | Entry::Unreachable => Outcome::Unclear("no answer"),
    })
}
