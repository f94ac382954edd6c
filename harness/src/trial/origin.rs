//! A page of another site gets no socket, whoever is logged in (row 19).

use super::crew::Crew;
use super::door::{Door, Entry};
use super::{Missed, Outcome, PATIENCE, Turn};
use crate::known::Known;
use crate::scenario::trial::Origin;

/// A site that no server of a chat is configured for.
const ELSEWHERE: &str = "https://elsewhere.invalid";

pub(super) async fn run(crew: &mut Crew, _: Turn<'_>, _: Origin) -> Result<Outcome, Missed> {
    let path = crew.new_conversation();
    let door = Door {
        origin: Some(ELSEWHERE),
        ..crew.key(0, &path).await?
    };
    crew.note(&format!("connects as a page of {ELSEWHERE}"));
    Ok(match crew.enter(&door, PATIENCE).await {
        Entry::In(talk) => {
            talk.close();
            let what = format!("a page of {ELSEWHERE} was let in");
            Outcome::Broke(Known::OriginUnchecked, what)
        }
        entry if entry.is_refusal() => {
            // It was the origin: without it the same account is let in.
            crew.join(0, &path).await?.close();
            Outcome::Held
        }
        _ => Outcome::Unclear("the origin was not judged"),
    })
}
