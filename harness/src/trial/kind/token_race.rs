//! Several sockets race with one token: exactly one gets in (row 1).
//!
//! All are connected first, then all ask for the upgrade, so that nothing but the server decides. The
//! number of racers goes through the powers of two up to the most.

use futures_util::future::join_all;

use crate::known::Known;
use crate::scenario::trial::TokenRace;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    TokenRace { racers: most }: TokenRace,
) -> Result<Outcome, Inconclusive> {
    let racers = racers(iteration.number, most);
    let path = client.new_conversation();
    let token = client.token(0).await?;
    let request = ConnectRequest::with_token(0, &path, &token.secret);
    let mut lines = Vec::with_capacity(usize::from(racers));
    for _ in 0..racers {
        lines.push(client.dial(&request).await?);
    }
    client.note(&format!("{racers} sockets are connected, and ask at once"));
    let names: Vec<String> = (1..=racers)
        .map(|number| format!("socket {number}"))
        .collect();
    let racing = lines
        .into_iter()
        .zip(&names)
        .map(|(line, name)| client.enter_on(line, &request, name, ANSWER_TIMEOUT));
    let entries = join_all(racing).await;
    let inside: Vec<&str> = entries
        .iter()
        .zip(&names)
        .filter(|(entry, _)| matches!(entry, ConnectOutcome::In(_)))
        .map(|(_, name)| name.as_str())
        .collect();
    let refused = entries.iter().filter(|entry| entry.is_refusal()).count();
    let judged = inside.len() + refused;
    if judged >= 2 {
        iteration
            .record
            .add_met("races of sockets that the server judged by their token", 1);
        iteration
            .record
            .add_met("sockets in such races", judged as u64);
    }
    Ok(match inside.as_slice() {
        [] => Outcome::Inconclusive("nobody was let in"),
        [_] if judged >= 2 => Outcome::Held,
        [_] => Outcome::Inconclusive("only one socket was judged"),
        [first, .., last] => {
            let count = inside.len();
            let what = format!(
                "{count} of {racers} sockets that raced with one token were let in, {first} and {last} among them"
            );
            Outcome::Broke(Known::TokenDoubleSpend, what)
        }
    })
}

/// 2, 4, 8, … up to the most, and again.
fn racers(number: u64, most: u16) -> u16 {
    let mut counts: Vec<u16> = (1..16).map(|power| 1 << power).collect();
    counts.retain(|&count| count < most);
    counts.push(most);
    let place = usize::try_from(number).unwrap_or(0) % counts.len();
    counts[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn races_are_of_every_size() {
        let sizes: Vec<u16> = (0..7).map(|number| racers(number, 64)).collect();
        assert_eq!(sizes, [2, 4, 8, 16, 32, 64, 2]);
        assert_eq!((racers(0, 2), racers(1, 2), racers(1, 3)), (2, 2, 3));
    }
}
