//! What an audit makes of plans and results.

use std::collections::BTreeSet;

use super::account::{Audit, Row, Verdict};
use super::judge::{Came, Entrance, judged};
use super::phase::{Composed, phases};
use crate::doctor;
use crate::exit::Exit;
use crate::known::Known;
use crate::plan::{self, Plan};
use crate::result::{CheckGroup, CheckResult, CheckStatus, RunResult, Status};
use crate::scenario::Overrides;

const OWN: &str = "title = \"own\"\n[load]\nclients = 5\nhold = \"5s\"\n";
/// A server of another make: a token in the query, one answer a message, no heartbeat.
const OTHER: &str = r#"
title = "other"
[environment]
target = "ws://127.0.0.1:9"
users = { password = "${env:CHAT_PASSWORD}" }
[target]
login = "none"
token = { path = "/ticket", field = "ticket" }
socket = { path = "/chat", query = "ticket" }
send = { message = '{"id":"{id}","text":"{text}"}', heartbeat = "none" }
events = { field = "type", connected = "none", answer = "reply", chunk = "none" }
[load]
clients = 5
hold = "5s"
"#;

fn plan(text: &str) -> Plan {
    plan::compile("a.toml", text, &Overrides::default()).unwrap_or_else(|told| panic!("{told}"))
}

fn tested(composed: &[Composed]) -> BTreeSet<Known> {
    composed
        .iter()
        .flat_map(|phase| phase.tests.iter().copied())
        .collect()
}

#[test]
fn at_home_every_failure_of_a_server_is_put_to_the_test() {
    let composed = phases(&plan(OWN));
    for phase in &composed {
        assert!(
            phase.left_out.is_empty(),
            "{}: {:?}",
            phase.name,
            phase.left_out
        );
        let scenario = phase.scenario.as_ref().unwrap();
        let compiled = plan(scenario);
        assert_eq!(compiled.title, phase.name);
        assert_eq!(phase.has_faults, !compiled.faults.is_empty());
        assert_eq!(compiled.load.drain_us, 15_000_000, "{}", phase.name);
    }
    let elsewhere = [
        Known::RedisNoauth,
        Known::RacingConnects,
        Known::NoBackoff,
        Known::StaleTokenRetry,
        Known::ProxyNoUpgrade,
        Known::WrongServer,
        Known::WrongSchemeOrPort,
    ];
    let all: BTreeSet<Known> = Known::all()
        .filter(|known| !elsewhere.contains(known))
        .collect();
    assert_eq!(tested(&composed), all);
}

#[test]
fn who_waits_longer_for_an_answer_goes_on_doing_so() {
    let slow = phases(&plan(&format!("{OWN}drain = \"40s\"\n")));
    let plans = slow
        .iter()
        .map(|phase| plan(phase.scenario.as_ref().unwrap()));
    assert!(
        plans
            .map(|plan| plan.load.drain_us)
            .all(|drain| drain == 40_000_000)
    );
}

#[test]
fn clients_of_an_audit_are_in_good_order_whatever_those_of_the_scenario_are() {
    let composed = phases(&plan(&format!("{OWN}defects = [\"stale-token-retry\"]\n")));
    let scenarios: Vec<&str> = composed
        .iter()
        .filter_map(|phase| phase.scenario.as_deref())
        .collect();
    assert!(scenarios.len() > 3);
    for scenario in scenarios {
        assert_eq!(plan(scenario).load.defects, []);
    }
}

#[test]
fn who_shares_a_room_is_asked_whether_everybody_in_it_hears_and_nobody_else() {
    let rooms = OTHER.replace(
        "hold = \"5s\"",
        "hold = \"5s\"\nsession = { conversation = \"group\" }",
    );
    let is_asked = |composed: &[Composed]| {
        let scenarios = composed
            .iter()
            .filter_map(|phase| phase.scenario.as_deref());
        scenarios
            .filter(|text| text.contains("\"broadcast\""))
            .count()
            > 0
    };
    let apart = phases(&plan(OTHER));
    assert!(is_asked(&phases(&plan(&rooms))) && !is_asked(&apart));
    // It may have one instance, or more behind one address.
    assert!(!tested(&phases(&plan(&rooms))).contains(&Known::MemoryLayerTwoInstances));
    let is_long = |composed: &[Composed]| {
        let rules = composed[0].scenario.as_deref().unwrap();
        rules.contains("characters = 200000")
    };
    assert!(is_long(&apart) && !is_long(&phases(&plan(OWN))));
}

#[test]
fn what_cannot_be_tried_says_why_and_is_not_tried() {
    let composed = phases(&plan(OTHER));
    let why = |known: Known| {
        let left_out = composed.iter().flat_map(|phase| &phase.left_out);
        let mut mine = left_out.filter(|(left, _)| *left == known);
        mine.next().map(|(_, why)| why.as_str()).unwrap_or_default()
    };
    assert!(why(Known::TokenImmortal).contains("how long its tokens live is not known"));
    assert!(why(Known::OriginUnchecked).contains("no cookie opens its sockets"));
    assert!(why(Known::ChunkReorder).contains("no numbered parts"));
    assert!(why(Known::MemoryLayerTwoInstances).contains("two instances"));
    assert!(
        why(Known::ConnectHang).len() > 10,
        "{}",
        why(Known::ConnectHang)
    );
    let tested = tested(&composed);
    for known in [
        Known::TokenDoubleSpend,
        Known::TokenReusable,
        Known::Silent1006,
        Known::NoServerPing,
    ] {
        assert!(tested.contains(&known), "{known:?}: {}", why(known));
    }
    let kinds: Vec<&str> = composed
        .iter()
        .filter_map(|phase| phase.scenario.as_deref())
        .collect();
    assert!(
        kinds
            .iter()
            .all(|text| !text.contains("\"origin\"") && !text.contains("\"token-age\""))
    );
}

#[test]
fn a_trial_of_the_scenario_keeps_its_numbers() {
    let own = "[[trial]]\nkind = \"token-age\"\nttl = \"7s\"\nspread = \"1s\"\n";
    let composed = phases(&plan(&format!("{OTHER}{own}")));
    let waits = composed.iter().find(|phase| phase.name == "waits").unwrap();
    assert!(
        waits.tests.contains(&Known::TokenTtlDrift),
        "{:?}",
        waits.left_out
    );
    let trials = plan(waits.scenario.as_ref().unwrap()).trials;
    let ages: Vec<u64> = trials
        .iter()
        .filter(|trial| trial.kind.name() == "token-age")
        .map(|trial| trial.kind.waits_us())
        .collect();
    assert_eq!(ages, [6_000_000]);
}

#[test]
fn a_server_that_a_phase_sets_itself_is_tried_by_the_numbers_of_the_phase() {
    let own = "[[trial]]\nkind = \"token-age\"\nttl = \"1min\"\n";
    let composed = phases(&plan(&format!("{OWN}{own}")));
    let lives = composed.iter().find(|phase| phase.name == "lives").unwrap();
    let plan = plan(lives.scenario.as_ref().unwrap());
    assert_eq!(plan.environment.server.settings["token-ttl"], "2s");
    let waits = plan
        .trials
        .iter()
        .find(|trial| trial.kind.name() == "token-age");
    assert_eq!(waits.map(|trial| trial.kind.waits_us()), Some(1_200_000));
}

#[test]
fn a_phase_of_which_nothing_can_be_judged_is_not_run() {
    let composed = phases(&plan(
        &OTHER.replace("heartbeat = \"none\"", "heartbeat = \"beat\""),
    ));
    let done = composed.iter().filter(|phase| phase.scenario.is_some());
    // A ticket whose answer was lost is tried in `waits`; the storm is told by counters that another server does not have.
    assert_eq!(
        done.map(|phase| phase.name).collect::<Vec<_>>(),
        ["rules", "waits"]
    );
    let of_attached = phases(&plan(&format!(
        "[environment]\ntarget = \"ws://127.0.0.1:9\"\nusers = {{ password = \"${{env:CHAT_PASSWORD}}\" }}\n{}",
        OWN.replace("title = \"own\"\n", "")
    )));
    let waits = of_attached
        .iter()
        .find(|phase| phase.name == "waits")
        .unwrap();
    assert!(
        !waits.tests.contains(&Known::TokenTtlDrift),
        "its tokens may live as long as it likes"
    );
}

fn example() -> RunResult {
    let text = include_str!("../../../reports/example/result.json");
    let mut result: RunResult = serde_json::from_str(text).unwrap();
    result.verdict.status = Status::Pass;
    result.expectations.clear();
    result.checks.clear();
    result
}

fn check(known: Known, status: CheckStatus) -> CheckResult {
    CheckResult {
        name: format!("looks at {}", known.name()),
        group: CheckGroup::Correctness,
        status,
        observed: "3 of 9".to_owned(),
        bound: "= 0".to_owned(),
        finding: "as seen".to_owned(),
        known: vec![known],
    }
}

fn audit(report: Option<doctor::Report>, came: &[Came]) -> Audit {
    let about = ("a".to_owned(), "harness audit a.toml".to_owned(), None);
    let composed = phases(&plan(OWN));
    judged(about, (&Entrance { report }, &composed, came), false)
}

fn row(audit: &Audit, known: Known) -> &Row {
    &audit.rows[usize::from(known.row()) - 1]
}

fn came(tests: &[Known], change: impl FnOnce(&mut RunResult)) -> Came {
    let mut result = example();
    change(&mut result);
    Came {
        name: "rules",
        tests: tests.to_vec(),
        outcome: Ok(("rules".to_owned(), Box::new(result))),
    }
}

#[test]
fn held_is_what_a_sound_run_was_made_to_show_and_did_not() {
    let looks = |status| {
        move |result: &mut RunResult| {
            result.checks = vec![
                check(Known::NoRateLimit, status),
                check(Known::CompleteMissing, status),
                check(Known::ConnectHang, status),
            ];
        }
    };
    let tests = [Known::NoRateLimit, Known::CompleteMissing];
    let verdict = |came: Came, known| row(&audit(None, &[came]), known).verdict;
    let held = || came(&tests, looks(CheckStatus::Held));
    assert_eq!(verdict(held(), Known::NoRateLimit), Verdict::Held);
    // A run that was not made to show it does not clear it, and one that shows it all the same counts.
    assert_eq!(verdict(held(), Known::ConnectHang), Verdict::Inconclusive);
    let broke = came(&tests, looks(CheckStatus::Broke));
    assert_eq!(verdict(broke, Known::ConnectHang), Verdict::Broke);
    // Nothing is lost of nothing.
    let mut silent = held();
    if let Ok((_, result)) = &mut silent.outcome {
        result.delivery.completed = 0;
        result.clients.opened = 0;
    }
    assert_eq!(
        row(&audit(None, &[silent]), Known::CompleteMissing).verdict,
        Verdict::Inconclusive
    );
    let mut invalid = held();
    if let Ok((_, result)) = &mut invalid.outcome {
        result.verdict.status = Status::Invalid;
    }
    assert_eq!(verdict(invalid, Known::NoRateLimit), Verdict::Inconclusive);
    let never = Came {
        outcome: Err("no Redis".to_owned()),
        ..held()
    };
    let audit = audit(None, &[never]);
    let row = row(&audit, Known::NoRateLimit);
    assert_eq!(
        (row.verdict, row.proof.as_str()),
        (Verdict::Inconclusive, "no Redis")
    );
}

#[test]
fn an_invalid_run_proves_only_what_nothing_else_can_show() {
    let spent = [Known::TokenDoubleSpend, Known::NoRateLimit];
    let came = came(&spent, |result| {
        result.verdict.status = Status::Invalid;
        result.checks = spent.map(|known| check(known, CheckStatus::Broke)).to_vec();
    });
    let audit = audit(None, &[came]);
    assert_eq!(row(&audit, Known::TokenDoubleSpend).verdict, Verdict::Broke);
    assert_eq!(
        row(&audit, Known::NoRateLimit).verdict,
        Verdict::Inconclusive
    );
    assert_eq!(audit.exit_code, Exit::Incorrect.code());
}

#[test]
fn what_follows_from_another_failure_says_so() {
    let both = [Known::TokenReusable, Known::TokenDoubleSpend];
    let came = came(&both, |result| {
        result.checks = both.map(|known| check(known, CheckStatus::Broke)).to_vec();
    });
    let audit = audit(None, &[came]);
    assert_eq!(
        row(&audit, Known::TokenDoubleSpend).follows_from,
        [Known::TokenReusable]
    );
    assert!(row(&audit, Known::TokenReusable).follows_from.is_empty());
}

#[test]
fn every_row_has_a_verdict_though_nothing_was_run() {
    let audit = audit(None, &[]);
    assert_eq!(audit.rows.len(), 34);
    assert_eq!(audit.count(Verdict::Untried), 3);
    assert_eq!(audit.count(Verdict::Inconclusive), 31);
    assert_eq!(audit.exit_code, Exit::Inconclusive.code());
}
