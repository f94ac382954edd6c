//! A chat of others stays closed to who is no participant (row 20).

use super::crew::Crew;
use super::door::{Door, Entry};
use super::{Missed, Outcome, PATIENCE, Turn};
use crate::known::Known;
use crate::scenario::trial::Participation;

pub(super) async fn run(crew: &mut Crew, _: Turn<'_>, _: Participation) -> Result<Outcome, Missed> {
    let token = crew.token(0).await?;
    let others = crew.chat() - 1;
    let door = Door::with_token(0, &format!("/ws/chats/{others}/"), &token.secret);
    Ok(match crew.enter(&door, PATIENCE).await {
        Entry::In(talk) => {
            talk.close();
            let what = format!("a user of another chat was let into chat {others}");
            Outcome::Broke(Known::NotAParticipant, what)
        }
        entry if entry.is_refusal() => Outcome::Held,
        _ => Outcome::Unclear("participation was not judged"),
    })
}
