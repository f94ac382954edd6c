//! A run made by hand: 40 messages a second for 60 s, Redis away from 20 to 25 s.

use std::collections::BTreeMap;

use serde_json::json;

use super::facts::Facts;
use super::summarize::summarize;
use super::verdict::judge;
use super::{
    Abort, BusySpan, CheckResult, CheckStatus, Gauges, Generator, GooseCounts, Host, Run,
    RunResult, ServerAccount, Status, WindowKind,
};
use crate::failure::{Cause, Ending, Failure, FailureKind, Rule, UpgradeProblem};
use crate::plan::{FaultKind, Link, Plan};
use crate::record::fault::FaultStamps;
use crate::record::generator::ShardAccount;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::{Cell, CellKey, CloseCause, Recording};
use crate::scenario::expectation::{Bound, Comparison, Quantity, Statistic, When};
use crate::scenario::fault::{Corrupt, Down, On, ResetNow, ServerKill, ServerPause};
use crate::scenario::server_count::ServerCount;

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
        abort: None,
        command: String::new(),
        host: Host {
            name: None,
            cores: 2,
            memory_bytes: 0,
            cpu: None,
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
    recording.sessions.entry(0).or_default().opened = 200;
    recording.trouble(0, 20_043_000);
    recording.settled((0, 20_000_000), (20_300_000, 26_300_000));
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
        parts: Vec::new(),
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
        gauges: Gauges {
            open: vec![200; 240],
            in_flight: Vec::new(),
        },
        processes: Vec::new(),
        accept_backlog: None,
        traffic: None,
        usage: Vec::new(),
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
fn a_stage_with_a_name_is_a_part_of_the_run_and_all_that_was_intended_in_it() {
    let mut facts = facts(recording());
    let stage = |start_us, length_us, from, to| crate::plan::LoadStage {
        start_us,
        length_us,
        from,
        to,
    };
    facts.plan.load.stages = vec![
        stage(0, 10_000_000, 0, 200),
        stage(10_000_000, 14_000_000, 200, 200),
        stage(24_000_000, 36_000_000, 200, 200),
    ];
    facts.plan.load.stage_names = [(2, "late".to_owned())].into();
    let result = summarize(&facts);
    let of = |name: &str| {
        let name = name.to_owned();
        result.window(&When::Stage { name }).unwrap()
    };
    assert_eq!(of("hold-1").from_us, 10_000_000);
    // 56 intervals, and the message that was in flight when the fault began.
    assert_eq!(of("hold-1").delivery.sent, 56 * PER_INTERVAL + 1);
    assert_eq!(of("late").delivery.sent, 144 * PER_INTERVAL);
    assert!(
        result
            .window(&When::Stage {
                name: "hold-2".to_owned()
            })
            .is_none()
    );
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
fn a_recovery_within_a_step_is_said_to_be_just_that() {
    let mut quick = recording();
    for interval in 100..108 {
        let key = CellKey {
            interval,
            fault: None,
        };
        quick.cells.insert(key, answered(PER_INTERVAL, 45_000));
    }
    let result = result_of(quick);
    let recovery = &result.expectations[1];
    let text =
        |result: &super::ExpectationResult| crate::format::plain(&super::observed_text(result));
    assert_eq!(text(recovery), "< 250 ms");
    assert_eq!(result.faults[0].recovery_step_us, INTERVAL_US);
    assert!(
        result
            .verdict
            .sentence
            .contains("as soon as redis-down ended"),
        "{}",
        result.verdict.sentence
    );
    assert_eq!(text(&result_of(recording()).expectations[1]), "2.00 s");
}

/// Messages that the fault at 20 s touched, each answered after `complete_us`, with nothing refused or failed.
fn merely_slow(complete_us: impl Fn(u64) -> u64) -> Recording {
    let mut slow = recording();
    slow.impact.clear();
    slow.cells.retain(|key, _| key.fault.is_none());
    slow.planned_sends -= 1;
    for interval in 80..100 {
        for nth in 0..PER_INTERVAL {
            let at_us = u64::from(interval) * INTERVAL_US + nth * 1_000;
            let us = complete_us(at_us);
            let key = CellKey {
                interval,
                fault: Some(0),
            };
            slow.cells.entry(key).or_default().merge(&answered(1, us));
            slow.settled((0, 20_000_000), (at_us, at_us + us));
        }
    }
    slow
}

#[test]
fn a_fault_that_only_slows_is_felt_when_the_first_answer_is_overdue() {
    let impact = |complete_us: fn(u64) -> u64| {
        let mut facts = facts(merely_slow(complete_us));
        facts.stamps[0].readiness_red_us = None;
        let result = summarize(&facts);
        assert_eq!(result.faults[0].tolerance_us, 500_000);
        result.faults[0].impact_us
    };
    // All of them 0.8 s: the first was asked as the fault began.
    assert_eq!(impact(|_| 800_000), Some(500_000));
    // However long the wait, it is overdue when the tolerance has passed.
    assert_eq!(impact(|_| 4_000_000), Some(500_000));
    assert_eq!(
        impact(|at_us| if at_us < 22_000_000 { 45_000 } else { 800_000 }),
        Some(2_500_000)
    );
    // Slower than ever, and still in tolerance.
    assert_eq!(impact(|_| 400_000), None);
    // The tolerance is a p99: one answer of two hundred may be slower.
    assert_eq!(
        impact(|at_us| if at_us == 22_000_000 { 800_000 } else { 45_000 }),
        None
    );
}

#[test]
fn whichever_comes_first_is_the_impact() {
    let mut both = merely_slow(|_| 800_000);
    both.trouble(0, 20_300_000);
    assert_eq!(
        summarize(&facts(both.clone())).faults[0].impact_us,
        Some(300_000)
    );
    both.impact.get_mut(&0).unwrap().first_us = Some(22_000_000);
    assert_eq!(summarize(&facts(both)).faults[0].impact_us, Some(500_000));
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
        "2 clients gave up; the limit is = 0, the first at 8.50 s, client 17."
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
fn what_an_invalid_run_lost_is_listed_and_not_trusted() {
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
    assert_eq!(result.exit_code, 13);
    let lost = "2 acknowledged messages were lost";
    assert_eq!(result.verdict.untrusted, [lost]);
    assert_eq!(result.verdict.broke, [""; 0]);
    let also = format!("seen, but not to be trusted: {lost}");
    assert_eq!(result.verdict.also, [also]);
}

#[test]
fn a_machine_that_was_full_is_told_in_the_summary_too() {
    let mut result = summarize(&on_a_full_machine((30, 38), 45_000));
    judge(&mut result);
    let told = super::machine_text(&result).unwrap();
    assert!(
        result.verdict.trust.contains(&told),
        "{}",
        result.verdict.trust
    );
    result.generator.busy.clear();
    assert_eq!(super::machine_text(&result), None);
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
fn a_fault_that_never_took_hold_excuses_no_broken_promise() {
    for (met, ended, code) in [(false, true, 14), (true, false, 13), (false, false, 13)] {
        let mut recording = recording();
        let key = CellKey {
            interval: 150,
            fault: None,
        };
        let cell = recording.cells.get_mut(&key).unwrap();
        cell.delivery.completed -= 2;
        cell.delivery.lost += 2;
        let mut facts = facts(recording);
        facts.stamps[0].problem = Some("no connection was open to be reset".to_owned());
        if !met {
            facts.stamps[0].confirmed_us = None;
        }
        if !ended {
            facts.stamps[0].heal_confirmed_us = None;
        }
        let mut result = summarize(&facts);
        judge(&mut result);
        assert_eq!(result.exit_code, code, "{:?}", result.verdict);
        assert!(
            format!("{:?}", result.verdict).contains("no connection was open"),
            "{:?}",
            result.verdict
        );
    }
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
    // Both are told, and which is which.
    let both = "late p99 20 µs (60.0 ms with pauses of the machine)";
    assert!(
        crate::format::plain(&result.verdict.trust).ends_with(&format!("{both}.")),
        "{}",
        result.verdict.trust
    );
    let shown = crate::format::plain(&super::lateness_text(&result));
    assert_eq!(shown, both);
}

#[test]
fn the_share_of_the_plan_is_told_of_all_and_of_what_was_possible() {
    let mut result = result_of(recording());
    assert_eq!(
        crate::format::plain(&super::sent_text(&result)),
        "100.0 % of the plan sent"
    );
    result.generator.actual_sends = 2_000;
    result.generator.unsent_without_socket = 401;
    assert_eq!(
        crate::format::plain(&super::sent_text(&result)),
        "83.2 % of the plan sent (100.0 % of what had a socket)"
    );
    (
        result.generator.actual_sends,
        result.generator.unsent_without_socket,
    ) = (0, 2_401);
    assert_eq!(
        crate::format::plain(&super::sent_text(&result)),
        "0.0 % of the plan sent (no client had a socket)"
    );
}

#[test]
fn an_expectation_without_samples_is_inconclusive() {
    let mut recording = recording();
    recording.cells.retain(|_, cell| {
        cell.complete = SparseHistogram::default();
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
    short.dispatch_delay = SparseHistogram::default();
    for _ in 0..2_000 {
        short.dispatch_delay.record(20);
    }
    let result = result_of(short.clone());
    assert_eq!(result.verdict.status, Status::Invalid);
    let sentence = crate::format::plain(&result.verdict.sentence);
    assert!(
        sentence.contains("only 2,000 of the 2,401 messages were sent"),
        "{sentence}"
    );
    // Clients that had no socket could not send: the service's doing.
    short.unsent_without_socket = 401;
    assert_eq!(result_of(short).verdict.status, Status::Pass);
}

#[test]
fn a_plan_of_which_nothing_could_be_sent_is_not_called_offered() {
    let mut shut_out = recording();
    shut_out.dispatch_delay = SparseHistogram::default();
    shut_out.unsent_without_socket = shut_out.planned_sends;
    shut_out.lateness.clear();
    let check = |result: &RunResult| {
        let mut checks = result.checks.iter();
        let check = checks
            .find(|check| check.name == "planned messages sent")
            .unwrap();
        (check.status, crate::format::plain(&check.finding))
    };
    let (status, finding) = check(&result_of(shut_out.clone()));
    assert_eq!(status, CheckStatus::Broke);
    assert_eq!(
        finding,
        "none of 2,401 planned messages could be sent, for no client had a socket"
    );
    // Listeners have nothing to send.
    shut_out.cells.clear();
    (shut_out.planned_sends, shut_out.unsent_without_socket) = (0, 0);
    let (status, finding) = check(&result_of(shut_out));
    assert_eq!(
        (status, finding.as_str()),
        (CheckStatus::Held, "the plan has nothing to send")
    );
}

#[test]
fn too_few_samples_are_counted_all_the_same_and_the_cure_is_named() {
    let mut facts = facts(recording());
    let requests = facts.recording.sessions.entry(85).or_default();
    (0..23).for_each(|_| requests.token_service.record(7_000));
    let expectation = json!({
        "what": {"kind": "latency", "stage": "token", "statistic": "p99", "time": "service"},
        "when": {"kind": "during", "fault": "redis-down"}, "line": 30, "bound_text": "1s",
        "bound": {"comparison": "under", "value": 1_000_000.0},
    });
    facts.plan.expect = vec![serde_json::from_value(expectation).unwrap()];
    let mut result = summarize(&facts);
    judge(&mut result);
    let undecided = &result.expectations[0];
    assert_eq!(
        (undecided.status, undecided.samples),
        (CheckStatus::Inconclusive, 23)
    );
    assert_eq!(
        undecided.finding,
        "23 samples, and a p99 needs 100: run it with --clients 960 or more, let redis-down last longer, \
         or expect `token max service`"
    );
    assert!(
        result.verdict.sentence.contains(&undecided.finding),
        "{}",
        result.verdict.sentence
    );
    // Twenty carry a p95.
    if let Quantity::Latency { statistic, .. } = &mut result.plan.expect[0].what {
        *statistic = Statistic::P95;
    }
    judge(&mut result);
    assert_eq!(result.expectations[0].status, CheckStatus::Held);
    // In a run that was ended, nothing about the plan was wrong.
    result.run.aborted = Some("by a rule".to_owned());
    result
        .views
        .iter_mut()
        .for_each(|view| view.service.clear());
    judge(&mut result);
    assert_eq!(
        result.expectations[0].finding,
        "0 samples, and a p95 needs 20: the run was ended early"
    );
}

#[test]
fn a_percentile_without_support_decides_nothing() {
    let mut few = recording();
    for cell in few.cells.values_mut() {
        let mut one = SparseHistogram::default();
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
    facts.generator.pause_max_at_us = Some(7_000_000);
    let mut result = summarize(&facts);
    judge(&mut result);
    assert_eq!(result.verdict.status, Status::Invalid);
    assert_eq!(
        crate::format::plain(&result.verdict.sentence),
        "These numbers cannot be trusted: a pause of 2.90 s at 7.00 s (of the machine or of the harness) is long \
         enough to break a limit by itself."
    );
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
fn a_process_that_takes_long_to_end_was_told_in_time() {
    let late = |kind: FaultKind, injecting_us: u64| {
        let mut facts = facts(recording());
        facts.plan.faults[0].kind = kind;
        facts.stamps[0].injecting_us = Some(injecting_us);
        facts.stamps[0].injected_us = Some(20_200_000);
        let mut result = summarize(&facts);
        judge(&mut result);
        let mut checks = result.checks.iter();
        let check = checks.find(|check| check.name == "faults on time").unwrap();
        check.status == CheckStatus::Broke
    };
    let kill = || FaultKind::ServerKill(ServerKill {});
    assert!(!late(kill(), 20_000_000));
    assert!(late(kill(), 20_200_000));
    // Nor is it one that has many connections to reset.
    let reset = || {
        FaultKind::ResetNow(On {
            link: Link::Edge,
            keys: ResetNow::ALL,
        })
    };
    assert!(!late(reset(), 20_000_000));
    assert!(late(reset(), 20_200_000));
    // One that is stopped does not end.
    assert!(late(FaultKind::ServerPause(ServerPause {}), 20_000_000));
}

#[test]
fn a_process_of_the_load_that_is_late_among_others_is_named() {
    let part = |number: u16, late_us: u64| {
        let mut lateness = SparseHistogram::default();
        (0..2_000).for_each(|_| lateness.record(late_us));
        let account = ShardAccount {
            number,
            clients: 100,
            cpu_seconds: 1.5,
            rss_peak_bytes: 1_000,
            fds_peak: u64::from(number),
            ..ShardAccount::default()
        };
        (account, BTreeMap::from([(40, lateness)]))
    };
    let judged = |late_us: u64| {
        let mut facts = facts(recording());
        facts.parts = vec![part(1, 100), part(2, late_us)];
        let mut result = summarize(&facts);
        judge(&mut result);
        result
    };
    let calm = judged(100);
    assert_eq!(calm.verdict.status, Status::Pass, "{:#?}", calm.verdict);
    // What stands beside the processes is of all together.
    assert_eq!(
        (calm.generator.rss_peak_bytes, calm.generator.fds_peak),
        (2_000, 2)
    );
    let late = judged(60_000);
    assert_eq!(late.verdict.status, Status::Invalid);
    let named = "shard 2 of the load was late";
    assert!(
        late.verdict.sentence.contains(named),
        "{}",
        late.verdict.sentence
    );
}

#[test]
fn a_process_of_the_load_whose_facts_are_not_in_the_result_makes_it_invalid() {
    let whole = facts(recording()).recording;
    let (sends, frames) = (whole.dispatch_delay.count(), whole.frames_received);
    let part = |number: u16, actual_sends: u64, frames_received: u64| {
        let account = ShardAccount {
            number,
            clients: 100,
            cpu_seconds: 1.5,
            rss_peak_bytes: 1_000,
            fds_peak: 10,
            actual_sends: Some(actual_sends),
            frames_received: Some(frames_received),
            ..ShardAccount::default()
        };
        (account, BTreeMap::new())
    };
    let judged = |second: (u64, u64)| {
        let mut facts = facts(recording());
        facts.parts = vec![part(1, sends - 1, frames), part(2, second.0, second.1)];
        let mut result = summarize(&facts);
        judge(&mut result);
        result.verdict
    };
    assert_eq!(judged((1, 0)).status, Status::Pass);
    for forgotten in [(2, 0), (1, 7), (0, 0)] {
        let verdict = judged(forgotten);
        assert_eq!(verdict.status, Status::Invalid, "{forgotten:?}");
        assert!(
            verdict.sentence.contains("this result holds"),
            "{}",
            verdict.sentence
        );
    }
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
        fact: None,
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
    facts.ended_processes = vec![super::EndedProcess {
        what: "Redis".to_owned(),
        seen_us: 31_000_000,
        fact: Some("could not write any more: no space was left in /tmp (TMPDIR)".to_owned()),
    }];
    let result = judged(&facts);
    assert_eq!(result.verdict.status, Status::Invalid);
    let sentence = crate::format::plain(&result.verdict.sentence);
    assert!(
        sentence.contains(
            "Redis could not write any more: no space was left in /tmp (TMPDIR), seen at"
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

/// A run on a machine that was full from one second to another; answers take `complete_us` after the recovery.
fn on_a_full_machine((from_s, to_s): (u64, u64), complete_us: u64) -> Facts {
    let mut recording = recording();
    for (key, cell) in &mut recording.cells {
        if key.interval >= 120 && key.interval < 140 {
            *cell = answered(PER_INTERVAL, complete_us);
        }
    }
    let mut facts = facts(recording);
    facts.generator.machine_cores = Some(2.0);
    facts.generator.machine_busy_ratio_max = Some(0.97);
    facts.generator.busy = vec![BusySpan {
        from_us: from_s * 1_000_000,
        to_us: to_s * 1_000_000,
        busy_ratio: 0.97,
        harness_cpu_seconds: 6.0,
        server_cpu_seconds: Some(5.0),
        helpers_cpu_seconds: 0.0,
        other_cpu_seconds: 4.5,
    }];
    facts
}

#[track_caller]
fn machine_check(facts: &Facts, change: impl FnOnce(&mut RunResult)) -> (RunResult, CheckResult) {
    let mut result = summarize(facts);
    change(&mut result);
    judge(&mut result);
    let mut checks = result.checks.iter();
    let check = checks.find(|check| check.name == "machine busy").unwrap();
    let check = CheckResult {
        finding: crate::format::plain(&check.finding),
        ..check.clone()
    };
    (result, check)
}

#[test]
fn a_latency_limit_that_broke_on_a_full_machine_is_not_the_server_s() {
    let full = on_a_full_machine((30, 38), 900_000);
    let (result, check) = machine_check(&full, |_| ());
    assert_eq!((result.exit_code, check.status), (13, CheckStatus::Broke));
    assert_eq!(
        check.finding,
        "the machine was 97 % busy from 30.0 s to 38.0 s (CPU-s on 2 cores: harness 6.0, server 5.0, other work on \
         the machine 4.5): whether that or the server broke the limit on complete p99 outside faults cannot be told"
    );
    let finding = crate::format::plain(&result.expectations[0].finding);
    assert!(
        finding.ends_with("the machine was full from 30.0 s to 38.0 s: not to be believed"),
        "{finding}"
    );
    assert!(
        result
            .verdict
            .sentence
            .contains("complete p99 outside faults"),
        "{}",
        result.verdict.sentence
    );
    // The same on a machine with room is the server's doing.
    let mut roomy = on_a_full_machine((30, 38), 900_000);
    roomy.generator.busy.clear();
    let (result, check) = machine_check(&roomy, |_| ());
    assert_eq!((result.exit_code, check.status), (10, CheckStatus::Held));
}

#[test]
fn what_held_on_a_full_machine_is_believed_and_the_machine_told() {
    let (result, check) = machine_check(&on_a_full_machine((30, 38), 45_000), |_| ());
    assert_eq!((result.exit_code, check.status), (0, CheckStatus::Held));
    assert!(
        check.finding.contains("so what held is believed"),
        "{}",
        check.finding
    );
    assert!(
        result.verdict.trust.contains("busy from"),
        "{}",
        result.verdict.trust
    );
    // A floor is the other way about: a full machine may have kept it.
    let floor =
        |result: &mut RunResult| result.plan.expect[0].bound.comparison = Comparison::AtLeast;
    let (result, check) = machine_check(&on_a_full_machine((30, 38), 45_000), floor);
    assert_eq!(
        (result.exit_code, check.status),
        (10, CheckStatus::Held),
        "it broke all the same"
    );
    let low = |result: &mut RunResult| {
        floor(result);
        result.plan.expect[0].bound.value = 1_000.0;
    };
    let (result, _) = machine_check(&on_a_full_machine((30, 38), 45_000), low);
    assert_eq!(result.exit_code, 13);
}

#[test]
fn a_full_machine_is_held_against_no_more_than_it_can_have_done() {
    // Less than five seconds; all of it in the ramp; five of it in the ramp and four behind it.
    for span in [(30, 34), (2, 10), (5, 14)] {
        let (result, check) = machine_check(&on_a_full_machine(span, 900_000), |_| ());
        assert_eq!(
            (result.exit_code, check.status),
            (10, CheckStatus::Held),
            "{span:?}"
        );
        assert!(
            check.finding.starts_with("the processors were never"),
            "{}",
            check.finding
        );
    }
    // In another part of the run.
    let during = |result: &mut RunResult| {
        let fault = json!({"kind": "during", "fault": "redis-down"});
        result.plan.expect[0].when = serde_json::from_value(fault).unwrap();
    };
    let (result, check) = machine_check(&on_a_full_machine((30, 38), 45_000), during);
    assert_eq!((result.exit_code, check.status), (10, CheckStatus::Held));
    let (result, _) = machine_check(&on_a_full_machine((19, 26), 45_000), during);
    assert_eq!(result.exit_code, 13);
    // What is no latency is not made invalid by it.
    let lost = |result: &mut RunResult| {
        result.plan.expect.remove(0);
        result.plan.expect[0].bound.value = 1_000.0;
    };
    let (result, check) = machine_check(&on_a_full_machine((26, 38), 900_000), lost);
    assert_eq!((result.exit_code, check.status), (10, CheckStatus::Held));
}

#[test]
fn a_rule_on_a_latency_that_ended_a_run_on_a_full_machine_makes_it_invalid() {
    let rule = json!({
        "what": {"kind": "latency", "stage": "complete", "statistic": "p99", "time": "response"},
        "when": {"kind": "whole_run"}, "line": 40, "bound_text": "2s",
        "bound": {"comparison": "at_least", "value": 2_000_000.0},
    });
    let ended = |facts: &mut Facts, at_us: u64| {
        facts.plan.abort_when = vec![serde_json::from_value(rule.clone()).unwrap()];
        facts.run.aborted = Some("complete p99 was 2.10 s at 37.0 s".to_owned());
        facts.run.abort = Some(Abort {
            rule: 0,
            from_us: at_us - 5_000_000,
            at_us,
            observed: 2_100_000.0,
            samples: 500,
            text: String::new(),
        });
    };
    let mut full = on_a_full_machine((30, 38), 45_000);
    ended(&mut full, 37_000_000);
    let (result, check) = machine_check(&full, |_| ());
    assert_eq!((result.exit_code, check.status), (13, CheckStatus::Broke));
    assert!(
        check
            .finding
            .contains("complete p99, by which the run was ended"),
        "{}",
        check.finding
    );
    let mut earlier = on_a_full_machine((30, 38), 45_000);
    ended(&mut earlier, 29_000_000);
    let (result, check) = machine_check(&earlier, |_| ());
    assert_eq!((result.exit_code, check.status), (10, CheckStatus::Held));
}

#[test]
fn what_no_environment_can_break_is_a_failure_even_of_an_invalid_run() {
    let mut recording = recording();
    recording.planned_sends = 5_000;
    let key = CellKey {
        interval: 150,
        fault: None,
    };
    let cell = recording.cells.get_mut(&key).unwrap();
    cell.delivery.unexpected = 1;
    let result = result_of(recording);
    assert_eq!(
        (result.exit_code, result.verdict.status),
        (14, Status::Fail),
        "{:#?}",
        result.verdict
    );
    assert!(result.verdict.sentence.starts_with("1 unexpected frame"));
    let also = &result.verdict.also;
    assert!(also[0].starts_with("the run is not valid: "), "{also:?}");
}

/// A run whose scenario expects nothing, changed by `change`.
#[track_caller]
fn unasked(change: impl FnOnce(&mut Facts)) -> RunResult {
    let mut facts = facts(recording());
    facts.plan.expect.clear();
    change(&mut facts);
    let mut result = summarize(&facts);
    judge(&mut result);
    result
}

#[track_caller]
fn breaks(name: &str, code: u8, change: impl FnOnce(&mut Facts)) -> RunResult {
    let result = unasked(change);
    let check = result.checks.iter().find(|check| check.name == name);
    let status = check.unwrap_or_else(|| panic!("no check {name}")).status;
    assert_eq!(
        (status, result.exit_code),
        (CheckStatus::Broke, code),
        "{:#?}",
        result.verdict
    );
    result
}

#[test]
fn a_run_that_expects_nothing_says_so_and_is_held_to_the_built_in_checks() {
    let result = unasked(|_| {});
    assert_eq!(result.exit_code, 0, "{:#?}", result.verdict);
    let sentence = &result.verdict.sentence;
    assert!(sentence.starts_with("Nothing was expected; the built-in checks held."));
}

#[test]
fn a_run_in_which_nobody_got_in_is_invalid_and_says_why() {
    let refused = FailureKind::Upgrade(UpgradeProblem::Status(503));
    let result = breaks("somebody got in", 13, |facts| {
        facts.recording.sessions.clear();
        let failure = Failure::said(refused, "full");
        for _ in 0..50 {
            facts.recording.failure(4, 1_000_000, &failure);
        }
    });
    assert_eq!(
        result.verdict.sentence,
        "Nobody got in: none of 200 clients had a session; most often: upgrade 503: full (50 times)."
    );
}

#[test]
fn a_run_in_which_nothing_was_sent_is_invalid() {
    let result = breaks("something was sent", 13, |facts| {
        facts.recording.dispatch_delay = SparseHistogram::default();
        facts.recording.unsent_without_socket = facts.recording.planned_sends;
    });
    assert!(
        result
            .verdict
            .sentence
            .starts_with("Nothing was sent of 2,401")
    );
}

#[test]
fn messages_that_are_never_answered_break_a_run_unless_it_allows_them() {
    let silent = |facts: &mut Facts| {
        for interval in 40..60 {
            let key = CellKey {
                interval,
                fault: None,
            };
            let cell = facts.recording.cells.get_mut(&key).unwrap();
            cell.delivery.completed -= 2;
            cell.delivery.unanswered += 2;
        }
    };
    let result = breaks("messages answered", 10, silent);
    let sentence = &result.verdict.sentence;
    assert!(
        sentence.starts_with("40 of 2,120 messages were never answered"),
        "{sentence}"
    );
    let allowed = unasked(|facts| {
        silent(facts);
        let expectation = json!({
            "what": {"kind": "delivery", "outcome": "unanswered"}, "when": {"kind": "whole_run"},
            "line": 30, "bound_text": "50", "bound": {"comparison": "at_most", "value": 50.0},
        });
        facts.plan.expect = vec![serde_json::from_value(expectation).unwrap()];
    });
    assert_eq!(allowed.exit_code, 0, "{:#?}", allowed.verdict);
}

#[test]
fn a_cut_breaks_a_run_outside_faults_only() {
    let cut_at = |interval: u32| {
        move |facts: &mut Facts| {
            let session = facts.recording.sessions.entry(interval).or_default();
            session.closes.insert((1012, CloseCause::Cut), 3);
        }
    };
    let result = breaks("no session cut", 10, cut_at(150));
    assert!(result.verdict.sentence.contains("1012: 3"));
    assert_eq!(unasked(cut_at(85)).exit_code, 0);
}

#[test]
fn a_client_that_gave_up_breaks_a_run() {
    breaks("nobody gave up", 10, |facts| {
        facts
            .recording
            .sessions
            .entry(85)
            .or_default()
            .clients_failed = 1;
    });
}

#[test]
fn protocol_errors_break_a_run_and_limits_of_ours_make_it_invalid() {
    let failed = |kind: FailureKind| {
        move |facts: &mut Facts| {
            facts.recording.failure(150, 37_500_000, &kind.into());
        }
    };
    let masked = FailureKind::Protocol(Rule::Masked);
    let result = breaks("no protocol errors", 10, failed(masked));
    assert!(result.verdict.sentence.contains("RFC 6455, 5.1"));
    breaks("limits of our own", 13, failed(FailureKind::MessageTooLong));
}

#[test]
fn what_a_fault_damaged_is_not_held_against_the_server() {
    let broken = |kind: FaultKind, interval: u32, fault: Option<u8>| {
        let result = unasked(|facts| {
            facts.plan.faults[0].kind = kind;
            let start_us = u64::from(interval) * 250_000;
            let masked = FailureKind::Protocol(Rule::Masked).into();
            facts.recording.failure(interval, start_us, &masked);
            let key = CellKey { interval, fault };
            let cell = facts.recording.cells.entry(key).or_default();
            cell.delivery.duplicated = 1;
        });
        let broke = |check: &&CheckResult| check.status == CheckStatus::Broke;
        let names = result.checks.iter().filter(broke);
        names.map(|check| check.name.clone()).collect::<Vec<_>>()
    };
    let link = Link::Edge;
    let (down, corrupt) = (Down {}.on(link), Corrupt { one_in: 100 }.on(link));
    let both = ["no protocol errors", "nothing duplicated"];
    assert_eq!(broken(down, 85, Some(0)), both);
    assert_eq!(broken(corrupt, 85, Some(0)), [""; 0]);
    assert_eq!(broken(corrupt, 150, None), both);
}

#[test]
fn what_happens_while_a_fault_is_in_force_is_booked_to_the_fault() {
    let result = unasked(|facts| {
        let failure = Failure::event("unavailable", "");
        for interval in [20, 85, 90] {
            facts.recording.failure(interval, 0, &failure);
        }
        let ours = FailureKind::ConnectQueue.into();
        facts.recording.failure(85, 0, &ours);
    });
    let booked: Vec<(Cause, &str, u64)> = result
        .failures
        .iter()
        .map(|one| (one.cause, one.label.split(':').next().unwrap(), one.count))
        .collect();
    assert_eq!(
        booked,
        [
            (Cause::Fault, "unavailable", 2),
            (Cause::Generator, "connect", 1),
            (Cause::Server, "unavailable", 1),
        ]
    );
}

/// Nothing is answered any more from that interval on.
fn silent_from(first: u32) -> impl Fn(&mut Facts) {
    move |facts: &mut Facts| {
        for (key, cell) in &mut facts.recording.cells {
            if key.interval >= first {
                cell.delivery.unanswered = cell.delivery.sent;
                cell.delivery.completed = 0;
                cell.complete = SparseHistogram::default();
            }
        }
    }
}

#[test]
fn a_fault_excuses_nothing_for_ever() {
    // Healed at 25 s, and never well again.
    let result = breaks("messages answered", 10, silent_from(100));
    assert_eq!(result.faults[0].recovery_us, None);
    let sentence = &result.verdict.sentence;
    assert!(
        sentence.contains("messages were never answered"),
        "{sentence}"
    );
    breaks("no session cut", 10, |facts| {
        silent_from(100)(facts);
        let session = facts.recording.sessions.entry(150).or_default();
        session.closes.insert((1006, CloseCause::Cut), 3);
    });
    // What goes wrong long after the heal is the server's doing again.
    let result = unasked(|facts| {
        silent_from(100)(facts);
        for interval in [101, 200] {
            facts
                .recording
                .failure(interval, 0, &Failure::event("gone", ""));
        }
    });
    let causes: Vec<Cause> = result.failures.iter().map(|one| one.cause).collect();
    assert!(causes.contains(&Cause::Fault) && causes.contains(&Cause::Server));
}

#[test]
fn refusing_every_message_in_words_is_no_work_either() {
    let result = breaks("messages answered", 10, |facts| {
        for cell in facts.recording.cells.values_mut() {
            cell.delivery.refused = cell.delivery.sent;
            cell.delivery.completed = 0;
            cell.complete = SparseHistogram::default();
        }
    });
    let sentence = &result.verdict.sentence;
    assert!(
        sentence.contains("2,401 messages was completed"),
        "{sentence}"
    );
}

#[test]
fn a_bound_that_bounds_nothing_replaces_no_check() {
    let expect = |outcome: &str, comparison: &str, value: f64| {
        let expectation = json!({
            "what": {"kind": "delivery", "outcome": outcome}, "when": {"kind": "whole_run"},
            "line": 30, "bound_text": "", "bound": {"comparison": comparison, "value": value},
        });
        unasked(|facts| {
            silent_from(40)(facts);
            facts.plan.expect = vec![serde_json::from_value(expectation).unwrap()];
        })
    };
    assert_eq!(expect("completed", "at_most", 9_000.0).exit_code, 10);
    assert_eq!(expect("unanswered", "at_least", 0.0).exit_code, 10);
    assert_eq!(expect("completed", "at_least", 10.0).exit_code, 0);
    assert_eq!(expect("unanswered", "at_most", 9_000.0).exit_code, 0);
}

#[test]
fn what_a_condition_does_to_connections_is_booked_to_it() {
    let result = unasked(|facts| {
        let idle = json!({"kind": "idle_timeout", "link": "edge", "timeout_us": 4_000_000});
        let condition = json!({
            "name": "middlebox", "at_us": 0, "for_us": 60_000_000, "kind": idle,
            "condition": true, "line": 25,
        });
        facts
            .plan
            .faults
            .push(serde_json::from_value(condition).unwrap());
        facts.stamps.push(FaultStamps {
            injecting_us: Some(0),
            confirmed_us: Some(4_000_000),
            heal_confirmed_us: Some(60_000_000),
            ..FaultStamps::default()
        });
        let cut = FailureKind::Cut(Ending::Closed).into();
        let refused = FailureKind::Upgrade(UpgradeProblem::Status(503)).into();
        facts.recording.failure(200, 50_000_000, &cut);
        facts.recording.failure(200, 50_000_000, &refused);
    });
    let booked: Vec<(&str, Cause)> = result
        .failures
        .iter()
        .map(|one| (one.label.as_str(), one.cause))
        .collect();
    assert!(
        booked.contains(&("cut without a close frame", Cause::Fault)),
        "{booked:?}"
    );
    assert!(
        booked.contains(&("upgrade 503", Cause::Server)),
        "{booked:?}"
    );
}

#[test]
fn a_bound_on_messages_that_were_not_there_cannot_tell() {
    let result = unasked(|facts| {
        facts
            .recording
            .cells
            .retain(|key, _| key.fault.is_none() && key.interval >= 120);
        let expectation = json!({
            "what": {"kind": "delivery", "outcome": "lost"}, "when": {"kind": "during", "fault": "redis-down"},
            "line": 30, "bound_text": "0", "bound": {"comparison": "equals", "value": 0.0},
        });
        facts.plan.expect = vec![serde_json::from_value(expectation).unwrap()];
    });
    let expectation = &result.expectations[0];
    assert_eq!(expectation.status, CheckStatus::Inconclusive);
    assert!(expectation.finding.starts_with("there was no message"));
}

#[test]
fn processor_time_is_held_against_the_messages_it_was_spent_on() {
    let judged = |account: ServerAccount, completed: Option<u64>| {
        let mut facts = facts(recording());
        let mut expected = facts.plan.expect.remove(0);
        expected.what = Quantity::Server {
            count: ServerCount::CpuPerMessage,
        };
        expected.when = When::WholeRun;
        expected.bound = Bound {
            comparison: Comparison::Under,
            value: 2_000.0,
        };
        facts.plan.expect = vec![expected];
        facts.server = Some(account);
        let mut result = summarize(&facts);
        result.delivery.completed = completed.unwrap_or(result.delivery.completed);
        judge(&mut result);
        (
            result.expectations[0].status,
            result.expectations[0].observed,
        )
    };
    let spent = |cpu_seconds| ServerAccount {
        cpu_seconds: Some(cpu_seconds),
        ..ServerAccount::default()
    };
    let told = |cpu_seconds| ServerAccount {
        counters: [("process_cpu_seconds_total".to_owned(), cpu_seconds)].into(),
        ..ServerAccount::default()
    };
    let messages = Some(1_000);
    let (held, broke) = (CheckStatus::Held, CheckStatus::Broke);
    assert_eq!(judged(spent(1.9), messages), (held, Some(1_900.0)));
    assert_eq!(judged(spent(2.1), messages), (broke, Some(2_100.0)));
    assert_eq!(judged(told(2.1), messages), (broke, Some(2_100.0)));
    let untold = ServerAccount::default();
    let none = (CheckStatus::Inconclusive, None);
    assert_eq!(judged(untold, messages), none);
    assert_eq!(judged(spent(1.0), Some(0)), none);
}
