//! Runs that are repeated, and servers that take turns.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::case::server;
use crate::support::{
    Done, PASSWORD, Part, command, eventually, finish, free_address, redis_command, root,
    serve_command,
};

/// Ten clients for a few seconds: what is looked at is what becomes of the runs.
const SHORT: [&str; 8] = [
    "--duration",
    "3s",
    "--clients",
    "10",
    "--set",
    "expect.2.at_least=1",
    "--set",
    "expect.9.at_least=1",
];
const SMOKE: &str = "scenarios/smoke.toml";

#[track_caller]
fn done(arguments: &[&str], out: &Path) -> Done {
    let mut command = command(arguments);
    command.arg("--out").arg(out);
    finish(command.spawn().unwrap())
}

fn parsed(path: &Path) -> Value {
    let text = fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn results(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path().join("result.json"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_done() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let exe = "/proc/self/exe";
    for (more, said) in [
        (
            &["--base", "/nowhere", "--new", exe][..],
            "--base /nowhere: ",
        ),
        (&["--base", exe, "--new", "/tmp"], "--new /tmp: is no file"),
        (
            &["--base", exe, "--new", "rev:"],
            "expected a revision behind rev:",
        ),
        (
            &["--base", exe, "--new", exe, "--budget", "10s"],
            "and 3 are the fewest",
        ),
        (&["--base", exe, "--new", exe, "--pairs", "2"], "--pairs"),
        (
            &[
                "--base",
                exe,
                "--new",
                "ws://127.0.0.1:1",
                "--new-flag",
                "chunks=3",
            ],
            "runs already, and has its flags",
        ),
        (
            &["--base", exe, "--new", exe, "--new-flag", "jwt-secret=x"],
            "is not for here",
        ),
        (
            &["--base", exe, "--new", exe, "--target", "ws://127.0.0.1:1"],
            "has a target on each side",
        ),
    ] {
        let done = done(&[&["ab", SMOKE], more].concat(), &out);
        assert_eq!(done.code, 2, "{more:?}: {}", done.stderr);
        assert!(done.stderr.contains(said), "{more:?}: {}", done.stderr);
        assert!(!out.exists(), "{more:?}");
    }
    let unknown = done(
        &["ab", SMOKE, "--base", "rev:no-such-revision", "--new", exe],
        &out,
    );
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("has no such revision"),
        "{}",
        unknown.stderr
    );
}

#[test]
#[ignore = "slow: runs"]
fn a_repeated_run_is_as_many_runs_and_one_verdict() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let server = server();
    let server = ["--server", server.to_str().unwrap()];
    let repeat = ["run", SMOKE, "--repeat", "2"];
    let all = done(&[&repeat[..], &server, &SHORT].concat(), &out);
    // A machine that others use makes a run invalid now and then; that is a verdict too.
    assert!(
        [0, 12, 13].contains(&all.code),
        "{} {}",
        all.stdout,
        all.stderr
    );
    assert!(all.stdout.contains("\nrun-001 "), "{}", all.stdout);
    assert!(all.stdout.contains("\nfrom run to run "), "{}", all.stdout);
    assert_eq!(results(&out).len(), 2);
    let codes: Vec<u64> = parsed(&out.join("runs.json"))["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["exit_code"].as_u64().unwrap())
        .collect();
    assert_eq!(codes.len(), 2);
    assert!(codes.contains(&u64::try_from(all.code).unwrap()));
    // One expectation that no run meets.
    let bad = temp.path().join("bad");
    let unmet = ["--set", "expect.1.under=1us"];
    let bad = done(&[&repeat[..], &server, &SHORT, &unmet].concat(), &bad);
    assert!(
        [10, 13].contains(&bad.code),
        "{} {}",
        bad.stdout,
        bad.stderr
    );
    // A folder that holds something is left alone.
    let again = done(&[&repeat[..], &server, &SHORT].concat(), &out);
    assert_eq!(again.code, 2, "{}", again.stderr);
}

#[test]
#[ignore = "slow: runs"]
fn a_run_that_is_interrupted_keeps_what_is_there_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let server = server();
    let mut command = command(&["run", SMOKE, "--repeat", "9", "--server"]);
    command.arg(server).args(SHORT).arg("--out").arg(&out);
    let child = command.spawn().unwrap();
    eventually("a first run", || out.join("run-001/result.json").is_file());
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let done = finish(child);
    assert_eq!(done.code, 130, "{} {}", done.stdout, done.stderr);
    assert!(
        done.stdout.contains("what is there is kept"),
        "{}",
        done.stdout
    );
    assert!(out.join("run-001/result.json").is_file());
    assert!(!out.join("run-009").exists());
}

/// Waits as long as several runs and builds take.
fn waited(mut command: Command) -> Done {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Done {
        code: done.status.code().unwrap(),
        stdout: text(&done.stdout),
        stderr: text(&done.stderr),
    }
}

/// The gate's answer, and what there is to see of it.
fn compared(out: &Path, more: &[&str]) -> (Done, Value) {
    let mut command = command(&[&["gate", "--ab", SMOKE], more, &SHORT].concat());
    command.arg("--out").arg(out);
    let done = waited(command);
    let path = out.join("gate/gate.json");
    assert!(path.is_file(), "{} {}", done.stdout, done.stderr);
    let decision = parsed(&path);
    (done, decision)
}

#[test]
#[ignore = "slow: six runs"]
fn a_server_that_does_its_work_four_times_is_found_after_three_pairs() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let server = server();
    let server = server.to_str().unwrap();
    let sides = [
        "--base",
        server,
        "--new",
        server,
        "--new-flag",
        "slow-cpu=300%",
    ];
    let (done, decision) = compared(&out, &[&sides[..], &["--pairs", "8"]].concat());
    assert_eq!(done.code, 11, "{} {}", done.stdout, done.stderr);
    assert_eq!(decision["outcome"], "slower");
    for side in ["base", "new"] {
        let kept = results(&out.join(side));
        assert!(kept.len() >= 3, "{kept:?}");
        assert_eq!(decision[side]["runs"].as_array().unwrap().len(), kept.len());
    }
    assert!(done.stderr.contains("order seed "), "{}", done.stderr);
    assert!(
        done.stderr.contains("look after 3 pairs"),
        "{}",
        done.stderr
    );
    // The same files as any gate's.
    for file in [
        "gate.json",
        "summary.md",
        "junit.xml",
        "gl-code-quality-report.json",
    ] {
        assert!(out.join("gate").join(file).is_file(), "{file}");
    }
}

/// Adds 3 ms to what the server says, at a proxy that is there.
fn delay(api: SocketAddr) {
    let toxic = r#"{"type":"latency","stream":"downstream","attributes":{"latency":3}}"#;
    let mut socket = TcpStream::connect(api).unwrap();
    let length = toxic.len();
    let ask = format!(
        "POST /proxies/edge/toxics HTTP/1.1\r\nHost: {api}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{toxic}"
    );
    socket.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
#[ignore = "slow: six runs"]
fn three_milliseconds_outside_the_plan_are_found_beside_a_planned_wait() {
    let temp = tempfile::tempdir().unwrap();
    let [redis, chat, api, edge] = [(); 4].map(|()| free_address());
    let _redis = Part::start(redis_command(redis, temp.path()), redis);
    let _chat = Part::start(serve_command(chat, redis), chat);
    let config = temp.path().join("proxies.json");
    let proxies = format!(r#"[{{"name":"edge","listen":"{edge}","upstream":"{chat}"}}]"#);
    fs::write(&config, proxies).unwrap();
    let mut proxy = command(&["proxy", "--listen", &api.to_string(), "--config"]);
    proxy
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _proxy = Part::start(proxy, edge);
    delay(api);
    let (base, new) = (format!("ws://{chat}"), format!("ws://{edge}"));
    let out = temp.path().join("out");
    let mut ab = command(&["ab", SMOKE, "--base", &base, "--new", &new, "--pairs", "5"]);
    ab.args(SHORT).arg("--out").arg(&out);
    ab.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"]);
    ab.args(["--known-wait", "complete=31ms"])
        .env("CHAT_PASSWORD", PASSWORD);
    let done = waited(ab);
    assert_eq!(done.code, 11, "{} {}", done.stdout, done.stderr);
    let decision = parsed(&out.join("gate/gate.json"));
    let rows = decision["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["role"] == "primary").unwrap();
    assert_eq!(row["wait"], json!(31_000.0));
    let number = |key: &str| row[key].as_f64().unwrap();
    let more_us = number("new_own_median") - number("base_own_median");
    assert!((2_500.0..6_000.0).contains(&more_us), "{row}");
    // Taken whole it would be a tenth; of the server's own time it is a multiple.
    assert!(number("change_ratio") > 0.3, "{row}");
    assert!(number("new_median") / number("base_median") < 1.2, "{row}");
}

fn git(folder: &Path, words: &[&str]) -> String {
    let done = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "git {words:?}: {said}");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[test]
#[ignore = "slow: builds the server twice, and runs"]
fn a_pull_request_that_makes_the_server_slower_is_told_where_and_how_much() {
    let temp = tempfile::tempdir().unwrap();
    let clone = temp.path().join("clone");
    let here = root();
    let (here, there) = (here.to_str().unwrap(), clone.to_str().unwrap());
    git(temp.path(), &["clone", "--quiet", "--shared", here, there]);
    // The change of the pull request: each message costs four times as much.
    let slow = clone.join("reference-server/src/args/slow.rs");
    let text = fs::read_to_string(&slow).unwrap();
    let changed = text.replace("default_value = \"0%\"", "default_value = \"300%\"");
    assert_ne!(text, changed);
    fs::write(&slow, changed).unwrap();
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    git(
        &clone,
        &[
            &who[..],
            &["commit", "--quiet", "--all", "--message", "slower"],
        ]
        .concat(),
    );
    let out = temp.path().join("out");
    let summary = temp.path().join("step-summary.md");
    let mut ab = command(&[
        "gate",
        "--ab",
        SMOKE,
        "--base",
        "rev:HEAD~1",
        "--new",
        "rev:HEAD",
    ]);
    ab.args(["--profile", "dev", "--pairs", "5"]).args(SHORT);
    ab.arg("--out").arg(&out).current_dir(&clone);
    ab.env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary);
    let done = waited(ab);
    assert_eq!(done.code, 11, "{} {}", done.stdout, done.stderr);
    let annotations: Vec<&str> = done
        .stdout
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert!(!annotations.is_empty(), "{}", done.stdout);
    // Each at the line on which the scenario expects something of its stage; of what it expects nothing of, the first.
    let scenario = fs::read_to_string(clone.join(SMOKE)).unwrap();
    for annotation in &annotations {
        let title = annotation.split_once("title=").unwrap().1;
        let stage = title.split(' ').next().unwrap();
        let mut lines = scenario.lines();
        let line = lines.position(|line| line.contains(&format!("what = \"{stage} ")));
        let at = format!("file=scenarios/smoke.toml,line={},", line.unwrap_or(0) + 1);
        assert!(annotation.contains(&at), "{at}: {annotation}");
    }
    let comment = fs::read_to_string(out.join("gate/summary.md")).unwrap();
    assert!(
        comment.starts_with("<!-- harness-gate: smoke -->\n"),
        "{comment}"
    );
    assert!(comment.contains("complete p50"), "{comment}");
    assert!(fs::read_to_string(&summary).unwrap().contains(&comment));
    // What was built is kept by its commit; the worktree is gone.
    let built = clone.join("target/harness-ab/bin");
    assert_eq!(fs::read_dir(&built).unwrap().count(), 2);
    assert_eq!(git(&clone, &["worktree", "list"]).lines().count(), 1);
}
