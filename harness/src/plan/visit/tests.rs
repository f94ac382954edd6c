//! When clients come and go, and what each of their visits sends.

use super::*;
use crate::plan::{
    Arrival, BehaviorShare, Conversation, Credential, Jitter, LoadStage, MessagePlan, Pacing,
    ReconnectPlan, SessionPlan,
};
use proptest::prelude::*;

fn load(stages: &[(u64, u32)], mix: Vec<BehaviorShare>) -> LoadPlan {
    let mut start_us = 0;
    let mut from = 0;
    let stages = stages.iter().map(|&(length_us, to)| {
        let stage = LoadStage {
            start_us,
            length_us,
            from,
            to,
        };
        start_us += length_us;
        from = to;
        stage
    });
    LoadPlan {
        clients: 10,
        stages: stages.collect(),
        stage_names: std::collections::BTreeMap::new(),
        mix,
        session: SessionPlan {
            credential: Credential::ConnectionToken,
            conversation: Conversation::Own,
            group: 10,
            connect_timeout_us: 10_000_000,
        },
        message: MessagePlan {
            every_us: 1_000_000,
            arrival: Arrival::Poisson,
            chunks: 3,
            length_min: 10,
            length_max: 20,
            retries: 5,
        },
        heartbeat_us: 30_000_000,
        reconnect: ReconnectPlan {
            first_us: 1_000_000,
            factor: 2.0,
            cap_us: 30_000_000,
            jitter: Jitter::Full,
            attempts: 5,
        },
        drain_us: 10_000_000,
        lanes: 1,
        shards: None,
        sources: Vec::new(),
        pacing: Pacing::Auto,
        defects: Vec::new(),
        cpus: None,
        payloads: None,
    }
}

fn share(behavior: Behavior, clients: u32) -> BehaviorShare {
    BehaviorShare { behavior, clients }
}

#[track_caller]
fn check(stages: &[(u64, u32)], expected: &[(u32, u64, u64)]) {
    let stays: Vec<_> = visits(&load(stages, vec![share(Behavior::Chatter, 10)]))
        .iter()
        .map(|visit| (visit.client, visit.start_us, visit.end_us))
        .collect();
    assert_eq!(stays, expected);
}

#[test]
fn a_client_comes_when_the_ramp_has_reached_it() {
    check(
        &[(100, 4), (60, 4)],
        &[(0, 25, 160), (1, 50, 160), (2, 75, 160), (3, 100, 160)],
    );
}

#[test]
fn the_last_to_come_is_the_first_to_leave_and_may_come_again() {
    check(
        &[(0, 3), (10, 3), (20, 1), (0, 2), (70, 2)],
        &[(0, 0, 100), (1, 0, 30), (2, 0, 20), (1, 30, 100)],
    );
}

#[test]
fn a_mix_is_spread_evenly_over_the_clients() {
    let plan = load(
        &[(0, 10)],
        vec![share(Behavior::Chatter, 7), share(Behavior::Lurker, 3)],
    );
    let kinds: Vec<bool> = visits(&plan)
        .iter()
        .map(|visit| visit.behavior == Behavior::Lurker)
        .collect();
    assert_eq!(kinds.iter().filter(|&&lurker| lurker).count(), 3);
    assert!(kinds.chunks(5).all(|part| part.contains(&true)));
}

proptest! {
    #[test]
    fn as_many_clients_are_there_as_the_profile_says(
        stages in prop::collection::vec((0_u64..1_000, 0_u32..40), 1..6),
    ) {
        // Long enough that rounding to a microsecond is no part of a client.
        let stages: Vec<_> = stages.iter().map(|&(length, to)| (length * 10_000, to)).collect();
        let plan = load(&stages, vec![share(Behavior::Chatter, 40)]);
        let stays = visits(&plan);
        prop_assert!(stays.is_sorted_by_key(|visit| visit.start_us));
        for stage in &plan.stages {
            let middle = stage.start_us + stage.length_us / 2;
            let there = stays
                .iter()
                .filter(|visit| visit.start_us <= middle && middle < visit.end_us)
                .count() as f64;
            if stage.length_us == 0 {
                continue;
            }
            let passed = (middle - stage.start_us) as f64 / stage.length_us as f64;
            let profile = f64::from(stage.from) + (f64::from(stage.to) - f64::from(stage.from)) * passed;
            prop_assert!((there - profile).abs() <= 1.01, "{there} at {middle}, profile {profile}");
        }
        prop_assert_eq!(&visits(&plan), &stays);
    }
}
