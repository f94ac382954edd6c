//! What a history says, by files whose truth is known.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::{PointKind, Trend};
use super::history::{HistoryError, read};
use super::series::trend;
use crate::gate::baseline::Baseline;
use crate::gate::decision::decide;
use crate::gate::facts::RunFacts;
use crate::gate::metric::{Metric, Part};
use crate::gate::rules::{Pairing, Rules};
use crate::gate::sides::Named;
use crate::gate::synthetic::{Dice, Truth, run};
use crate::stage::Stage;

const RUNS: usize = 5;

fn runs(dice: &mut Dice, place: usize, factor: f64) -> Vec<RunFacts> {
    let truth = Truth {
        factor,
        ..Truth::calm()
    };
    let runs = (0..RUNS).map(|number| {
        let mut run = run(dice, place * RUNS + number, truth, 0.0);
        run.commit = Some(format!("{place:040x}"));
        run
    });
    runs.collect()
}

fn keep(folder: &Path, place: usize, runs: Vec<RunFacts>) {
    let kept = Baseline::of(&format!("week-{place}"), String::new(), runs, false).unwrap();
    let path = folder.join(format!("{place:03}.json"));
    fs::write(path, kept.text().unwrap()).unwrap();
}

fn gate(path: PathBuf, base: &[RunFacts], new: &[RunFacts]) {
    let named = |name: &str, runs| Named {
        name: name.to_owned(),
        runs,
    };
    let (base, new) = (named("main", base), named("change", new));
    let decision = decide(&base, &new, Pairing::ByTime, &Rules::default());
    fs::write(path, serde_json::to_vec(&decision).unwrap()).unwrap();
}

/// A history of so many baselines, twice as slow from one of them on.
fn steps(count: usize, from: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(11);
    for place in 0..count {
        let factor = if place < from { 1.0 } else { 1.5 };
        keep(folder.path(), place, runs(&mut dice, place, factor));
    }
    folder
}

fn of(folder: &Path) -> Trend {
    trend(read(&[folder.to_owned()]).unwrap(), &[])
}

/// A trend to be drawn: its files by their names alone.
pub(crate) fn sample() -> Trend {
    let folder = steps(24, 15);
    fs::write(
        folder.path().join("broken.json"),
        "{\"schema\":\"harness.gate/1\"}",
    )
    .unwrap();
    let mut trend = of(folder.path());
    let prefix = format!("{}/", folder.path().display());
    for point in trend
        .series
        .iter_mut()
        .flat_map(|series| &mut series.points)
    {
        point.file = point.file.replace(&prefix, "");
    }
    for note in &mut trend.notes {
        *note = note.replace(&prefix, "");
    }
    trend
}

#[test]
fn a_step_is_found_where_it_is_in_what_the_server_does_itself() {
    let folder = steps(24, 15);
    let trend = of(folder.path());
    let [series] = &trend.series[..] else {
        panic!("{:?}", trend.series.len());
    };
    assert_eq!(series.points.len(), 24);
    let complete = Metric::latency(Stage::Complete, Part::P50);
    let found = series
        .metrics
        .iter()
        .find(|of| of.metric == complete)
        .unwrap();
    // 31 ms of it are planned: half as much again is of the 600 µs beside them.
    assert_eq!(found.wait, Some(31_000.0));
    let [change] = &found.changes[..] else {
        panic!("{:?}", found.changes);
    };
    assert_eq!(change.point, 15);
    assert!((0.35..0.65).contains(&change.change_ratio), "{change:?}");
    assert!(change.p <= 0.01);
    let first = &series.points[15];
    assert_eq!(first.commit.as_deref(), Some(&*format!("{:040x}", 15)));
    let same = of(steps(24, 24).path());
    let changes = same.series[0].metrics.iter().map(|of| of.changes.len());
    assert_eq!(changes.sum::<usize>(), 0);
}

#[test]
fn each_run_is_one_of_a_point_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(12);
    let (base, new) = (runs(&mut dice, 0, 1.0), runs(&mut dice, 1, 1.0));
    keep(folder.path(), 0, base.clone());
    fs::create_dir(folder.path().join("deep")).unwrap();
    gate(folder.path().join("deep/gate.json"), &base, &new);
    let both = [runs(&mut dice, 2, 1.0), runs(&mut dice, 3, 1.0)];
    gate(folder.path().join("gate.json"), &both[0], &both[1]);
    let trend = of(folder.path());
    let kinds: Vec<PointKind> = trend.series[0]
        .points
        .iter()
        .map(|point| point.kind)
        .collect();
    // The base of the first gate is the baseline.
    let expected = [
        PointKind::Baseline,
        PointKind::GateNew,
        PointKind::GateBase,
        PointKind::GateNew,
    ];
    assert_eq!(kinds, expected);
    let values = &trend.series[0].metrics[0].values;
    assert!(values.iter().all(Option::is_some), "{values:?}");
}

#[test]
fn another_machine_or_load_is_another_series() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(13);
    for place in 0..6 {
        let mut runs = runs(&mut dice, place, 1.0);
        for run in &mut runs {
            if place == 4 {
                run.host.cores = 64;
            }
            if place == 5 {
                run.plan.load = "d".repeat(64);
            }
        }
        keep(folder.path(), place, runs);
    }
    let trend = of(folder.path());
    let counts: Vec<usize> = trend
        .series
        .iter()
        .map(|series| series.points.len())
        .collect();
    assert_eq!(counts, [4, 1, 1]);
}

#[test]
fn what_cannot_be_read_is_told_of_and_passed_by() {
    let folder = steps(3, 3);
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| fs::write(path(name), text).unwrap();
    write("cut.json", "{\"schema\":\"harness.baseline/1\",\"name\":");
    write("half.json", "{\"schema\":\"harness.baseline/1\"}");
    write("other.json", "{\"schema\":\"somebody.else/1\"}");
    write("text.json", "hello");
    let mut dice = Dice::new(14);
    let base = runs(&mut dice, 9, 1.0);
    gate(path("refused.json"), &base, &[]);
    let trend = of(folder.path());
    assert_eq!(trend.series[0].points.len(), 3);
    let told = ["cut.json", "half.json", "refused.json"];
    assert_eq!(trend.notes.len(), told.len(), "{:?}", trend.notes);
    for (note, name) in trend.notes.iter().zip(told) {
        assert!(note.contains(name), "{note}");
    }
    // One that was named must be what it should be.
    for name in [
        "cut.json",
        "half.json",
        "other.json",
        "text.json",
        "nothing.json",
    ] {
        assert!(read(&[path(name)]).is_err(), "{name}");
    }
    let empty = tempfile::tempdir().unwrap();
    let nothing = read(&[empty.path().to_owned()]);
    assert!(matches!(nothing, Err(HistoryError::Empty(_))));
}
