//! A run made by hand: 40 messages a second for 60 s, Redis away from 20 to 25 s.

use serde_json::json;

use super::summarize::{Facts, summarize};
use super::verdict::judge;
use super::{CheckStatus, Generator, GooseCounts, Host, Run, RunResult, Status, WindowKind};
use crate::plan::Plan;
use crate::record::fault::FaultStamps;
use crate::record::recording::{Cell, CellKey, CloseCause, Recording};

const INTERVAL_US: u64 = 250_000;
const PER_INTERVAL: u64 = 10;
const INTERVALS: u32 = 240;

pub(crate) fn plan() -> Plan {
    let latency =
        json!({"kind": "latency", "stage": "complete", "statistic": "p99", "time": "response"});
    let expect =
        |what: serde_json::Value, when: serde_json::Value, comparison: &str, value: f64| {
            json!({
                "what": what, "when": when, "line": 30, "bound_text": value.to_string(),
                "bound": {"comparison": comparison, "value": value},
            })
        };
    let fault = json!({"kind": "down", "link": "redis"});
    let during = json!({"kind": "during", "fault": "redis-down"});
    serde_json::from_value(json!({
        "title": "redis-outage", "question": "Does chat come back?", "scenario": "x.toml", "seed": 7,
        "interval_us": INTERVAL_US,
        "environment": {
            "target": null, "proxies": ["redis"], "toxiproxy": null, "redis": {"kind": "private"},
            "server": {"instances": 1, "defects": [], "settings": {}},
            "users": {"prefix": "user", "password": null},
        },
        "load": {
            "clients": 200, "lanes": 1, "heartbeat_us": 30_000_000, "drain_us": 10_000_000,
            "stages": [
                {"start_us": 0, "length_us": 10_000_000, "from": 0, "to": 200},
                {"start_us": 10_000_000, "length_us": 50_000_000, "from": 200, "to": 200},
            ],
            "mix": [{"behavior": {"kind": "chatter"}, "clients": 200}],
            "session": {"credential": "connection-token", "conversation": "own", "connect_timeout_us": 10_000_000},
            "message": {"every_us": 5_000_000, "arrival": "poisson", "chunks": 4, "length_min": 20, "length_max": 20, "retries": 5},
            "reconnect": {"first_us": 1_000_000, "factor": 2.0, "cap_us": 30_000_000, "jitter": "full", "attempts": 5},
        },
        "faults": [{"name": "redis-down", "at_us": 20_000_000, "for_us": 5_000_000, "kind": fault, "line": 20}],
        "expect": [
            expect(latency, json!({"kind": "outside_faults"}), "under", 500_000.0),
            expect(json!({"kind": "recovery"}), during, "under", 5_000_000.0),
            expect(json!({"kind": "delivery", "outcome": "lost"}), json!({"kind": "whole_run"}), "equals", 0.0),
        ],
        "abort_when": [],
    }))
    .unwrap()
}

fn run() -> Run {
    Run {
        id: "r-00000000".to_owned(),
        scenario: "x.toml".to_owned(),
        title: "redis-outage".to_owned(),
        question: String::new(),
        seed: 7,
        plan_hash: String::new(),
        harness_version: String::new(),
        commit: None,
        started_at: String::new(),
        duration_us: 60_000_000,
        interrupted: false,
        aborted: None,
        command: String::new(),
        host: Host {
            name: None,
            cores: 2,
            memory_bytes: 0,
            kernel: String::new(),
            file_limit: 0,
            load_average: [0.0; 3],
            redis_version: None,
            target: String::new(),
            target_version: None,
            links: Vec::new(),
        },
    }
}

/// A cell of messages that were all answered after `complete_us`.
fn answered(messages: u64, complete_us: u64) -> Cell {
    let mut cell = Cell::default();
    cell.delivery.sent = messages;
    cell.delivery.completed = messages;
    for _ in 0..messages {
        cell.complete.record(complete_us);
    }
    cell
}

/// 45 ms everywhere; the outage's messages wait for its end; 1 s too slow from 25 to 27 s.
fn recording() -> Recording {
    let mut recording = Recording::default();
    for interval in 0..INTERVALS {
        let start_us = u64::from(interval) * INTERVAL_US;
        let (fault, complete_us) = match start_us {
            20_000_000..25_000_000 => (Some(0), 26_000_000 - start_us),
            25_000_000..27_000_000 => (None, 1_000_000),
            _ => (None, 45_000),
        };
        let cell = answered(PER_INTERVAL, complete_us);
        recording.cells.insert(CellKey { interval, fault }, cell);
        for _ in 0..PER_INTERVAL {
            recording.lateness.entry(interval).or_default().record(20);
            recording.dispatch_delay.record(20);
        }
        recording.planned_sends += PER_INTERVAL;
    }
    // One message in flight when Redis went away: intended before, touched all the same.
    recording.cells.insert(
        CellKey {
            interval: 79,
            fault: Some(0),
        },
        answered(1, 6_000_000),
    );
    recording.planned_sends += 1;
    recording.dispatch_delay.record(20);
    recording.frames_received = 10_000;
    recording.trouble(0, 20_043_000);
    recording.settled(0, 26_300_000);
    recording
}

fn facts(recording: Recording) -> Facts {
    let stamps = FaultStamps {
        injecting_us: Some(20_000_000),
        injected_us: Some(20_004_000),
        confirmed_us: Some(20_061_000),
        healing_us: Some(25_000_000),
        healed_us: Some(25_002_000),
        heal_confirmed_us: Some(25_000_000),
        readiness_red_us: Some(21_340_000),
        readiness_watched: true,
        ..FaultStamps::default()
    };
    Facts {
        plan: plan(),
        run: run(),
        recording,
        peak_open: 200,
        goose: GooseCounts::default(),
        stamps: vec![stamps],
        trials: Vec::new(),
        generator: Generator::default(),
        server: None,
        ended_processes: Vec::new(),
        open_per_interval: vec![200; 240],
        end_us: 60_000_000,
    }
}

fn result_of(recording: Recording) -> RunResult {
    let mut result = summarize(&facts(recording));
    judge(&mut result);
    result
}

#[track_caller]
fn sent_in(result: &RunResult, kind: WindowKind) -> u64 {
    let windows = result.windows.iter().filter(|window| window.kind == kind);
    windows.map(|window| window.delivery.sent).sum()
}

#[test]
fn windows_follow_each_other_and_add_up_to_the_run() {
    let result = result_of(recording());
    let kinds: Vec<WindowKind> = result.windows.iter().map(|window| window.kind).collect();
    let expected = [
        WindowKind::Ramp,
        WindowKind::Baseline,
        WindowKind::Fault,
        WindowKind::Recovery,
        WindowKind::After,
    ];
    assert_eq!(kinds, expected);
    for pair in result.windows.windows(2) {
        assert_eq!(pair[0].to_us, pair[1].from_us);
    }
    let sent: u64 = result
        .windows
        .iter()
        .map(|window| window.delivery.sent)
        .sum();
    assert_eq!(sent, 2_401);
    assert_eq!(result.delivery.sent, 2_401);
}

#[test]
fn a_message_in_flight_when_the_fault_begins_is_not_baseline() {
    let result = result_of(recording());
    assert_eq!(sent_in(&result, WindowKind::Fault), 201);
    assert_eq!(sent_in(&result, WindowKind::Baseline), 400);
    let baseline = result
        .windows
        .iter()
        .find(|window| window.kind == WindowKind::Baseline)
        .unwrap();
    assert_eq!(baseline.latency["complete"].max_us, 45_000);
}

#[test]
fn recovered_is_when_answers_stay_in_tolerance() {
    let fault = &result_of(recording()).faults[0];
    assert_eq!(fault.tolerance_us, 500_000);
    assert_eq!(fault.recovered_at_us, Some(27_000_000));
    assert_eq!(fault.recovery_us, Some(2_000_000));
    assert_eq!(fault.impact_us, Some(43_000));
    assert_eq!(fault.detect_us, Some(1_340_000));
    assert_eq!(fault.backlog_drain_us, Some(1_300_000));
}

#[test]
fn a_service_that_answers_at_once_after_the_heal_recovers_in_no_time() {
    let mut quick = recording();
    for interval in 100..108 {
        let key = CellKey {
            interval,
            fault: None,
        };
        quick.cells.insert(key, answered(PER_INTERVAL, 45_000));
    }
    assert_eq!(result_of(quick).faults[0].recovery_us, Some(0));
}

#[test]
fn a_service_that_never_comes_back_is_beyond_the_horizon() {
    let mut stuck = recording();
    for (key, cell) in &mut stuck.cells {
        if key.interval >= 100 {
            *cell = answered(PER_INTERVAL, 1_000_000);
        }
    }
    let result = result_of(stuck);
    assert_eq!(result.faults[0].recovery_us, None);
    assert_eq!(result.expectations[1].status, CheckStatus::Broke);
    assert_eq!(result.expectations[1].beyond_us, Some(32_000_000));
    assert_eq!(result.verdict.status, Status::Fail);
    assert_eq!(result.exit_code, 10);
}

#[test]
fn a_clean_run_passes() {
    let result = result_of(recording());
    assert_eq!(result.verdict.status, Status::Pass, "{:#?}", result.verdict);
    assert_eq!(result.exit_code, 0);
}

#[test]
fn a_lost_message_is_a_broken_promise_and_the_sentence_says_so() {
    let mut recording = recording();
    let cell = recording
        .cells
        .get_mut(&CellKey {
            interval: 150,
            fault: None,
        })
        .unwrap();
    cell.delivery.completed -= 2;
    cell.delivery.lost += 2;
    let result = result_of(recording);
    assert_eq!(result.exit_code, 14);
    assert_eq!(result.verdict.status, Status::Fail);
    assert!(
        result
            .verdict
            .sentence
            .contains("2 acknowledged messages were lost"),
        "{}",
        result.verdict.sentence
    );
}

#[test]
fn a_client_that_gave_up_is_named_with_its_moment() {
    let mut result = result_of(recording());
    let expectation = json!({
        "what": {"kind": "failed_clients"}, "when": {"kind": "whole_run"}, "line": 30, "bound_text": "0",
        "bound": {"comparison": "equals", "value": 0.0},
    });
    result.plan.expect = vec![serde_json::from_value(expectation).unwrap()];
    for view in &mut result.views {
        view.clients_failed = 2;
    }
    let story = json!({
        "client": 17, "client_message_id": "", "conversation": "c", "what": "the first client that gave up",
        "intended_us": 8_500_000, "sent_us": null, "queued_us": null, "ended_us": 8_500_000, "fault": null, "session": [],
    });
    result.stories = vec![serde_json::from_value(story).unwrap()];
    judge(&mut result);
    assert_eq!(
        crate::format::plain(&result.verdict.sentence),
        "Failed clients was 2 (limit = 0), first at 8.50 s, client 17."
    );
}

#[test]
fn an_undeclared_promise_is_kept_all_the_same() {
    let mut recording = recording();
    let cell = recording
        .cells
        .get_mut(&CellKey {
            interval: 150,
            fault: None,
        })
        .unwrap();
    cell.delivery.out_of_order = 1;
    let result = result_of(recording);
    assert_eq!(result.exit_code, 14);
    assert!(
        result.verdict.sentence.contains("out of order"),
        "{}",
        result.verdict.sentence
    );
}

#[test]
fn a_ledger_that_does_not_add_up_makes_the_run_invalid() {
    let mut recording = recording();
    let cell = recording
        .cells
        .get_mut(&CellKey {
            interval: 150,
            fault: None,
        })
        .unwrap();
    cell.delivery.completed -= 1;
    let result = result_of(recording);
    assert_eq!(result.verdict.status, Status::Invalid);
    assert_eq!(result.exit_code, 13);
}

#[test]
fn an_invalid_run_that_also_lost_messages_exits_14_and_names_both() {
    let mut recording = recording();
    recording.planned_sends = 5_000;
    let cell = recording
        .cells
        .get_mut(&CellKey {
            interval: 150,
            fault: None,
        })
        .unwrap();
    cell.delivery.completed -= 2;
    cell.delivery.lost += 2;
    let result = result_of(recording);
    assert_eq!(result.verdict.status, Status::Invalid);
    assert_eq!(result.exit_code, 14);
    assert_eq!(result.verdict.also, ["2 acknowledged messages were lost"]);
}

#[test]
fn a_fault_that_was_not_confirmed_makes_the_run_invalid() {
    let mut facts = facts(recording());
    facts.stamps[0].confirmed_us = None;
    facts.stamps[0].problem = Some("Redis answered all the while".to_owned());
    let mut result = summarize(&facts);
    judge(&mut result);
    assert_eq!(result.verdict.status, Status::Invalid);
    assert!(result.verdict.sentence.contains("answered all the while"));
}

#[test]
fn a_harness_later_than_a_tenth_of_the_tightest_limit_is_not_believed() {
    let mut late = recording();
    for part in late.lateness.values_mut() {
        for _ in 0..PER_INTERVAL {
            part.record(60_000);
        }
    }
    assert_eq!(result_of(late).verdict.status, Status::Invalid);
}

#[test]
fn pauses_of_the_machine_are_not_held_against_the_harness() {
    let mut recording = recording();
    for _ in 0..200 {
        recording.lateness.get_mut(&100).unwrap().record(60_000);
    }
    let mut facts = facts(recording);
    facts.generator.pauses = vec![super::Pause {
        at_us: 25_100_000,
        length_us: 60_000,
    }];
    let mut result = summarize(&facts);
    judge(&mut result);
    assert_eq!(result.verdict.status, Status::Pass, "{:#?}", result.verdict);
}

#[test]
fn an_expectation_without_samples_is_inconclusive() {
    let mut recording = recording();
    recording.cells.retain(|_, cell| {
        cell.complete = crate::record::histogram::SparseHistogram::default();
        true
    });
    let result = result_of(recording);
    assert_eq!(result.expectations[0].status, CheckStatus::Inconclusive);
    assert_eq!(result.expectations[0].observed, None);
}

#[test]
fn cut_sockets_are_counted_by_window_and_code() {
    let mut recording = recording();
    let interval = recording.sessions.entry(82).or_default();
    interval.closes.insert((1011, CloseCause::Cut), 3);
    interval.closes.insert((1000, CloseCause::Planned), 5);
    let result = result_of(recording);
    let during = result
        .windows
        .iter()
        .find(|window| window.kind == WindowKind::Fault)
        .unwrap();
    assert_eq!(during.closes_cut[&1011], 3);
    assert_eq!(result.clients.cut, 3);
    assert_eq!(result.faults[0].cut, 3);
}

#[test]
fn a_percentile_without_support_is_a_gap() {
    let series = result_of(recording()).series;
    // Ten answers an interval support a median, not a p99.
    assert!(series.complete_p50_us.iter().all(Option::is_some));
    assert_eq!(series.complete_p99_us[0], None);
    assert_eq!(series.step_us, INTERVAL_US);
    assert_eq!(series.per_second.len(), 60);
}

#[test]
fn a_result_survives_being_written_and_read() {
    let result = result_of(recording());
    let text = serde_json::to_string(&result).unwrap();
    let read: RunResult = serde_json::from_str(&text).unwrap();
    assert!(read == result, "something is not read as it was written");
}

#[test]
fn a_plan_that_was_not_offered_makes_the_run_invalid() {
    let mut short = recording();
    short.dispatch_delay = crate::record::histogram::SparseHistogram::default();
    for _ in 0..2_000 {
        short.dispatch_delay.record(20);
    }
    let result = result_of(short.clone());
    assert_eq!(result.verdict.status, Status::Invalid);
    assert!(result.verdict.sentence.contains("planned messages sent"));
    // Clients that had no socket could not send: the service's doing.
    short.unsent_without_socket = 401;
    assert_eq!(result_of(short).verdict.status, Status::Pass);
}

#[test]
fn a_percentile_without_support_decides_nothing() {
    let mut few = recording();
    for cell in few.cells.values_mut() {
        let mut one = crate::record::histogram::SparseHistogram::default();
        one.record(45_000);
        cell.complete = one;
    }
    few.cells.retain(|key, _| key.interval < 90);
    let expectation = &result_of(few).expectations[0];
    assert_eq!(
        (expectation.status, expectation.observed),
        (CheckStatus::Inconclusive, None)
    );
}

#[test]
fn a_long_pause_of_the_machine_makes_the_run_invalid() {
    let mut facts = facts(recording());
    facts.generator.pause_max_us = 2_900_000;
    let mut result = summarize(&facts);
    judge(&mut result);
    assert_eq!(result.verdict.status, Status::Invalid);
}

#[test]
fn frames_without_kernel_stamps_make_the_run_invalid() {
    let mut unstamped = recording();
    unstamped.frames_unstamped = unstamped.frames_received;
    assert_eq!(result_of(unstamped).verdict.status, Status::Invalid);
}

#[test]
fn a_fault_that_came_late_makes_the_run_invalid() {
    let mut facts = facts(recording());
    facts.stamps[0].injected_us = Some(20_200_000);
    let mut result = summarize(&facts);
    judge(&mut result);
    assert_eq!(result.verdict.status, Status::Invalid);
    facts.generator.pauses = vec![super::Pause {
        at_us: 20_000_000,
        length_us: 180_000,
    }];
    let mut result = summarize(&facts);
    judge(&mut result);
    assert_eq!(result.verdict.status, Status::Pass, "{:#?}", result.verdict);
}

#[test]
fn a_condition_stands_beside_the_faults_and_opens_no_window() {
    let events_only = summarize(&facts(recording()));
    for (at_us, time) in [(0, "all the time"), (9_000_000, "from 9s to the end")] {
        let mut facts = facts(recording());
        let idle = json!({"kind": "idle_timeout", "link": "edge", "timeout_us": 4_000_000});
        let condition = json!({
            "name": "middlebox", "at_us": at_us, "for_us": 60_000_000 - at_us, "kind": idle,
            "condition": true, "line": 25,
        });
        let condition = serde_json::from_value(condition).unwrap();
        facts.plan.faults.push(condition);
        facts.stamps.push(FaultStamps {
            confirmed_us: Some(at_us + 4_000_000),
            heal_confirmed_us: Some(60_000_000),
            ..FaultStamps::default()
        });
        let mut result = summarize(&facts);
        judge(&mut result);
        assert_eq!(result.windows, events_only.windows);
        assert_eq!(result.faults, events_only.faults);
        let condition = &result.conditions[0];
        assert!(condition.confirmed);
        assert_eq!(
            condition.what,
            format!("link from clients to server cut after 4s of silence, {time}")
        );
        assert_ne!(result.verdict.status, Status::Invalid);

        facts.stamps[1].confirmed_us = None;
        let mut unmet = summarize(&facts);
        judge(&mut unmet);
        assert_eq!(unmet.verdict.status, Status::Invalid);
    }
}

#[test]
fn a_process_that_died_makes_the_run_invalid_and_is_named_first() {
    let mut facts = facts(recording());
    let judged = |facts: &Facts| {
        let mut result = summarize(facts);
        judge(&mut result);
        result
    };
    let whole = judged(&facts);
    let check = |result: &RunResult| {
        let mut checks = result.checks.iter();
        let found = checks.find(|check| check.name == "processes of the run");
        found.unwrap().status
    };
    assert_eq!(check(&whole), CheckStatus::Held);
    assert_ne!(whole.verdict.status, Status::Invalid);

    facts.ended_processes.push(super::EndedProcess {
        what: "the reference server".to_owned(),
        seen_us: 31_000_000,
    });
    let result = judged(&facts);
    assert_eq!(check(&result), CheckStatus::Broke);
    assert_eq!(result.verdict.status, Status::Invalid);
    let sentence = crate::format::plain(&result.verdict.sentence);
    assert!(
        sentence.starts_with(
            "These numbers cannot be trusted: the reference server ended by itself, seen at 31.0 s"
        ),
        "{sentence}"
    );
    // Saved runs of targets that nobody started here have no such check.
    facts.ended_processes.clear();
    facts.plan.environment.target = Some("ws://127.0.0.1:1".to_owned());
    let attached = judged(&facts);
    let names = attached.checks.iter().map(|check| check.name.as_str());
    assert!(!names.collect::<Vec<_>>().contains(&"processes of the run"));
}
