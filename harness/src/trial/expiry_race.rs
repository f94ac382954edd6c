//! Connects at the moment at which the access token ends: in or out, but never cut without a word (rows 6
//! and 23).
//!
//! Every other connect shows the access token itself, the others a connection token that was fetched with it
//! shortly before. Who is let in at the last moment is closed with a code when the server notices.

use std::time::Duration;

use super::crew::Crew;
use super::door::{Door, Entry};
use super::{BROKE_PROTOCOL, Missed, Outcome, PATIENCE, Turn};
use crate::client::talk::{Heard, Talk};
use crate::known::Known;
use crate::plan::Credential;
use crate::scenario::trial::{ExpiryRace, Situation};

/// A connection token is fetched so long before the end of the access token.
const TOKEN_AHEAD_US: u64 = 300_000;
/// A socket that was let in may outlive the token by this much.
const SLACK: Duration = Duration::from_secs(5);

pub(super) async fn run(
    crew: &mut Crew,
    turn: Turn<'_>,
    ExpiryRace { spread_us, .. }: ExpiryRace,
) -> Result<Outcome, Missed> {
    let access = crew.login(0).await?;
    let ends_us = access
        .ends_us
        .ok_or(Missed("the login does not say when its token ends"))?;
    let at_us = (ends_us + turn.chance.below(spread_us * 2)).saturating_sub(spread_us);
    let path = crew.new_conversation();
    let door = if turn.number.is_multiple_of(2) {
        Door {
            credential: Credential::QueryToken,
            ..Door::with_token(0, &path, &access.secret)
        }
    } else {
        let ahead_us = ends_us.saturating_sub(TOKEN_AHEAD_US);
        tokio::time::sleep(crew.clock().until(ahead_us)).await;
        Door::with_token(0, &path, &crew.token(0).await?.secret)
    };
    crew.note("waits until the access token ends");
    tokio::time::sleep(crew.clock().until(at_us)).await;
    let presented_us = crew.clock().now_us();
    let entry = crew.enter(&door, PATIENCE).await;
    let judged_us = crew.clock().now_us();
    if presented_us <= ends_us && ends_us <= judged_us {
        turn.record.add_met(Situation::EndedMidway.text(), 1);
    }
    Ok(match entry {
        Entry::In(talk) => until_closed(crew, *talk, ends_us).await,
        entry if entry.is_refusal() && judged_us < ends_us => {
            Outcome::Unclear("the access token was refused before its end")
        }
        entry if entry.is_refusal() => Outcome::Held,
        Entry::Out(_) | Entry::Status(_) => Outcome::Unclear("refused for another reason"),
        Entry::Cut if !crew.is_disturbed() => {
            let what = "a connect at the end of the access token was cut without a word: a browser sees 1006";
            Outcome::Broke(Known::Silent1006, what.to_owned())
        }
        Entry::Broke(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Entry::Cut | Entry::Silent | Entry::Unreachable => Outcome::Unclear("no answer"),
    })
}

/// It was let in before the end, or hardly after it.
async fn until_closed(crew: &Crew, mut talk: Talk, ends_us: u64) -> Outcome {
    let patience = crew.clock().until(ends_us) + SLACK;
    match talk.hear(patience, |_| false).await {
        Heard::Closed(_) => Outcome::Held,
        Heard::Cut if !crew.is_disturbed() => {
            let what = "a socket that was let in as its access token ended was cut without a code";
            Outcome::Broke(Known::JwtExpiryCut, what.to_owned())
        }
        Heard::Violated(_) => Outcome::Unclear(BROKE_PROTOCOL),
        Heard::Cut => Outcome::Unclear("the network was disturbed"),
        Heard::Frame(_) | Heard::Nothing => {
            talk.close();
            Outcome::Unclear("the socket outlived its access token")
        }
    }
}
