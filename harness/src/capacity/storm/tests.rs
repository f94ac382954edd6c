//! The plan of a storm, and what a run of it says.

use super::*;
use crate::plan::{compile, hash, to_toml};
use crate::scenario::Overrides;
use crate::scenario::expectation::Outcome;

const CALM: &str = "# Why?
title = \"calm\"
[load]
clients = 40
stages = [{ ramp = \"1s\" }, { hold = \"8s\" }, { ramp = \"2s\", to = 10 }]
message = { every = \"2s\" }
";

fn compiled(text: &str) -> Plan {
    compile("calm.toml", text, &Overrides::default()).unwrap()
}

fn planned(text: &str, flag_us: Option<u64>) -> (Plan, Within) {
    let calm = compiled(text);
    let within = Within::of(flag_us, &calm);
    (plan(&calm, &within), within)
}

#[test]
fn half_of_the_connections_are_cut_in_the_middle_of_the_hold_and_all_have_time_to_come_back() {
    let (storm, within) = planned(CALM, Some(3 * US_PER_S));
    assert_eq!(within.us, 3 * US_PER_S);
    let cut = &storm.faults[0];
    assert_eq!((cut.at_us, storm.faults.len()), (5 * US_PER_S, 1));
    assert_eq!(cut.kind.link(), Some(Link::Edge));
    assert!(storm.environment.proxies.contains(&Link::Edge));
    assert!(storm.environment.proxies.contains(&Link::Redis));
    // 1 s of ramp, 4 s before the cut, and 3 + 5 s after it; nobody leaves meanwhile.
    assert_eq!(storm.load.load_us(), 13 * US_PER_S);
    assert_eq!(storm.load.stages.last().unwrap().to, 40);
    let (long, _) = planned(&CALM.replace("8s", "60s"), Some(3 * US_PER_S));
    assert_eq!(long.faults[0].at_us, 31 * US_PER_S);
    assert_eq!(long.load.load_us(), 61 * US_PER_S);
    let (peak, _) = planned(&CALM.replace("{ hold = \"8s\" }, ", ""), Some(3 * US_PER_S));
    assert_eq!(peak.load.load_us(), 10 * US_PER_S);
    assert_eq!(peak.load.stages.len(), 2);
}

#[test]
fn the_file_of_a_storm_is_the_plan_of_it() {
    let own = "[environment]\nproxies = ['edge']\n[[fault]]\nname = 'own'\nat = '2s'\nlink = 'edge'\nkind = 'reset_now'\n\
        [[fault]]\nname = 'far'\nat = '0s'\nlink = 'edge'\nkind = 'latency'\nlatency = '20ms'\n\
        [[trial]]\nkind = 'flood'\n\
        [[expect]]\nwhat = 'complete p99'\nunder = '200ms'\n\
        [[expect]]\nwhat = 'lost'\nequals = 0\n\
        [[expect]]\nwhat = 'lost'\nequals = 0\nwhen = 'during own'\n";
    let (storm, within) = planned(&format!("{CALM}{own}"), None);
    let names: Vec<&str> = storm
        .faults
        .iter()
        .map(|fault| fault.name.as_str())
        .collect();
    // The network stays as it was.
    assert_eq!(names, [NAME, "far"]);
    assert!(storm.trials.is_empty());
    let asked: Vec<String> = storm.expect.iter().map(|of| of.what.text()).collect();
    assert_eq!(asked, ["lost", "reconnect max", "failed clients"]);
    let again = compile("storm.toml", &to_toml(&storm), &Overrides::default()).unwrap();
    assert_eq!(again.title, "calm-storm");
    let limits = again.expect.iter().map(|of| of.bound.value);
    assert_eq!(limits.collect::<Vec<_>>(), [0.0, within.us as f64, 0.0]);
    assert_eq!(hash(&again), hash(&compiled(&to_toml(&again))));
    assert_eq!(
        (again.faults, again.load.stages),
        (
            // Only the line is another one.
            compiled(&to_toml(&storm)).faults,
            storm.load.stages
        )
    );
}

#[test]
fn clients_have_as_long_as_flag_scenario_or_their_own_patience_say() {
    let within = |more: &str, flag_us| {
        let within = Within::of(flag_us, &compiled(&format!("{CALM}{more}")));
        (within.us / US_PER_S, within.of)
    };
    assert_eq!(within("", None).0, 30);
    assert_eq!(within("reconnect = { cap = '12s' }\n", None).0, 12);
    assert_eq!(
        within("reconnect = { first = '1s', cap = '2s' }\n", None).0,
        5
    );
    assert_eq!(within("reconnect = { cap = '5min' }\n", None).0, 30);
    let cut = "[environment]\nproxies = ['edge']\n[[fault]]\nname = 'own'\nat = '2s'\nlink = 'edge'\nkind = 'reset_now'\n";
    let recovery = "[[expect]]\nwhat = 'recovery'\nunder = '4s'\n";
    let reconnect = "[[expect]]\nwhat = 'reconnect p99'\nunder = '7s'\n";
    assert_eq!(within(&format!("{cut}{recovery}"), None).0, 4);
    let (s, of) = within(&format!("{cut}{recovery}{reconnect}"), None);
    assert_eq!(
        (s, of.as_str()),
        (7, "the scenario's limit of reconnect p99")
    );
    assert_eq!(within(&format!("{cut}{recovery}"), Some(US_PER_S)).0, 1);
    // At least so long is no limit.
    let least = recovery.replace("under", "at_least");
    assert_eq!(within(&format!("{cut}{least}"), None).0, 30);
}

#[test]
fn who_is_back_late_or_never_is_told_from_what_else_broke() {
    let within = Within {
        us: 5 * US_PER_S,
        of: String::new(),
    };
    let storm = |came, failed, longest_us| Storm {
        came,
        failed,
        longest_us,
        clients: 40,
        ..Storm::without(9, within.clone(), String::new())
    };
    let text = |storm: Storm| format::plain(&storm.text());
    assert_eq!(
        text(storm(Came::Held, 0, Some(1_500_000))),
        "half of 40 clients back within 1.50 s"
    );
    assert_eq!(
        text(storm(Came::Broke, 0, Some(1_500_000))),
        "half of 40 clients back within 1.50 s, and yet it broke"
    );
    assert_eq!(
        text(storm(Came::Broke, 1, Some(1_500_000))),
        "half of 40 clients not all back within 5 s"
    );
    assert_eq!(
        text(storm(Came::Broke, 0, Some(6_000_000))),
        "half of 40 clients not all back within 5 s"
    );
    assert_eq!(
        text(storm(Came::Broke, 0, None)),
        "half of 40 clients not all back within 5 s"
    );
    assert_eq!(text(storm(Came::Unclear, 0, None)), "could not be told");
}

#[test]
fn a_promise_is_kept_in_a_storm_and_a_latency_is_not_asked_for() {
    let of = |what, when| Expectation {
        what,
        when,
        bound: Bound {
            comparison: Comparison::Equals,
            value: 0.0,
        },
        bound_text: String::new(),
        line: 0,
    };
    let delivery = |outcome| Quantity::Delivery { outcome };
    assert!(is_of_loss(&of(delivery(Outcome::Lost), When::WholeRun)));
    assert!(is_of_loss(&of(
        Quantity::FailedClients,
        When::OutsideFaults
    )));
    assert!(!is_of_loss(&of(
        delivery(Outcome::Unanswered),
        When::WholeRun
    )));
    assert!(!is_of_loss(&of(delivery(Outcome::Lost), When::Ramp)));
    assert!(!is_of_loss(&of(Quantity::CutSessions, When::WholeRun)));
}
