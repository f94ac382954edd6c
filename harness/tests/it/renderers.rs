//! Saved runs, drawn again by `harness report`.

use std::path::Path;

use crate::support::{Done, harness, root};

/// The saved runs, from the root of the repository.
fn run(name: &str) -> String {
    match name {
        "fail" => "reports/example".to_owned(),
        other => format!("harness/tests/it/fixtures/runs/{other}"),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Draws the run into a fresh folder.
#[track_caller]
fn drawn(name: &str) -> (tempfile::TempDir, Done) {
    let out = tempfile::tempdir().unwrap();
    let done = harness(&["report", &run(name), "--out", out.path().to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stderr, "");
    (out, done)
}

#[track_caller]
fn check(name: &str) {
    let (out, done) = drawn(name);
    let place = out.path().to_str().unwrap();
    let stdout = done.stdout.replace(place, "OUT");
    let read = |file: &str| std::fs::read_to_string(out.path().join(file)).unwrap();
    insta::assert_snapshot!(format!("{name}_summary"), stdout);
    insta::assert_snapshot!(format!("{name}_summary_md"), read("summary.md"));
    insta::assert_snapshot!(format!("{name}_junit"), read("junit.xml"));
}

#[test]
fn a_failed_run_says_what_broke_first() {
    check("fail");
}

#[test]
fn a_passed_run_says_what_held() {
    check("pass");
}

#[test]
fn an_invalid_run_is_neither_pass_nor_fail() {
    check("invalid");
}

#[test]
fn an_interrupted_run_says_how_far_it_came() {
    check("interrupted");
}

#[test]
fn an_inconclusive_run_says_what_it_could_not_tell() {
    check("inconclusive");
}

#[test]
fn everything_but_the_result_is_drawn_unless_formats_are_named() {
    let (out, _) = drawn("pass");
    let all = files(out.path());
    for file in [
        "report.html",
        "response-time.svg",
        "series.csv",
        "metrics.prom",
        "events.jsonl",
        "journal.json",
    ] {
        assert!(
            all.iter().any(|name| name == file),
            "{file} is missing: {all:?}"
        );
    }
    assert!(!all.iter().any(|name| name == "result.json"), "{all:?}");
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    let done = harness(&[
        "report",
        &run("pass"),
        "--format",
        "md,junit,json",
        "--out",
        place,
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(
        files(out.path()),
        [".harness-run", "junit.xml", "result.json", "summary.md"]
    );
}

#[test]
fn a_result_survives_being_read_and_written() {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    let done = harness(&["report", &run("fail"), "--format", "json", "--out", place]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let value = |path: &Path| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let before = value(&root().join(run("fail")).join("result.json"));
    assert_eq!(before, value(&out.path().join("result.json")));
}

#[test]
fn a_result_is_drawn_by_its_own_name_as_well_as_by_its_folder_s() {
    let folder = tempfile::tempdir().unwrap();
    let name = root().join(run("pass")).join("result.json");
    let copy = folder.path().join("main.json");
    std::fs::copy(&name, &copy).unwrap();
    let done = harness(&["report", copy.to_str().unwrap(), "--format", "md"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(files(folder.path()), ["main.json", "summary.md"]);
    let missing = folder.path().join("no/result.json");
    refused(
        &["report", missing.to_str().unwrap()],
        5,
        &["cannot be read", " hint: name the folder of a run"],
    );
}

#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let done = harness(arguments);
    assert_eq!(done.code, code, "{}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout, "");
    for word in words {
        assert!(
            done.stderr.contains(word),
            "{word} is not in: {}",
            done.stderr
        );
    }
}

#[test]
fn what_cannot_be_read_or_written_is_exit_5_with_a_hint() {
    let empty = tempfile::tempdir().unwrap();
    let place = empty.path().to_str().unwrap();
    refused(
        &["report", place],
        5,
        &[
            "result.json: cannot be read",
            " hint: name the folder of a run",
        ],
    );
    std::fs::write(
        empty.path().join("result.json"),
        "{\"schema\": \"harness.run/0\"}",
    )
    .unwrap();
    refused(
        &["report", place],
        5,
        &["harness.run/0", "harness.run/1", " hint: "],
    );
    std::fs::write(empty.path().join("result.json"), "{\n\"schema\"").unwrap();
    refused(
        &["report", place],
        5,
        &["result.json:2:", "is not a run result"],
    );
    let file = empty.path().join("result.json").join("out");
    refused(
        &["report", &run("pass"), "--out", file.to_str().unwrap()],
        5,
        &["not a directory", "--out"],
    );
    refused(
        &["report", &run("pass"), "--format", "pdf"],
        2,
        &["pdf", "html"],
    );
}
