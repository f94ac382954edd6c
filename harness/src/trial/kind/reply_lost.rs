//! A connect whose answer never arrives: the network goes away between the server's yes and the client (row 2).
//!
//! Only the server knows whether it had spent the token. The client tries it again: where it was spent it stays
//! spent, and a fresh token is the way back; where it was not, it opens this socket and no other.
//!
//! How long a server takes to spend a token, and how much longer to answer, differs by machine and way. So the wait
//! before the client hangs up is drawn from a [`Window`], which each outcome moves.

use std::time::Duration;

use crate::known::Known;
use crate::plan::seed::Stream;
use crate::scenario::trial::ReplyLost;
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

/// Longest wait before the client hangs up.
const WAIT_US_MAX: u64 = 1_000_000;
const WAIT_US_MIN: u64 = 50;

/// Where the moment is looked for at which the token is spent and the answer not yet here, in microseconds.
#[derive(Debug)]
struct Window {
    least: u64,
    most: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            least: 0,
            most: 1_000,
        }
    }
}

impl Window {
    fn draw(&self, chance: &mut Stream) -> u64 {
        self.least + chance.below(self.most - self.least)
    }

    /// The answer was here already: later is no use.
    fn answered(&mut self, wait_us: u64) {
        self.most = wait_us.max(WAIT_US_MIN);
        self.least = self.least.min(self.most / 4 * 3);
    }

    /// The token was not spent yet: earlier is no use.
    fn unspent(&mut self, wait_us: u64) {
        self.least = wait_us.min(WAIT_US_MAX / 2);
        if self.most < self.least / 3 * 4 + WAIT_US_MIN {
            self.most = (4 * self.least).min(WAIT_US_MAX);
        }
    }
}

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    _: ReplyLost,
) -> Result<Outcome, Inconclusive> {
    let path = client.new_conversation();
    let token = client.token(0).await?;
    let request = ConnectRequest::with_token(0, &path, &token.secret);
    let window = iteration.state.of::<Window>()?;
    let wait_us = window.draw(iteration.chance);
    if client
        .ask_and_hang_up(&request, Duration::from_micros(wait_us))
        .await?
    {
        window.answered(wait_us);
        return Ok(Outcome::Inconclusive("the answer arrived"));
    }
    match client.enter(&request, ANSWER_TIMEOUT).await {
        ConnectOutcome::In(talk) => {
            talk.close();
            window.unspent(wait_us);
            once_more(client, &request).await
        }
        entry if entry.is_refusal() => {
            iteration
                .record
                .add_met("tokens spent on an answer that never arrived", 1);
            client.join(0, &path).await?.close();
            Ok(Outcome::Held)
        }
        _ => Ok(Outcome::Inconclusive("the token was not judged")),
    }
}

/// It opened a socket now, and so it must open no other.
async fn once_more(
    client: &mut TestClient,
    request: &ConnectRequest,
) -> Result<Outcome, Inconclusive> {
    Ok(match client.enter(request, ANSWER_TIMEOUT).await {
        ConnectOutcome::In(talk) => {
            talk.close();
            let what = "a token let in twice after a connect whose answer was lost".to_owned();
            Outcome::Broke(Known::TokenReusable, what)
        }
        _ => Outcome::Inconclusive("the server had not spent the token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::seed::Purpose;

    #[test]
    fn the_moment_is_found_on_servers_near_far_and_busy() {
        for (spent_us, answer_us) in [
            (100, 250),
            (2_000, 2_600),
            (9_000, 12_000),
            (80_000, 90_000),
        ] {
            let found = |seed: &u64| {
                let mut chance = Stream::new(*seed, Purpose::Trial, 0);
                let mut window = Window::default();
                (0..20).any(|_| match window.draw(&mut chance) {
                    wait_us if wait_us >= answer_us => {
                        window.answered(wait_us);
                        false
                    }
                    wait_us if wait_us < spent_us => {
                        window.unspent(wait_us);
                        false
                    }
                    _ => true,
                })
            };
            let found = (0..100).filter(found).count();
            assert!(
                found >= 85,
                "{found} of 100 at {spent_us} to {answer_us} µs"
            );
        }
    }
}
