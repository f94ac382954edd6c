//! A token that let somebody in is tried again, beside the first socket: it lets nobody in (row 2).

use super::crew::Crew;
use super::door::{Door, Entry};
use super::{Missed, Outcome, PATIENCE, Turn};
use crate::known::Known;
use crate::scenario::trial::TokenReuse;

pub(super) async fn run(crew: &mut Crew, _: Turn<'_>, _: TokenReuse) -> Result<Outcome, Missed> {
    let path = crew.new_conversation();
    let token = crew.token(0).await?;
    let door = Door::with_token(0, &path, &token.secret);
    let first = crew.join_with(&door).await?;
    let second = crew.enter(&door, PATIENCE).await;
    first.close();
    Ok(match second {
        Entry::In(talk) => {
            talk.close();
            let what = "a token that had let a socket in let a second one in".to_owned();
            Outcome::Broke(Known::TokenReusable, what)
        }
        entry if entry.is_refusal() => Outcome::Held,
        _ => Outcome::Unclear("the second attempt was not judged"),
    })
}
