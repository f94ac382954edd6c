//! `harness compare`, `gate`, `baseline` and `trend`, as a user and a CI system meet them. The runs are copies of the example, changed where
//! a run would differ: no server is needed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Done, command, finish, harness, root};

/// Runs of a side whose latencies are those of the example times `factor`, give or take a few percent.
fn runs(folder: &Path, side: &str, factor: f64, change: impl Fn(&mut Value)) -> PathBuf {
    let example = fs::read_to_string(root().join("reports/example/result.json")).unwrap();
    for run in 0_u32..6 {
        let mut result: Value = serde_json::from_str(&example).unwrap();
        result["run"]["id"] = json!(format!("r-{side}{run}"));
        result["run"]["started_at"] = json!(format!("2026-11-21T06:{run:02}:04.000Z"));
        result["verdict"]["status"] = json!("pass");
        result["exit_code"] = json!(0);
        let noise = 1.0 + 0.004 * f64::from(run % 3);
        for view in result["views"].as_array_mut().unwrap() {
            for numbers in view["latency"].as_object_mut().unwrap().values_mut() {
                slow(numbers, factor * noise);
            }
        }
        change(&mut result);
        let place = folder.join(side).join(format!("run-{run}"));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("result.json"), result.to_string()).unwrap();
    }
    folder.join(side)
}

fn slow(numbers: &mut Value, factor: f64) {
    for (name, value) in numbers.as_object_mut().unwrap() {
        let Some(us) = value.as_f64().filter(|_| name.ends_with("_us")) else {
            continue;
        };
        let slower = us * factor;
        *value = if name == "mean_us" {
            json!(slower)
        } else {
            json!(format!("{slower:.0}").parse::<u64>().unwrap())
        };
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn gate(base: &Path, new: &Path, more: &[&str]) -> Done {
    harness(&[&["gate", text(base), text(new)], more].concat())
}

#[test]
fn a_slower_side_ends_with_11_and_leaves_what_ci_reads() {
    let folder = tempfile::tempdir().unwrap();
    let base = runs(folder.path(), "base", 1.0, |_| ());
    let new = runs(folder.path(), "new", 1.3, |_| ());
    let (out, summary) = (folder.path().join("gate"), folder.path().join("step.md"));
    fs::write(&summary, "before\n").unwrap();
    let mut ci = command(&["gate", text(&base), text(&new), "--out", text(&out)]);
    ci.env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary);
    let done = finish(ci.spawn().unwrap());
    assert_eq!(done.code, 11, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.starts_with("SLOWER  redis-outage: "),
        "{}",
        done.stdout
    );
    let annotation = done
        .stdout
        .lines()
        .find(|line| line.starts_with("::error "))
        .unwrap();
    assert!(
        annotation.contains("file=scenarios/redis-outage.toml,line="),
        "{annotation}"
    );
    let marker = "<!-- harness-gate: redis-outage -->";
    let said = fs::read_to_string(&summary).unwrap();
    assert!(said.starts_with(&format!("before\n{marker}\n")), "{said}");
    let files = [
        "gate.json",
        "gate.html",
        "summary.md",
        "junit.xml",
        "gl-code-quality-report.json",
    ];
    for file in files {
        assert!(out.join(file).is_file(), "{file}");
    }
    // Its own folder is used again, somebody else's never.
    assert_eq!(gate(&base, &new, &["--out", text(&out)]).code, 11);
    let theirs = gate(&base, &new, &["--out", text(&base)]);
    assert_eq!(theirs.code, 2, "{}", theirs.stderr);
}

#[test]
fn a_baseline_that_was_kept_gates_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let base = runs(folder.path(), "base", 1.0, |_| ());
    let same = runs(folder.path(), "same", 1.001, |_| ());
    let kept = folder.path().join("baselines");
    let save = [
        "baseline",
        "save",
        text(&base),
        "--name",
        "main",
        "--in",
        text(&kept),
    ];
    assert_eq!(harness(&save).code, 0);
    assert_eq!(harness(&save).code, 2, "one of that name is there");
    let file = kept.join("main.json");
    let done = gate(&file, &same, &["--primary", "complete p50"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for what in ["list", "show"] {
        let mut arguments = vec!["baseline", what, "--in", text(&kept)];
        arguments.extend((what == "show").then_some("main"));
        let done = harness(&arguments);
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(
            done.stdout.contains("6 runs of redis-outage"),
            "{}",
            done.stdout
        );
        assert!(
            done.stdout.contains("stale"),
            "its plan is none of today: {}",
            done.stdout
        );
    }
}

#[test]
fn compare_tells_and_does_not_judge() {
    let folder = tempfile::tempdir().unwrap();
    let base = runs(folder.path(), "base", 1.0, |_| ());
    let new = runs(folder.path(), "new", 1.3, |_| ());
    let pattern = format!("{}/run-*", text(&new));
    let done = harness(&["compare", text(&base), "--", &pattern]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("slower"), "{}", done.stdout);
}

#[test]
fn what_may_not_be_compared_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let base = runs(folder.path(), "base", 1.0, |_| ());
    let refused = |side: &str, change: fn(&mut Value), code: i32, words: &str| {
        let new = runs(folder.path(), side, 1.0, change);
        let done = gate(&base, &new, &[]);
        let said = done.stdout.replace('\n', " ");
        assert_eq!(done.code, code, "{said}{}", done.stderr);
        assert!(said.contains(words), "{said}");
    };
    refused(
        "seed",
        |run| run["plan"]["seed"] = json!(8),
        12,
        "different plans",
    );
    refused(
        "host",
        |run| run["run"]["host"]["cores"] = json!(64),
        12,
        "64 cores",
    );
    refused(
        "stopped",
        |run| run["run"]["interrupted"] = json!(true),
        12,
        "was interrupted",
    );
    let invalid: fn(&mut Value) = |run| {
        run["verdict"]["status"] = json!("invalid");
        run["exit_code"] = json!(13);
    };
    refused("invalid", invalid, 13, "is invalid");
    let lost: fn(&mut Value) = |run| {
        run["verdict"]["status"] = json!("fail");
        run["exit_code"] = json!(14);
    };
    refused("lost", lost, 14, "broke a promise");
    assert_eq!(gate(&base, &base, &[]).code, 12, "with itself");
    let nothing = gate(&base, &folder.path().join("nothing"), &[]);
    assert_eq!(nothing.code, 5);
    fs::write(
        folder.path().join("cut.json"),
        "{\"schema\": \"harness.run/1\", ",
    )
    .unwrap();
    let cut = gate(&base, &folder.path().join("cut.json"), &[]);
    assert!(
        cut.code == 5 && cut.stderr.contains("cut.json:1:"),
        "{}",
        cut.stderr
    );
}

#[test]
fn a_trend_is_drawn_of_what_baselines_and_gates_left() {
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history");
    let kept = history.join("baselines");
    for day in 1..=12 {
        let factor = if day < 7 { 1.0 } else { 1.4 };
        let name = format!("day-{day:02}");
        let side = runs(folder.path(), &name, factor, |result| {
            let hour = result["run"]["started_at"].as_str().unwrap().to_owned();
            result["run"]["started_at"] = json!(hour.replace("11-21", &format!("11-{day:02}")));
        });
        let save = ["baseline", "save", text(&side), "--name", &name, "--in"];
        assert_eq!(harness(&[&save, &[text(&kept)][..]].concat()).code, 0);
    }
    let last = folder.path().join("day-12");
    let new = runs(folder.path(), "new", 1.4, |_| ());
    let gated = gate(&last, &new, &["--out", text(&history.join("gate"))]);
    assert!([0, 12].contains(&gated.code), "{}", gated.stderr);
    let out = folder.path().join("trend");
    let arguments = ["trend", text(&history), "--out", text(&out)];
    let done = harness(&arguments);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stdout.contains("at point 7 (2026-11-07 06:00 UTC"),
        "{}",
        done.stdout
    );
    let trend = fs::read_to_string(out.join("trend.json")).unwrap();
    let trend: Value = serde_json::from_str(&trend).unwrap();
    let points = trend["series"][0]["points"].as_array().unwrap();
    // The base of the gate is the last baseline.
    assert_eq!(points.len(), 13);
    assert_eq!(points[12]["kind"], "gate_new");
    for file in ["trend.html", "series-1.csv", "otava.yaml"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert_eq!(harness(&arguments).code, 0, "its own folder is used again");
    let theirs = harness(&["trend", text(&history), "--out", text(&history)]);
    assert_eq!(theirs.code, 2, "{}", theirs.stderr);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("cut.json"), "{\"schema\":\"harness.gate/1\",").unwrap();
    let named = harness(&["trend", text(&empty.join("cut.json"))]);
    assert_eq!(named.code, 5, "{}", named.stderr);
    let none = harness(&["trend", text(&empty)]);
    assert_eq!(none.code, 5, "{}{}", none.stdout, none.stderr);
    assert!(none.stderr.contains("cut.json"), "{}", none.stderr);
}
