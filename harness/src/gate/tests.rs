//! What the gate decides, and what it refuses: bad input is told of, and never a confident wrong answer.

use super::baseline::{self, Baseline, BaselineError};
use super::comparison::{Decision, Outcome, Role, Row, Word};
use super::decision::decide;
use super::facts::{Ended, RunFacts};
use super::input::{self, InputError};
use super::metric::{Metric, Part};
use super::rules::{Pairing, Rules};
use super::sides::Named;
use super::statistics::Design;
use super::synthetic::{Dice, Truth, apart, pairs, run};
use crate::result::store::{RESULT_FILE, RunDir, StoreError};
use crate::stage::Stage;

type Sides = [Vec<RunFacts>; 2];

fn primary() -> Metric {
    Rules::default().primary
}

fn held(sides: &Sides, pairing: Pairing, rules: &Rules) -> Decision {
    let named = |name: &str, runs| Named {
        name: name.to_owned(),
        runs,
    };
    decide(
        &named("base", &sides[0]),
        &named("new", &sides[1]),
        pairing,
        rules,
    )
}

fn gate(sides: &Sides) -> Decision {
    held(sides, Pairing::ByTime, &Rules::default())
}

/// Runs that took turns, the new ones so many times as slow.
fn taking_turns(count: usize, factor: f64) -> Sides {
    let new = Truth {
        factor,
        ..Truth::calm()
    };
    pairs(&mut Dice::new(7), count, Truth::calm(), new)
}

fn row<'a>(decision: &'a Decision, metric: &Metric) -> &'a Row {
    decision
        .rows
        .iter()
        .find(|row| row.metric == *metric)
        .unwrap()
}

#[track_caller]
fn refused(sides: &Sides, words: &str) {
    let decision = gate(sides);
    assert_eq!(
        (decision.outcome, decision.exit_code),
        (Outcome::Refused, 12)
    );
    assert!(decision.rows.is_empty());
    let all: Vec<&str> = decision
        .refusals
        .iter()
        .map(|told| told.fact.as_str())
        .collect();
    assert!(all.iter().any(|fact| fact.contains(words)), "{all:?}");
    assert!(decision.refusals.iter().all(|told| !told.hint.is_empty()));
    assert!(decision.sentence.starts_with("Not to be compared: "));
}

#[test]
fn what_is_half_as_slow_again_is_slower() {
    let decision = gate(&taking_turns(10, 1.5));
    assert_eq!(
        (decision.outcome, decision.exit_code),
        (Outcome::Slower, 11)
    );
    assert_eq!(decision.design, Some(Design::Paired { pairs: 10 }));
    let row = row(&decision, &primary());
    assert_eq!((row.role, row.word), (Role::Primary, Word::Slower));
    let (low, high) = (row.low_ratio.unwrap(), row.high_ratio.unwrap());
    assert!(low < 0.5 && 0.5 < high, "{low} {high}");
    assert!(
        decision.sentence.contains("complete p50 is slower"),
        "{}",
        decision.sentence
    );
}

#[test]
fn what_is_faster_passes_and_is_said_to_be() {
    let decision = gate(&taking_turns(10, 0.6));
    assert_eq!((decision.outcome, decision.exit_code), (Outcome::Pass, 0));
    assert_eq!(row(&decision, &primary()).word, Word::Faster);
    assert!(row(&decision, &primary()).change_ratio.unwrap() < -0.3);
}

#[test]
fn the_same_twice_passes_where_there_are_enough_runs() {
    let quiet = Truth {
        scale: 0.2,
        ..Truth::calm()
    };
    let decision = gate(&pairs(&mut Dice::new(5), 12, quiet, quiet));
    assert_eq!(decision.outcome, Outcome::Pass, "{}", decision.sentence);
    assert_eq!(row(&decision, &primary()).word, Word::Same);
}

#[test]
fn few_noisy_runs_cannot_tell() {
    let noisy = Truth {
        scale: 3.0,
        ..Truth::calm()
    };
    let decision = gate(&pairs(&mut Dice::new(5), 4, noisy, noisy));
    assert_eq!(
        (decision.outcome, decision.exit_code),
        (Outcome::Inconclusive, 12)
    );
    assert!(
        decision.sentence.contains("cannot be told"),
        "{}",
        decision.sentence
    );
}

/// 3 ms before the new side, of which no plan knows: a tenth of what a client sees, and five times the server's own time.
#[test]
fn a_known_wait_hides_nothing() {
    let mut sides = taking_turns(5, 1.0);
    for run in &mut sides[1] {
        *run.values.get_mut(&primary()).unwrap() += 3_000.0;
    }
    let decision = gate(&sides);
    assert_eq!(decision.outcome, Outcome::Slower);
    let found = row(&decision, &primary());
    assert_eq!(found.wait, Some(31_000.0));
    assert!((found.base_own_median.unwrap() - 600.0).abs() < 100.0);
    assert!((found.new_own_median.unwrap() - 3_600.0).abs() < 100.0);
    assert!((found.base_median.unwrap() - 31_600.0).abs() < 100.0);
}

#[test]
fn a_wait_that_one_side_does_not_know_is_that_of_the_other() {
    let mut sides = taking_turns(5, 1.0);
    sides[1].iter_mut().for_each(|run| run.waits.us.clear());
    assert_eq!(row(&gate(&sides), &primary()).wait, Some(31_000.0));
    sides[0].iter_mut().for_each(|run| run.waits.us.clear());
    assert_eq!(row(&gate(&sides), &primary()).wait, None);
    let rules = Rules {
        known_waits_us: [(Stage::Complete, 30_000)].into(),
        ..Rules::default()
    };
    let named = held(&sides, Pairing::ByTime, &rules);
    assert_eq!(row(&named, &primary()).wait, Some(30_000.0));
}

#[test]
fn a_run_that_beat_its_wait_is_judged_whole() {
    let mut sides = taking_turns(5, 1.0);
    sides[1][2].values.insert(primary(), 30_000.0);
    let decision = gate(&sides);
    let found = row(&decision, &primary());
    assert_eq!(found.wait, None);
    assert!(found.reason.as_deref().unwrap().contains("judged whole"));
    assert!(found.change_ratio.is_some());
}

#[test]
fn another_metric_may_fail_the_gate_and_is_named() {
    let mut sides = taking_turns(20, 1.0);
    for run in &mut sides[1] {
        *run.values.get_mut(&Metric::RelativeCpu).unwrap() *= 1.4;
    }
    let decision = gate(&sides);
    assert_eq!(decision.outcome, Outcome::Slower);
    assert!(
        decision.sentence.contains("relative cpu"),
        "{}",
        decision.sentence
    );
    assert_eq!(row(&decision, &Metric::RelativeCpu).role, Role::Judged);
}

#[test]
fn a_difference_below_the_absolute_floor_is_none() {
    let mut sides = taking_turns(20, 1.0);
    let tiny = Metric::latency(Stage::Heartbeat, Part::P50);
    for (side, us) in sides.iter_mut().zip([100.0, 115.0]) {
        for (place, run) in side.iter_mut().enumerate() {
            run.values.insert(tiny.clone(), us + (place % 3) as f64);
        }
    }
    let rules = Rules {
        primary: tiny.clone(),
        ..Rules::default()
    };
    let decision = held(&sides, Pairing::ByTime, &rules);
    assert_eq!(decision.outcome, Outcome::Pass, "{}", decision.sentence);
    assert!((row(&decision, &tiny).limit_ratio.unwrap() - 0.25).abs() < 0.01);
}

#[test]
fn runs_that_took_turns_are_pairs_and_others_are_not() {
    let count = |design| matches!(design, Some(Design::Paired { pairs: 4 }));
    assert!(count(gate(&taking_turns(4, 1.0)).design));
    let mut dice = Dice::new(1);
    let sides = apart(&mut dice, [4, 4], Truth::calm(), Truth::calm());
    let design = gate(&sides).design;
    assert_eq!(design, Some(Design::TwoSamples { base: 4, new: 4 }));
    let named = held(&sides, Pairing::InOrder, &Rules::default());
    assert!(count(named.design));
}

#[test]
fn too_few_runs_are_refused() {
    refused(&taking_turns(2, 1.0), "fewer than 3");
    refused(&[Vec::new(), Vec::new()], "0 runs of the base");
    let [base, _] = taking_turns(4, 1.0);
    refused(&[base, Vec::new()], "0 of the new side");
}

#[test]
fn a_run_is_no_replicate_of_itself() {
    let [base, _] = taking_turns(4, 1.0);
    refused(&[base.clone(), base], "is given twice");
}

#[test]
fn other_plans_machines_and_harnesses_are_refused() {
    let changed = |change: fn(&mut RunFacts)| {
        let mut sides = taking_turns(4, 1.0);
        sides[1].iter_mut().for_each(change);
        sides
    };
    refused(
        &changed(|run| run.plan.load = "other".to_owned()),
        "different plans",
    );
    refused(
        &changed(|run| run.plan.environment = Some("other".to_owned())),
        "different environments",
    );
    refused(&changed(|run| run.host.cores = 64), "64 cores");
    refused(
        &changed(|run| run.harness_version = "0.2.0".to_owned()),
        "by 0.2.0",
    );
    let patched = gate(&changed(|run| run.harness_version = "0.1.7".to_owned()));
    assert_ne!(patched.outcome, Outcome::Refused);
    let limits = gate(&changed(|run| run.plan.whole = "other".to_owned()));
    assert_ne!(
        limits.outcome,
        Outcome::Refused,
        "a changed limit changes no measurement"
    );
}

#[test]
fn one_odd_run_among_many_is_found_too() {
    let mut sides = taking_turns(6, 1.0);
    sides[0][4].plan.load = "other".to_owned();
    refused(&sides, "different plans");
}

#[test]
fn interrupted_and_shortened_runs_are_refused() {
    let mut sides = taking_turns(4, 1.0);
    sides[1][1].end.status = Ended::Interrupted;
    refused(&sides, "was interrupted");
    let mut sides = taking_turns(4, 1.0);
    sides[0][1].end.aborted = Some("complete p99 ≥ 2 s".to_owned());
    refused(&sides, "was ended early");
}

#[test]
fn what_a_run_broke_by_itself_comes_first() {
    let ended = |side: usize, code, status| {
        let mut sides = taking_turns(10, 1.5);
        sides[side][3].end.exit_code = code;
        sides[side][3].end.status = status;
        gate(&sides).exit_code
    };
    assert_eq!(ended(1, 14, Ended::Fail), 14);
    assert_eq!(ended(1, 10, Ended::Fail), 10);
    assert_eq!(ended(1, 13, Ended::Invalid), 13);
    assert_eq!(ended(0, 13, Ended::Invalid), 13);
    // What the base broke, the new side may have mended.
    assert_eq!(ended(0, 14, Ended::Fail), 11);
    assert_eq!(ended(1, 12, Ended::Inconclusive), 11);
}

#[test]
fn zero_variance_is_no_certainty() {
    let equal = |us: f64| -> Vec<RunFacts> {
        let [mut runs, _] = taking_turns(4, 1.0);
        for run in &mut runs {
            run.values.insert(primary(), us);
        }
        runs
    };
    let mut new = equal(31_600.0);
    new.iter_mut()
        .enumerate()
        .for_each(|(place, run)| run.id = format!("r-new{place}"));
    // Equal to the last bit: the steps of the histogram are what is not known.
    let decision = gate(&[equal(31_600.0), new.clone()]);
    let found = row(&decision, &primary());
    assert_eq!(found.change_ratio, Some(0.0));
    assert!(found.low_ratio.unwrap() < 0.0 && found.high_ratio.unwrap() > 0.0);
    // One step of the histogram apart: nothing that could be told.
    for run in &mut new {
        run.values.insert(primary(), 31_616.0);
    }
    assert_ne!(gate(&[equal(31_600.0), new]).outcome, Outcome::Slower);
}

#[test]
fn values_that_are_no_numbers_are_missing() {
    for value in [f64::NAN, f64::INFINITY, 0.0, -5.0] {
        let mut sides = taking_turns(5, 1.5);
        sides[1][2].values.insert(primary(), value);
        let decision = gate(&sides);
        assert_eq!(row(&decision, &primary()).word, Word::CannotTell, "{value}");
        assert!(row(&decision, &primary()).reason.is_some());
    }
}

#[test]
fn a_primary_metric_that_nobody_carries_decides_nothing() {
    let rules = Rules {
        primary: Metric::Recovery {
            fault: "redis-down".to_owned(),
        },
        others: Vec::new(),
        ..Rules::default()
    };
    let decision = held(&taking_turns(5, 1.0), Pairing::ByTime, &rules);
    assert_eq!(
        decision.outcome,
        Outcome::Inconclusive,
        "{}",
        decision.sentence
    );
}

#[test]
fn ten_thousand_pairs_are_held_and_one_more_is_refused() {
    let small = |sides: &mut Sides| {
        for run in sides.iter_mut().flatten() {
            run.values.retain(|metric, _| *metric == primary());
        }
    };
    let mut sides = taking_turns(10_000, 1.0);
    small(&mut sides);
    let named = held(&sides, Pairing::InOrder, &Rules::default());
    assert_eq!(named.outcome, Outcome::Pass, "{}", named.sentence);
    let mut dice = Dice::new(1);
    sides[0].push(run(&mut dice, 90_001, Truth::calm(), 0.0));
    refused(&sides, "more than 10000");
}

#[test]
fn pairs_by_order_need_as_many_of_both() {
    let mut sides = taking_turns(5, 1.0);
    sides[1].pop();
    let decision = held(&sides, Pairing::InOrder, &Rules::default());
    assert_eq!(decision.outcome, Outcome::Refused);
    assert_eq!(
        gate(&sides).design,
        Some(Design::TwoSamples { base: 5, new: 4 })
    );
}

#[test]
fn a_baseline_comes_back_as_it_was_kept() {
    let [runs, _] = taking_turns(5, 1.0);
    let kept = Baseline::of(
        "main",
        "2026-01-01T00:00:00Z".to_owned(),
        runs.clone(),
        false,
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = baseline::path_of(folder.path(), "main").unwrap();
    std::fs::write(&path, kept.text().unwrap()).unwrap();
    assert_eq!(Baseline::read(&path).unwrap(), kept);
    assert_eq!(input::runs(std::slice::from_ref(&path)).unwrap(), runs);
    assert!(kept.noise.contains_key(&primary()));
    assert!(kept.noise[&primary()].deviation > 0.0);
    assert_eq!(kept.stale(&kept.host, Some(&kept.plan.load)), None);
    assert!(
        kept.stale(&kept.host, Some("other"))
            .unwrap()
            .contains("plan")
    );
    let mut host = kept.host.clone();
    host.cores += 1;
    assert!(kept.stale(&host, None).unwrap().contains("3 cores"));
}

#[test]
fn names_that_lead_elsewhere_are_no_names() {
    let folder = std::path::Path::new("x");
    for name in ["", "../main", "a/b", ".hidden", "a b", "-x", "a\u{0}"] {
        assert!(
            matches!(baseline::path_of(folder, name), Err(BaselineError::Name(_))),
            "{name}"
        );
    }
    assert!(baseline::path_of(folder, "main-2.1").is_ok());
}

#[test]
fn broken_files_say_where_they_are_broken() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let read = |path| input::runs(&[path]).unwrap_err();
    let baseline = read(file("b.json", "{\"schema\": \"harness.baseline/1\"}"));
    assert!(matches!(
        baseline,
        InputError::Baseline(BaselineError::NotABaseline { .. })
    ));
    let other = read(file("c.json", "{\"schema\": \"harness.baseline/9\"}"));
    assert!(other.to_string().contains("harness.baseline/9"), "{other}");
    let cut = read(file("d.json", "{\"schema\": \"harness.run/1\", \"run\": {"));
    assert!(
        matches!(cut, InputError::Store(StoreError::NotAResult { .. })),
        "{cut}"
    );
    let version = read(file("e.json", "{\"schema\": \"harness.run/9\"}"));
    assert!(matches!(
        version,
        InputError::Store(StoreError::OtherFormat { .. })
    ));
    let nothing = read(folder.path().join("nothing-*"));
    assert!(matches!(nothing, InputError::NoMatch(_)));
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = read(empty);
    assert!(matches!(empty, InputError::Empty(_)) && !empty.hint().is_empty());
}

#[test]
fn a_folder_of_runs_is_read_by_name_and_a_pattern_too() {
    let folder = tempfile::tempdir().unwrap();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = example.join("../reports/example").join(RESULT_FILE);
    let mut result = crate::result::store::read(&example).unwrap();
    for name in ["run-2", "run-1", "run-3"] {
        name.clone_into(&mut result.run.id);
        let bytes = serde_json::to_vec(&result).unwrap();
        let place = RunDir::create(folder.path().join(name)).unwrap();
        place.write(RESULT_FILE, &bytes).unwrap();
    }
    let ids = |path: std::path::PathBuf| -> Vec<String> {
        let runs = input::runs(&[path]).unwrap();
        runs.into_iter().map(|run| run.id).collect()
    };
    assert_eq!(ids(folder.path().to_owned()), ["run-1", "run-2", "run-3"]);
    assert_eq!(ids(folder.path().join("run-[12]")), ["run-1", "run-2"]);
}
