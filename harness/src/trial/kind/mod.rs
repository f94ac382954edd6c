//! Every kind of experiment.

mod answers;
mod broadcast;
mod close_code;
mod comeback;
mod expiry;
mod expiry_race;
mod flood;
mod heartbeat;
mod hostile;
mod keep_alive;
mod origin;
mod oversize;
mod participation;
mod polling;
mod refusal;
mod reply_lost;
mod resume;
mod retry;
mod slow_reader;
mod token_age;
mod token_hoard;
mod token_log;
mod token_race;
mod token_reuse;

use super::client::TestClient;
use super::experiment::{Inconclusive, Iteration, Outcome};
use crate::plan::TrialKind;

macro_rules! experiments {
    ($($file:ident: $name:ident,)*) => {
        /// One experiment of a kind.
        pub(super) async fn run(client: &mut TestClient, kind: TrialKind, iteration: Iteration<'_>) -> Result<Outcome, Inconclusive> {
            match kind {
                $( TrialKind::$name(kind) => $file::run(client, iteration, kind).await, )*
            }
        }
    };
}

experiments! {
    token_race: TokenRace,
    token_reuse: TokenReuse,
    reply_lost: ReplyLost,
    token_age: TokenAge,
    token_log: TokenLog,
    refusal: Refusal,
    origin: Origin,
    participation: Participation,
    flood: Flood,
    token_hoard: TokenHoard,
    hostile: Hostile,
    oversize: Oversize,
    heartbeat: Heartbeat,
    retry: Retry,
    expiry: Expiry,
    expiry_race: ExpiryRace,
    answers: Answers,
    keep_alive: KeepAlive,
    broadcast: Broadcast,
    resume: Resume,
    polling: Polling,
    close_code: CloseCode,
    comeback: Comeback,
    slow_reader: SlowReader,
}
