//! This module runs whole scenarios against the real server and a real Redis.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::case::{Case, number};
use crate::support::{command, finish};

/// How long a stopped run may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[test]
#[ignore = "slow: drives a load"]
fn edge_faults_reach_every_client_through_a_pair_of_processes() {
    let case = Case::new();
    let done = case.run(
        "scenarios/edge-faults.toml",
        &["--clients", "80", "--set", "environment.edge_processes=2"],
    );
    let result = case.result();
    assert_eq!(
        done.code,
        0,
        "{}{}\n{}",
        done.stdout,
        done.stderr,
        case.logs()
    );
    let opened = number(&result, "/clients/opened");
    // Reset once, and cut once more where the black hole swallowed something.
    assert!(opened >= 80 * 2, "{opened} sockets");
    assert!(number(&result, "/clients/cut") >= 80);
    for (place, name) in ["slow-edge", "reset-all", "swallowed"].iter().enumerate() {
        let fault = &result["faults"][place];
        assert_eq!(fault["name"], *name);
        assert_eq!(fault["confirmed"], true, "{fault}");
    }
    assert_eq!(result["conditions"][0]["confirmed"], true);
    assert_eq!(number(&result, "/delivery/lost"), 0);
    let links = result["run"]["host"]["links"].to_string();
    for address in ["127.0.0.1", "127.0.0.2"] {
        assert!(links.contains(&format!("edge: {address}:")), "{links}");
    }
}

/// A fault that delays and refuses nothing, and is felt all the same: by the tolerance of half a second.
#[track_caller]
fn a_slow_fault_is_felt(scenario: &str, set: &[&str]) {
    let mut more = vec!["--clients", "60", "--set", "load.message.every=1s"];
    for set in set {
        more.extend(["--set", *set]);
    }
    let case = Case::new();
    let done = case.run(scenario, &more);
    let result = case.result();
    let fault = &result["faults"][0];
    assert_eq!(fault["confirmed"], true, "{}{}", done.stdout, case.logs());
    assert_eq!(number(&result, "/faults/0/tolerance_us"), 500_000);
    let impact_us = number(&result, "/faults/0/impact_us");
    // The first that was asked in it, or was under way, was overdue half a second later, give or take a busy machine.
    assert!((1..3_000_000).contains(&impact_us), "{fault}");
    let shown = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains(": impact ") && !shown.contains("impact none"),
        "{}",
        done.stdout
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_slow_redis_is_felt() {
    let set = [
        "load.stages=[{ ramp = \"2s\" }, { hold = \"15s\" }]",
        "fault.0.at=4s",
        "fault.0.for=4s",
        "expect.1.what=token max service",
    ];
    a_slow_fault_is_felt("scenarios/redis-slow.toml", &set);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_slow_network_is_felt() {
    let set = [
        "load.stages=[{ ramp = \"2s\" }, { hold = \"18s\" }]",
        "fault=[{ name = \"slow-edge\", at = \"4s\", for = \"4s\", link = \"edge\", kind = \"latency\", latency = \"700ms\" }]",
    ];
    a_slow_fault_is_felt("scenarios/edge-faults.toml", &set);
}

/// A counter of the server, over the run; its samples with other labels left out.
#[track_caller]
fn counted(result: &Value, sample: &str) -> u64 {
    let counters = result
        .pointer("/server/counters")
        .and_then(Value::as_object)
        .unwrap();
    let value = counters
        .get(sample)
        .unwrap_or_else(|| panic!("no {sample} in {counters:?}"));
    format!("{:.0}", value.as_f64().unwrap()).parse().unwrap()
}

#[test]
#[ignore = "slow: drives a load"]
fn harness_goose_and_server_count_the_same() {
    let case = Case::new();
    let done = case.run("scenarios/smoke.toml", &[]);
    let result = case.result();
    assert_eq!(
        done.code,
        0,
        "{}{}\n{}",
        done.stdout,
        done.stderr,
        case.logs()
    );
    assert!(done.stdout.starts_with("PASS"), "{}", done.stdout);

    let tokens = number(&result, "/clients/tokens_ok");
    assert_eq!(tokens, number(&result, "/goose/requests/token/ok"));
    assert_eq!(tokens, counted(&result, "chat_tokens_issued_total"));
    assert!(tokens > 50, "reconnectors fetch more than one: {tokens}");

    let opened = number(&result, "/clients/opened");
    assert_eq!(opened, counted(&result, "chat_connections_opened_total"));
    assert_eq!(opened, counted(&result, "chat_tokens_consumed_total"));
    assert_eq!(opened, number(&result, "/closes/1000"));
    assert_eq!(
        opened,
        counted(&result, "chat_connections_closed_total{code=\"1000\"}")
    );

    let completed = number(&result, "/delivery/completed");
    assert_eq!(completed, number(&result, "/delivery/sent"));
    assert_eq!(
        completed,
        counted(&result, "chat_messages_total{type=\"queued\"}")
    );
    assert_eq!(
        completed,
        counted(&result, "chat_messages_total{type=\"completed\"}")
    );
    assert_eq!(
        completed,
        number(&result, "/latency/complete/response/count")
    );
    assert_eq!(
        number(&result, "/goose/requests/login/ok"),
        number(&result, "/goose/users")
    );
}

#[track_caller]
fn a_defect_is_caught(defect: &str, count: &str, word: &str) {
    let case = Case::new();
    let done = case.run("scenarios/smoke.toml", &["--defect", defect]);
    let result = case.result();
    assert_eq!(
        done.code,
        14,
        "{}{}\n{}",
        done.stdout,
        done.stderr,
        case.logs()
    );
    assert!(number(&result, &format!("/delivery/{count}")) >= 1);
    let sentence = result
        .pointer("/verdict/sentence")
        .and_then(Value::as_str)
        .unwrap();
    assert!(sentence.contains(word), "{sentence}");
    assert!(case.page().contains(word), "the page does not say it");
    assert!(done.stdout.contains(word), "{}", done.stdout);
}

#[test]
#[ignore = "slow: drives a load"]
fn an_answer_without_its_end_is_lost() {
    a_defect_is_caught("complete-missing=0.02", "lost", "lost");
}

#[test]
#[ignore = "slow: drives a load"]
fn chunks_in_the_wrong_order_are_told() {
    a_defect_is_caught("chunk-reorder=0.05", "out_of_order", "out of order");
}

#[test]
#[ignore = "slow: drives a load"]
fn an_outage_of_redis_is_survived_and_reported() {
    let case = Case::new();
    let shorter = [
        "--clients",
        "200",
        "--set",
        "load.stages=[{ramp=\"3s\"},{hold=\"22s\"}]",
    ];
    let fault = [
        "--set",
        "fault.0.at=8s",
        "--set",
        "fault.0.for=4s",
        "--set",
        "load.message.every=1s",
    ];
    // Ten reconnectors do not ask often enough in four seconds to support a p99; the maximum is stricter.
    let tokens = ["--set", "expect.1.what=token max service"];
    let more: Vec<&str> = shorter
        .iter()
        .chain(&fault)
        .chain(&tokens)
        .copied()
        .collect();
    let done = case.run("scenarios/redis-outage.toml", &more);
    let result = case.result();
    assert_eq!(
        done.code,
        0,
        "{}{}\n{}",
        done.stdout,
        done.stderr,
        case.logs()
    );
    let stamps = result.pointer("/faults/0/stamps").unwrap();
    let order = [
        "injecting_us",
        "injected_us",
        "confirmed_us",
        "healing_us",
        "healed_us",
        "heal_confirmed_us",
    ];
    let times: Vec<u64> = order
        .iter()
        .map(|name| stamps[name].as_u64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{stamps}");
    assert!(
        number(&result, "/errors/unavailable") > 0,
        "{}",
        result["errors"]
    );
    assert!(number(&result, "/clients/tokens_failed") > 0);
    for broken in ["lost", "duplicated", "out_of_order", "unexpected"] {
        assert_eq!(
            number(&result, &format!("/delivery/{broken}")),
            0,
            "{broken}"
        );
    }
    assert_eq!(number(&result, "/clients/cut"), 0);
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes whose standard streams or logs lie in the folder: the children of a run.
pub(crate) fn processes_of(folder: &Path) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let uses = |pid: &i32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| target.starts_with(folder))
    };
    pids.filter(uses).collect()
}

#[test]
#[ignore = "slow: drives a load"]
fn an_interrupted_run_saves_what_it_saw_and_leaves_nothing_running() {
    let case = Case::new();
    let child = case.command("scenarios/smoke.toml", &[]).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let log = case.out().join("logs/server.log");
    eventually("the server is started", Duration::from_secs(20), || {
        log.is_file()
    });
    // Some of the load, not only the start.
    std::thread::sleep(Duration::from_secs(4));
    let asked = Instant::now();
    kill(pid, Signal::SIGINT).unwrap();
    let done = finish(child);
    assert!(asked.elapsed() < STOP_WITHIN, "took {:?}", asked.elapsed());
    assert_eq!(done.code, 130, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.starts_with("INTERRUPTED"), "{}", done.stdout);
    let result = case.result();
    assert_eq!(result.pointer("/run/interrupted"), Some(&Value::Bool(true)));
    assert!(number(&result, "/delivery/sent") > 0);
    eventually("every child is gone", Duration::from_secs(3), || {
        processes_of(case.folder()).is_empty()
    });
}

#[test]
#[ignore = "slow: drives a load"]
fn a_run_can_be_drawn_again() {
    let case = Case::new();
    let done = case.run(
        "scenarios/smoke.toml",
        &["--duration", "6s", "--set", "expect.2.at_least=10"],
    );
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let first = case.page();
    fs::remove_file(case.out().join("report.html")).unwrap();
    let again = finish(command(&["report"]).arg(case.out()).spawn().unwrap());
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(case.page(), first);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_wrong_password_of_a_target_is_said_before_the_load() {
    // Any HTTP server that refuses a login will do: no client may start.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let refuser = std::thread::spawn(move || {
        use std::io::{Read, Write};
        // The first connection only tries whether somebody listens.
        for _ in 0..2 {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            if client.read(&mut request).unwrap_or(0) > 0 {
                let answer =
                    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                client.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    let case = Case::new();
    let target = format!("ws://{address}");
    let password = "environment.users.password=${env:CHAT_PASSWORD}";
    let mut run = case.command(
        "scenarios/smoke.toml",
        &["--target", &target, "--set", password],
    );
    let done = finish(run.env("CHAT_PASSWORD", "wrong").spawn().unwrap());
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stderr.contains("does not let user-000001 log in"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("hint:"), "{}", done.stderr);
    refuser.join().unwrap();
}

/// The process of the run whose command line holds these words.
pub(crate) fn child_of(case: &Case, words: &str) -> Option<Pid> {
    let runs = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line)
            .replace('\0', " ")
            .contains(words)
    };
    let found = processes_of(case.folder()).into_iter().find(runs);
    found.map(Pid::from_raw)
}

#[test]
#[ignore = "slow: drives a load"]
fn a_child_that_dies_makes_the_run_invalid_and_stands_in_the_verdict() {
    for (words, name) in [
        ("reference-server serve", "the reference server"),
        ("redis-server", "Redis"),
        ("proxy --listen", "a fault proxy of the edge link"),
    ] {
        let case = Case::new();
        let more = [
            "--duration",
            "6s",
            "--set",
            "environment.proxies=[\"edge\"]",
            "--set",
            "load.drain=1s",
        ];
        let child = case.command("scenarios/smoke.toml", &more).spawn().unwrap();
        // The edge proxy is the last to be started, and by then the load is near.
        eventually("all are started", Duration::from_secs(20), || {
            child_of(&case, "proxy --listen").is_some()
        });
        // Some of the load, not only the start.
        std::thread::sleep(Duration::from_secs(2));
        kill(child_of(&case, words).unwrap(), Signal::SIGKILL).unwrap();
        let done = finish(child);
        assert!(
            [13, 14].contains(&done.code),
            "{}{}",
            done.stdout,
            done.stderr
        );
        let result = case.result();
        let sentence = result.pointer("/verdict/sentence").unwrap().to_string();
        assert!(
            sentence.contains(&format!("{name} ended by itself")),
            "{sentence}"
        );
        assert_eq!(result.pointer("/verdict/status").unwrap(), "invalid");
        eventually("every child is gone", Duration::from_secs(3), || {
            processes_of(case.folder()).is_empty()
        });
    }
}
