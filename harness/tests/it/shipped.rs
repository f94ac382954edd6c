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

#[test]
fn a_program_reads_lists_and_checks_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let good = read("scenarios/smoke.toml");
    std::fs::write(folder.path().join("good.toml"), &good).unwrap();
    let bad = "[load]\nclients = 3\nhold = \"1s\"\n[target]\nlogin = \"none\"\ntoken = \"none\"\n\n[target.send]\nmessage = 'say'\n";
    std::fs::write(folder.path().join("bad.toml"), bad).unwrap();
    let json = |words: &[&str], code: i32| -> serde_json::Value {
        let done = harness(words);
        assert_eq!(done.code, code, "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    };
    let checked = json(&["check", "--json", path], 2);
    assert_eq!(checked[1]["ok"], true);
    let problems = checked[0]["problems"].as_array().unwrap();
    // With the line of the key, not that of the file.
    let of_message = |problem: &&serde_json::Value| problem["key"] == "target.send.message";
    let message = problems.iter().find(of_message).unwrap();
    assert_eq!(message["line"], 9, "{message}");
    assert!(message["hint"].as_str().unwrap().contains("{text}"));
    let listed = json(&["list", "--json", path], 0);
    assert_eq!(listed[1]["name"], "good.toml");
    assert_eq!(listed[1]["load_us"], 15_000_000);
    assert!(listed[0]["load_us"].is_null());
    assert_eq!(harness(&["check", path]).code, 2);
    assert_eq!(
        json(&["check", "--json", "/nowhere.toml"], 2)[0]["ok"],
        false
    );
}

#[test]
fn a_report_ends_as_its_run_did_where_that_is_asked() {
    for (run, code) in [("pass", 0), ("invalid", 13)] {
        let out = tempfile::tempdir().unwrap();
        let from = format!("harness/tests/it/fixtures/runs/{run}");
        let words = ["report", &from, "--format", "json", "--out"];
        let folder = out.path().join("o");
        let words = [&words[..], &[folder.to_str().unwrap()]].concat();
        assert_eq!(harness(&words).code, 0);
        let words = [&words[..], &["--overwrite", "--exit-code"]].concat();
        assert_eq!(harness(&words).code, code);
    }
}
