//! What comes with the binary: scenarios and protocols by name, completions, manual pages.

use crate::support::{command, finish, harness, read, scenarios};

#[test]
fn what_ships_is_run_by_its_name_and_copied_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut command = command(words);
        command.current_dir(folder.path());
        finish(command.spawn().unwrap())
    };
    let listed = run(&["list"]);
    assert!(listed.stdout.contains("redis-outage "), "{}", listed.stdout);
    let planned = run(&["plan", "smoke"]);
    assert!(
        planned.stderr.contains("harness init smoke"),
        "{}",
        planned.stderr
    );
    let made = run(&["init"]);
    assert_eq!(
        (made.code, &*made.stdout),
        (0, "smoke.toml\nnext: harness run smoke.toml\n")
    );
    let copy = run(&["plan", "smoke.toml"]);
    let body = |text: &str| text.split_once("[environment]").unwrap().1.to_owned();
    assert_eq!(body(&copy.stdout), body(&planned.stdout));
    let again = run(&["init"]);
    assert_eq!(again.code, 2);
    assert!(
        again.stderr.contains("is there already"),
        "{}",
        again.stderr
    );
    let unknown = run(&["init", "smok"]);
    assert!(
        unknown.stderr.contains("protocols: contract"),
        "{}",
        unknown.stderr
    );
    assert_eq!(run(&["init", "socket.io", "--out", "own.toml"]).code, 0);
    assert!(folder.path().join("own.toml").exists());
    assert_eq!(run(&["plan", "nothing"]).code, 2);
}

#[test]
fn every_scenario_of_the_repository_ships() {
    for path in scenarios() {
        if path.ends_with("/rules.toml") {
            continue;
        }
        let name = path.rsplit('/').next().unwrap().trim_end_matches(".toml");
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("copy.toml");
        let done = harness(&["init", name, "--out", out.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), read(&path));
    }
}

#[test]
fn shells_and_readers_are_told_of_every_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let done = harness(&["man", "--out", pages.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let script = harness(&["completions", "bash"]).stdout;
    for name in ["run", "gate", "capacity", "doctor", "import"] {
        let page = std::fs::read_to_string(pages.join(format!("harness-{name}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{name}");
        assert!(
            script.contains(&format!("harness__subcmd__{name}")),
            "{name}"
        );
    }
    assert!(harness(&["man"]).stdout.contains(".TH harness 1"));
}
