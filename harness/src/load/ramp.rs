//! This module writes the plan's stages as a goose test plan.
//!
//! **In:** the stages. **Out:** goose's text form, `users,seconds;…`, ending with nobody.
//!
//! goose counts whole seconds, and holds end up to half a second late. So its plan runs a little
//! *ahead* of ours: a user that goose launches early waits for the exact start of its stay, one
//! launched late could not make up for it. goose's own stop signals come early for the same reason
//! and are seen when the stay is over.

use crate::plan::LoadStage;
use crate::units::US_PER_S;

/// How late the end of a hold may be in goose.
const HOLD_LATE_US: u64 = 500_000;
/// How far ahead of the end of a ramp goose should be done with it.
const AHEAD_US: u64 = 100_000;

/// The test plan for these stages. At least one of them must have clients.
pub(super) fn test_plan(stages: &[LoadStage]) -> String {
    let mut steps: Vec<(u32, u64)> = Vec::new();
    let mut users = 0;
    // Latest time at which goose may be done with the steps so far.
    let mut latest_us = 0;
    for stage in stages {
        if stage.from != users {
            steps.push((stage.from, 0));
            users = stage.from;
        }
        let late_us = if stage.to == users { HOLD_LATE_US } else { 0 };
        let end_us = stage.start_us + stage.length_us;
        let room_us = end_us.saturating_sub(latest_us + late_us + AHEAD_US);
        let seconds = room_us / US_PER_S;
        // Nothing to do: goose begins with its first user, and a hold may be skipped.
        if stage.to == users && (seconds == 0 || users == 0) {
            continue;
        }
        steps.push((stage.to, seconds));
        users = stage.to;
        latest_us += seconds * US_PER_S + late_us;
    }
    if users > 0 {
        steps.push((0, 0));
    }
    let steps: Vec<String> = steps
        .iter()
        .map(|(users, seconds)| format!("{users},{seconds}s"))
        .collect();
    steps.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stages: &[(u64, u32)], expected: &str) {
        let (mut start_us, mut from) = (0, 0);
        let stages: Vec<LoadStage> = stages
            .iter()
            .map(|&(length_ms, to)| {
                let stage = LoadStage {
                    start_us,
                    length_us: length_ms * 1_000,
                    from,
                    to,
                };
                start_us += stage.length_us;
                from = to;
                stage
            })
            .collect();
        assert_eq!(test_plan(&stages), expected);
    }

    #[test]
    fn a_ramp_and_a_hold_end_early() {
        check(&[(10_000, 2_000), (40_000, 2_000)], "2000,9s;2000,40s;0,0s");
    }

    #[test]
    fn a_jump_is_a_step_of_no_time() {
        check(&[(0, 5), (2_000, 5)], "5,0s;5,1s;0,0s");
        check(&[(900, 5), (500, 5)], "5,0s;0,0s");
    }

    #[test]
    fn goose_never_falls_behind_over_many_holds() {
        check(
            &[
                (1_000, 2),
                (2_000, 2),
                (1_000, 4),
                (2_000, 4),
                (1_000, 1),
                (1_000, 1),
            ],
            "2,0s;2,2s;4,1s;4,1s;1,1s;1,1s;0,0s",
        );
    }

    #[test]
    fn idle_time_at_the_beginning_and_the_end_is_left_out() {
        check(
            &[(3_000, 0), (2_000, 3), (2_000, 0), (5_000, 0)],
            "3,4s;0,2s",
        );
    }
}
