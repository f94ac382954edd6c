//! A token of any age around its time to live: it lets in before, and not after (rows 3 and 4).
//!
//! A token was made between its request and its answer, and is judged between the upgrade and its answer:
//! so its age is known to lie between two bounds, and only an age that is beyond doubt decides. One in
//! eight is tried at twice the time to live, where a clock that drifts cannot be the reason.
//!
//! **Units:** microseconds.

use std::time::Duration;

use crate::known::Known;
use crate::record::trial::AGE_BINS;
use crate::scenario::trial::{Situation, TokenAge};
use crate::trial::client::TestClient;
use crate::trial::experiment::{ANSWER_TIMEOUT, Inconclusive, Iteration, Outcome};
use crate::trial::request::{ConnectOutcome, ConnectRequest};

/// A server may be off by this share before it counts.
const TOLERANCE_RATIO: f64 = 0.01;
/// Past this many times the time to live no drift explains it.
const IMMORTAL_RATIO: f64 = 1.5;
/// One in so many is tried at twice the time to live.
const OLD_ONE_IN: u64 = 8;

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    TokenAge { ttl_us, spread_us }: TokenAge,
) -> Result<Outcome, Inconclusive> {
    let old = iteration.chance.below(OLD_ONE_IN) == 0;
    let age_us = if old {
        ttl_us * 2
    } else {
        (ttl_us + iteration.chance.below(spread_us * 2)).saturating_sub(spread_us)
    };
    let path = client.new_conversation();
    let token = client.token(0).await?;
    let request = ConnectRequest::with_token(0, &path, &token.secret);
    client.note(&format!("waits until the token is {} old", text(age_us)));
    tokio::time::sleep(client.clock().until(token.given_us + age_us)).await;
    let presented_us = client.clock().now_us();
    let entry = client.enter(&request, ANSWER_TIMEOUT).await;
    let judged_us = client.clock().now_us();
    let youngest_us = presented_us.saturating_sub(token.given_us);
    let oldest_us = judged_us.saturating_sub(token.asked_us);
    let calm = client.is_calm_since(token.asked_us);
    let accepted = matches!(entry, ConnectOutcome::In(_));
    if !accepted && !entry.is_refusal() {
        return Ok(Outcome::Inconclusive("the token was not judged"));
    }
    if let ConnectOutcome::In(talk) = entry {
        talk.close();
    }
    if old {
        iteration.record.add_met(Situation::OldTokens.text(), 1);
    }
    let bin_us = (spread_us * 2 / AGE_BINS).max(1);
    let ages = iteration
        .record
        .ages
        .entry(youngest_us / bin_us * bin_us)
        .or_default();
    ages.tried += 1;
    ages.accepted += u64::from(accepted);
    if youngest_us <= ttl_us && ttl_us <= oldest_us {
        iteration
            .record
            .add_met("tokens whose time ended while they were presented", 1);
    }
    Ok(judge((youngest_us, oldest_us), ttl_us, accepted, calm))
}

/// What a token of an age between the two says.
fn judge((youngest_us, oldest_us): (u64, u64), ttl_us: u64, accepted: bool, calm: bool) -> Outcome {
    let share = |age_us: u64| age_us as f64 / ttl_us as f64;
    let life = format!("though it lives for {}", text(ttl_us));
    let late = accepted && share(youngest_us) > 1.0 + TOLERANCE_RATIO;
    let early = !accepted && share(oldest_us) < 1.0 - TOLERANCE_RATIO;
    if accepted && share(youngest_us) > IMMORTAL_RATIO {
        let what = format!("a token of {} was accepted, {life}", text(youngest_us));
        Outcome::Broke(Known::TokenImmortal, what)
    } else if late {
        let what = format!("a token of {} was accepted, {life}", text(youngest_us));
        Outcome::Broke(Known::TokenTtlDrift, what)
    } else if early && calm {
        let what = format!("a token of {} was refused, {life}", text(oldest_us));
        Outcome::Broke(Known::TokenTtlDrift, what)
    } else if early {
        // Redis may have come back without it.
        Outcome::Inconclusive("refused early while a fault was in force")
    } else if (accepted && oldest_us <= ttl_us) || (!accepted && youngest_us >= ttl_us) {
        Outcome::Held
    } else {
        Outcome::Inconclusive("too close to the end of its life to tell")
    }
}

fn text(us: u64) -> String {
    format!("{:?}", Duration::from_millis(us / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broke(ages_us: (u64, u64), accepted: bool, calm: bool) -> Option<Known> {
        match judge(ages_us, 1_000_000, accepted, calm) {
            Outcome::Broke(known, _) => Some(known),
            Outcome::Held | Outcome::Inconclusive(_) => None,
        }
    }

    #[test]
    fn only_an_age_beyond_doubt_decides() {
        let drift = Some(Known::TokenTtlDrift);
        assert_eq!(broke((900_000, 910_000), false, true), drift);
        assert_eq!(broke((900_000, 1_020_000), false, true), None);
        assert_eq!(broke((1_050_000, 1_060_000), true, true), drift);
        assert_eq!(broke((1_005_000, 1_060_000), true, true), None);
        assert_eq!(
            broke((2_000_000, 2_010_000), true, true),
            Some(Known::TokenImmortal)
        );
        assert_eq!(broke((900_000, 910_000), true, true), None);
        assert_eq!(broke((2_000_000, 2_010_000), false, true), None);
    }

    #[test]
    fn a_token_that_an_outage_took_is_nobodys_drift() {
        assert_eq!(broke((100_000, 110_000), false, false), None);
    }

    #[test]
    fn an_age_on_both_sides_of_the_end_is_unclear() {
        for accepted in [true, false] {
            let outcome = judge((999_000, 1_001_000), 1_000_000, accepted, true);
            assert!(matches!(outcome, Outcome::Inconclusive(_)));
        }
    }
}
