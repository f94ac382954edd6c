//! Exit codes, messages, and which of flag, variable and file wins.

use std::io::Read;
use std::process::Stdio;

use crate::support::{self, Done, command, finish, harness};

#[track_caller]
fn check(arguments: &[&str], code: i32) -> Done {
    let done = harness(arguments);
    assert_eq!(
        done.code, code,
        "{arguments:?}: {}{}",
        done.stdout, done.stderr
    );
    done
}

/// A scenario that is written for one test; the folder goes with the value.
fn written(text: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn help_names_every_exit_code() {
    let help = check(&["--help"], 0).stdout;
    for code in [0, 1, 2, 3, 5, 10, 11, 12, 13, 14, 130] {
        assert!(
            help.contains(&format!("\n  {code:>3}  ")),
            "{code} is missing:\n{help}"
        );
    }
}

#[test]
fn every_subcommand_has_help() {
    for subcommand in ["run", "plan", "check", "doctor", "list", "report", "schema"] {
        let help = check(&[subcommand, "--help"], 0).stdout;
        assert!(help.contains("Usage: harness"), "{help}");
    }
}

#[test]
fn the_readme_lists_the_exit_codes_of_the_help() {
    let help = check(&["--help"], 0).stdout;
    let readme = support::read("README.md");
    let rows = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let codes: Vec<&str> = rows.filter(|cell| cell.parse::<u8>().is_ok()).collect();
    assert!(
        codes.len() >= 10,
        "README.md has no table of exit codes: {codes:?}"
    );
    for code in codes {
        assert!(
            help.contains(&format!("\n  {code:>3}  ")),
            "{code} is not in --help"
        );
    }
}

#[test]
fn a_wrong_command_line_is_exit_2() {
    check(&[], 2);
    check(&["fly"], 2);
    check(&["plan"], 2);
    check(&["check"], 2);
    check(&["plan", "scenarios/smoke.toml", "--clients", "few"], 2);
    let done = check(&["plan", "scenarios/smoke.toml", "--duration", "5"], 2);
    assert!(
        done.stderr.contains("expected a duration with a unit"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_file_that_cannot_be_read_is_exit_2_with_the_reason() {
    let reason = |arguments: &[&str]| check(arguments, 2).stderr;
    insta::assert_snapshot!(reason(&["plan", "scenarios/no-such.toml"]), @r"
    error: scenarios/no-such.toml: cannot be read: no such file or directory
     hint: `harness list` shows the scenarios there are
    ");
    insta::assert_snapshot!(reason(&["plan", "scenarios"]), @r"
    error: scenarios: cannot be read: it is a folder, not a file
     hint: name a file; `harness list scenarios` shows which there are
    ");
    insta::assert_snapshot!(reason(&["list", "no-such-folder"]), @r"
    error: no-such-folder: cannot be listed: no such file or directory
     hint: name the folder that holds the scenarios: harness list DIR
    ");
}

#[test]
fn a_file_that_is_not_text_or_too_large_is_refused() {
    let (_folder, binary) = written(&[0xff, 0xfe, 0x00]);
    let done = check(&["check", &binary], 2);
    assert!(
        done.stderr.contains("a scenario is a TOML file in UTF-8"),
        "{}",
        done.stderr
    );
    let (_folder, large) = written(&vec![b'#'; 300_000]);
    let done = check(&["check", &large], 2);
    assert!(
        done.stderr.contains("more than 262144 bytes"),
        "{}",
        done.stderr
    );
}

#[test]
fn check_goes_on_after_a_bad_file() {
    let (_folder, bad) = written(b"[load]\nclients = 0\nhold = \"5s\"\n");
    let done = check(&["check", &bad, "scenarios/smoke.toml", &bad], 2);
    assert_eq!(
        done.stderr
            .matches("load.clients: must lie between")
            .count(),
        2,
        "{}",
        done.stderr
    );
    assert!(
        done.stdout
            .contains("scenarios/smoke.toml: ok (50 clients, 15s"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("2 of 3 scenarios cannot be run"),
        "{}",
        done.stdout
    );
}

#[test]
fn flags_scale_clients_and_holds() {
    let flags = [
        "plan",
        "scenarios/redis-outage.toml",
        "--clients",
        "9000",
        "--duration",
        "90s",
    ];
    let plan = check(&flags, 0).stdout;
    assert!(plan.contains("clients = 9000\n"), "{plan}");
    assert!(plan.contains("{ ramp = \"10s\", to = 9000 }"), "{plan}");
    assert!(plan.contains("{ hold = \"1min 20s\" }"), "{plan}");
    assert!(
        plan.contains("mix = { chatter = 8550, reconnector = 450 }"),
        "{plan}"
    );
}

#[test]
fn a_flag_comes_before_its_variable_and_that_before_the_file() {
    let seed = |flag: &[&str], variable: Option<&str>| {
        let mut command = command(&[&["plan", "scenarios/redis-outage.toml"], flag].concat());
        command.envs(variable.map(|value| ("HARNESS_SEED", value)));
        let plan = finish(command.spawn().unwrap()).stdout;
        plan.lines()
            .find(|line| line.starts_with("seed"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(seed(&[], None), "seed = 7");
    assert_eq!(seed(&[], Some("8")), "seed = 8");
    assert_eq!(seed(&["--seed", "9"], Some("8")), "seed = 9");
    assert_eq!(seed(&["--set", "seed=10"], None), "seed = 10");
    assert_eq!(seed(&["--set", "seed=10", "--seed", "9"], None), "seed = 9");
}

#[test]
fn set_reaches_into_tables_and_lists() {
    let plan = check(
        &[
            "plan",
            "scenarios/redis-outage.toml",
            "--set",
            "load.message.every=2s",
            "--set",
            "fault.redis-down.for=\"3s\"",
            "--set",
            "expect.0.under=250ms",
            "--set",
            "environment.server.settings.ping-interval=5s",
        ],
        0,
    )
    .stdout;
    for expected in [
        "every = \"2s\"",
        "for = \"3s\"",
        "under = \"250ms\"",
        "ping-interval = \"5s\"",
    ] {
        assert!(plan.contains(expected), "{expected} is missing:\n{plan}");
    }
}

#[test]
fn a_wrong_flag_is_named_instead_of_a_line() {
    let stderr = |flags: &[&str]| {
        check(
            &[&["plan", "scenarios/redis-outage.toml"], flags].concat(),
            2,
        )
        .stderr
    };
    insta::assert_snapshot!(stderr(&["--set", "load.mesage.every=2s"]), @r"
    error: --set load.mesage.every: load.mesage: unknown key
     hint: did you mean `message`?
    ");
    insta::assert_snapshot!(stderr(&["--set", "load.message.every=soon"]), @r#"
    error: --set load.message.every: load.message.every: expected a number before the unit, found "soon"
     hint: write "500ms", "5s", "2min" or "1h 30min"
    "#);
    insta::assert_snapshot!(stderr(&["--set", "fault.7.for=2s"]), @r#"
    error: --set fault.7.for: fault.7.for: `fault` has no entry "7"
     hint: entries: 1, counted from 0; or by name: `redis-down`
    "#);
    insta::assert_snapshot!(stderr(&["--set", "clients"]), @r"
    error: --set: expected KEY=VALUE
     hint: write --set load.message.every=2s
    ");
    insta::assert_snapshot!(stderr(&["--clients", "0"]), @r"
    error: invalid value '…' for '--clients <N>': must lie between 1 and 100000, found 0

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(stderr(&["--duration", "8s"]), @r"
    error: --duration 8s: load.stages: the ramps alone last 10s, and they are not scaled
     hint: give more time, or shorten a ramp with --set load.stages.0.ramp=5s
    ");
}

#[test]
fn a_run_too_short_for_its_fault_says_so() {
    let done = check(
        &["plan", "scenarios/redis-outage.toml", "--duration", "15s"],
        2,
    );
    insta::assert_snapshot!(done.stderr, @r"
    error: scenarios/redis-outage.toml:31: fault[0].at: starts at 20s, but the load ends at 15s
     hint: start it earlier, or hold the load longer
    ");
}

#[test]
fn a_target_brings_its_own_redis_and_needs_a_password() {
    let done = check(
        &[
            "plan",
            "scenarios/redis-outage.toml",
            "--target",
            "ws://127.0.0.1:8000",
        ],
        2,
    );
    insta::assert_snapshot!(done.stderr);
    let attached = [
        "plan",
        "scenarios/smoke.toml",
        "--target",
        "ws://127.0.0.1:8000",
        "--set",
        "environment.users.password=${env:CHAT_PASSWORD}",
    ];
    let plan = check(&attached, 0).stdout;
    assert!(
        plan.contains("password = \"${env:CHAT_PASSWORD}\""),
        "{plan}"
    );
    assert!(plan.contains("redis = \"none\""), "{plan}");
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let url = "redis://:hunter2@127.0.0.1:6379";
    let done = check(&["plan", "scenarios/smoke.toml", "--redis-url", url], 2);
    assert!(
        done.stderr
            .contains("a password must not be written down here"),
        "{}",
        done.stderr
    );
    assert!(!format!("{done:?}").contains("hunter2"), "{done:?}");
    let named = "redis://:${env:REDIS_PASSWORD}@127.0.0.1:6379/0";
    check(&["plan", "scenarios/smoke.toml", "--redis-url", named], 0);
}

#[test]
fn another_machine_must_be_allowed_by_name() {
    let arguments = [
        "run",
        "scenarios/smoke.toml",
        "--target",
        "ws://chat.example.com",
        "--set",
        "environment.users.password=${env:CHAT_PASSWORD}",
    ];
    insta::assert_snapshot!(check(&arguments, 2).stderr, @r"
    error: chat.example.com: is not this machine, and a load test can take it down
     hint: if it is yours to test, add --allow-host chat.example.com
    ");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["schema"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let done = finish(child);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
}

#[test]
fn a_plan_says_how_many_processes_carry_the_edge_link_here() {
    let plan = |files: u32| {
        let mut shell = std::process::Command::new("sh");
        let limited = format!("ulimit -n {files} && exec \"$0\" plan scenarios/edge-faults.toml");
        let binary = command(&[]).get_program().to_owned();
        shell.args(["-c", &limited]).arg(binary);
        shell.current_dir(support::root()).stdin(Stdio::null());
        let piped = shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = finish(piped.spawn().unwrap());
        assert_eq!(done.code, 0, "{}", done.stderr);
        let mut lines = done.stdout.lines();
        lines
            .find(|line| line.contains("edge link"))
            .map(str::to_owned)
    };
    insta::assert_snapshot!(plan(4_000).unwrap(), @"# 1 fault proxy carries the edge link: up to 1,456 files, of 4,000 allowed here");
    insta::assert_snapshot!(plan(900).unwrap(), @"# 2 fault proxies carry the edge link, each with up to 856 files, of 900 allowed here");
}

#[test]
fn a_number_below_its_range_is_refused_for_what_it_is() {
    let stderr = |flags: &[&str]| {
        let arguments = [&["plan", "scenarios/smoke.toml"], flags].concat();
        let said = check(&arguments, 2).stderr;
        said.lines().next().unwrap().to_owned()
    };
    insta::assert_snapshot!(stderr(&["--clients", "-5"]), @"error: invalid value '…' for '--clients <N>': must lie between 1 and 100000, found -5");
    insta::assert_snapshot!(stderr(&["--seed", "-1"]), @"error: invalid value '…' for '--seed <N>': must lie between 0 and 9223372036854775807, found -1");
    insta::assert_snapshot!(stderr(&["--duration", "-5s"]), @r#"error: invalid value '…' for '--duration <D>': must be longer than nothing, found "-5s""#);
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let mut command = command(&["plan", "scenarios/smoke.toml"]);
    for name in [
        "SEED",
        "CLIENTS",
        "DURATION",
        "TARGET",
        "REDIS_URL",
        "TOXIPROXY",
        "CA",
    ] {
        command.env(format!("HARNESS_{name}"), "");
    }
    let done = finish(command.spawn().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(
        done.stdout,
        check(&["plan", "scenarios/smoke.toml"], 0).stdout
    );
}

#[test]
fn a_defect_that_is_none_is_refused_before_anything_is_started() {
    let flag = |defect: &str| {
        let arguments = ["plan", "scenarios/smoke.toml", "--defect", defect];
        let said = check(&arguments, 2).stderr;
        let run = ["run", "scenarios/smoke.toml", "--defect", defect];
        assert_eq!(check(&run, 2).stderr, said);
        said
    };
    insta::assert_snapshot!(flag("complete-mising"), @r#"
    error: --defect complete-mising: environment.server.defects: unknown defect "complete-mising"
     hint: did you mean `complete-missing`?
    "#);
    insta::assert_snapshot!(flag("complete-missing=2"), @r#"
    error: --defect complete-missing=2: environment.server.defects: the share must be over 0 and at most 1, found "2"
     hint: write "complete-missing=0.01" for one in a hundred
    "#);
    insta::assert_snapshot!(flag("token-reusable=0.5"), @r#"
    error: --defect token-reusable=0.5: environment.server.defects: "token-reusable" is always so and takes no share, found "0.5"
     hint: write "token-reusable"
    "#);
    insta::assert_snapshot!(flag("no-backoff"), @r#"
    error: --defect no-backoff: environment.server.defects: unknown defect "no-backoff"
     hint: that is one of the clients: write it into load.defects
    "#);
    assert!(flag("nope").contains("known: token-double-spend, token-reusable"));
    let text = b"# ?\n[environment.server]\ndefects = [\n  \"group-leak\",\n  \"grup-leak\",\n  \"chunk-reorder=x\",\n]\n[load]\nclients = 1\nhold = \"5s\"\n";
    let (_folder, path) = written(text);
    let said = check(&["check", &path], 2).stderr;
    for line in [
        ":5: environment.server.defects: unknown defect",
        ":6: environment.server.defects: the share",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn a_defect_of_a_server_that_is_not_started_is_refused() {
    let arguments = [
        "plan",
        "scenarios/smoke.toml",
        "--target",
        "ws://127.0.0.1:8000",
        "--set",
        "environment.users.password=${env:CHAT_PASSWORD}",
        "--defect",
        "group-leak",
    ];
    insta::assert_snapshot!(check(&arguments, 2).stderr, @r"
    error: --defect group-leak: environment.server: no server is started: the run attaches to a target
     hint: leave out either `server` or `target`
    ");
}

#[test]
fn one_wrong_flag_is_one_complaint() {
    let stderr = |set: &str| check(&["plan", "scenarios/smoke.toml", "--set", set], 2).stderr;
    insta::assert_snapshot!(stderr("load.clients=abc"), @r#"
    error: --set load.clients: load.clients: expected a whole number, found "abc"
     hint: write digits, such as 200
    "#);
    insta::assert_snapshot!(stderr("fault.nope.for=3s"), @r"
    error: --set fault.nope.for: fault.nope.for: the scenario has no [[fault]]
     hint: write it into the file: --set changes entries that are there
    ");
}

#[test]
fn what_is_not_toml_says_which_key_and_what_to_write() {
    let said = |text: &str| {
        let (_folder, path) = written(text.as_bytes());
        check(&["check", &path], 2).stderr.replace(&path, "F")
    };
    insta::assert_snapshot!(said("# ?\nseed = 1\n[load]\nclients = 1\nhold = \"5s\"\nclients = 2\n"), @r"
    error: F:6: `clients` is set twice (first at line 4)
     hint: leave one of them out
    ");
    insta::assert_snapshot!(said("# ?\n[load]\nclients = 1\nhold = \"5s\"\n[load]\nlanes = 1\n"), @r"
    error: F:5: `load` is set twice (first at line 2)
     hint: leave one of them out
    ");
    insta::assert_snapshot!(said("# ?\n[load]\nhold = \"5s\"\nclients =   # how many?\n"), @r"
    error: F:4: a value is missing
     hint: write it behind the `=`: clients = …
    ");
    insta::assert_snapshot!(said("# ?\ntitle = two words\n[load]\nclients = 1\nhold = \"5s\"\n"), @r#"
    error: F:2: not TOML: a text must stand in quotes
     hint: write title = "two words"
    "#);
    insta::assert_snapshot!(said("# ?\ntitle = \"чат 💬\"\n[load]\nclients = 1\nhold = \"5s\"\n"), @r#"
    error: F:2: title: expected a short name, found "чат 💬": `💬` cannot stand in it
     hint: use letters, digits, `-` and spaces; the question belongs into the comment at the head
    "#);
}

#[test]
fn a_pipe_that_is_called_like_a_scenario_hangs_nothing() {
    let (folder, path) = written(b"# Is it read?\n[load]\nclients = 1\nhold = \"5s\"\n");
    let pipe = folder.path().join("pipe.toml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let list = check(&["list", folder.path().to_str().unwrap()], 0).stdout;
    assert!(
        list.contains("written.toml") && !list.contains("pipe.toml"),
        "{list}"
    );
    let pipe = pipe.to_str().unwrap();
    for command in ["check", "plan", "run"] {
        let said = check(&[command, pipe], 2).stderr;
        assert!(said.contains("it is no regular file"), "{said}");
    }
    let said = check(&["check", pipe, &path], 2).stdout;
    assert!(said.contains("written.toml: ok"), "{said}");
    let result = folder.path().join("result.json");
    nix::unistd::mkfifo(&result, nix::sys::stat::Mode::S_IRWXU).unwrap();
    check(&["report", folder.path().to_str().unwrap()], 5);
}
