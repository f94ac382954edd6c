//! Whose folder `--out` names: nothing of anybody is written over, and nothing at all before the run can begin.

use std::fs;
use std::path::Path;

use crate::case::Case;
use crate::support::{Done, command, finish, slow_tests_are_on};

/// A run that gets as far as looking for a server that is not there.
fn without_server(out: &Path, more: &[&str]) -> Done {
    let mut run = command(&["run", "scenarios/smoke.toml", "-q"]);
    run.args(["--server", "/nonexistent/reference-server", "--out"]);
    finish(run.arg(out).args(more).spawn().unwrap())
}

fn write(folder: &Path, files: &[&str]) {
    for name in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "precious").unwrap();
    }
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["logs/important/app.log", "summary.md", "plan.toml"];
    write(folder.path(), &files);
    for more in [&[][..], &["--overwrite"]] {
        let done = without_server(folder.path(), more);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains("not the folder of a run"),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr
                .contains(" hint: name a folder that is new or empty")
        );
    }
    for name in files {
        let kept = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(kept, "precious", "{name}");
    }
}

#[test]
fn a_run_that_cannot_begin_leaves_no_trace_and_no_earlier_run_harmed() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new");
    let done = without_server(&new, &[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(!new.exists());
    let earlier = fs::read("tests/it/fixtures/runs/pass/result.json").unwrap();
    write(&new, &["report.html", "logs/server.log"]);
    fs::write(new.join("result.json"), &earlier).unwrap();
    let done = without_server(&new, &["--overwrite"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert_eq!(fs::read(new.join("result.json")).unwrap(), earlier);
    for name in ["report.html", "logs/server.log"] {
        assert!(new.join(name).is_file(), "{name}");
    }
}

#[test]
fn a_folder_that_holds_a_run_is_refused_by_its_name_and_time() {
    let done = without_server(Path::new("harness/tests/it/fixtures/runs/pass"), &[]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    insta::assert_snapshot!(done.stderr, @r"
    error: --out harness/tests/it/fixtures/runs/pass: already holds run r-7f3a91c2 of 2026-11-21 06:12 UTC
     hint: name another folder, or replace that run: --overwrite
    ");
}

#[test]
fn a_run_replaces_another_only_when_asked_and_keeps_what_is_not_of_it() {
    if !slow_tests_are_on() {
        return;
    }
    let case = Case::new();
    // Too short for a p99.
    let short = [
        "--duration",
        "3s",
        "--set",
        "expect.0.what=complete p50",
        "--set",
        "expect.2.at_least=10",
    ];
    let run = |more: &[&str]| case.run("scenarios/smoke.toml", &[&short[..], more].concat());
    let first = run(&[]);
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    let id = case.result()["run"]["id"].clone();
    write(&case.out(), &["notes.txt", "logs/mine.txt", "logs/old.log"]);
    let second = run(&[]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(
        second.stderr.contains(id.as_str().unwrap()),
        "{}",
        second.stderr
    );
    assert_eq!(case.result()["run"]["id"], id);
    let third = run(&["--overwrite"]);
    assert_eq!(third.code, 0, "{}{}", third.stdout, third.stderr);
    assert_ne!(case.result()["run"]["id"], id);
    for (name, kept) in [
        ("notes.txt", true),
        ("logs/mine.txt", true),
        ("logs/old.log", false),
        ("logs/server.log", true),
        (".harness-run", false),
    ] {
        assert_eq!(case.out().join(name).exists(), kept, "{name}");
    }
}
