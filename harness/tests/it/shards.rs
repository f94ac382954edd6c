//! This module drives loads in several processes: that they send what one sends, and what becomes of them when one ends.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::case::{Case, number};
use crate::end_to_end::{child_of, eventually, processes_of};
use crate::stranger::{SCENARIO, Stranger};
use crate::support::finish;

const STARTED_WITHIN: Duration = Duration::from_secs(20);
const GONE_WITHIN: Duration = Duration::from_secs(3);
/// A few seconds with an outage in them, and clients that share conversations.
const OUTAGE: [&str; 8] = [
    "--clients",
    "60",
    "--set",
    "load.stages=[{ ramp = \"2s\" }, { hold = \"13s\" }]",
    "--set",
    "fault.0.at=4s",
    "--set",
    "fault.0.for=2s",
];

#[track_caller]
fn outage(shards: &str) -> Value {
    let case = Case::new();
    let own = ["--shards", shards, "--set", "load.message.every=1s"];
    let more = [OUTAGE.as_slice(), &own].concat();
    let done = case.run("scenarios/redis-outage.toml", &more);
    let result = case.result();
    let told = (done.code, result.pointer("/verdict/status").unwrap());
    // So few messages cannot tell a p99.
    assert!(
        [0, 12].contains(&told.0),
        "{told:?}\n{}{}",
        done.stdout,
        case.logs()
    );
    for promise in ["lost", "duplicated", "out_of_order", "unexpected"] {
        assert_eq!(
            number(&result, &format!("/delivery/{promise}")),
            0,
            "{promise} of {shards}"
        );
    }
    assert_eq!(number(&result, "/clients/cut"), 0, "{}", case.logs());
    assert_eq!(result["faults"][0]["confirmed"], true);
    result
}

#[test]
#[ignore = "slow: drives a load"]
fn a_load_in_three_processes_is_the_load_of_one() {
    let (one, three) = (outage("1"), outage("3"));
    for same in [
        "/run/plan_hash",
        "/delivery/sent",
        "/generator/planned_sends",
        "/generator/actual_sends",
        "/goose/users",
        "/goose/requests/login/ok",
        "/clients/peak_open",
    ] {
        assert_eq!(
            one.pointer(same).unwrap(),
            three.pointer(same).unwrap(),
            "{same}"
        );
    }
    // In every second the same were intended.
    let intended = |result: &Value| -> Vec<u64> {
        let seconds = result.pointer("/series/per_second").unwrap();
        let seconds = seconds.as_array().unwrap().iter();
        seconds
            .map(|second| number(second, "/delivery/sent"))
            .collect()
    };
    assert_eq!(intended(&one), intended(&three));
    assert!(one.pointer("/generator/shards").is_none());
    let shards = three
        .pointer("/generator/shards")
        .unwrap()
        .as_array()
        .unwrap();
    let clients = shards.iter().map(|shard| number(shard, "/clients"));
    assert_eq!(clients.collect::<Vec<_>>(), [20, 20, 20]);
    // Who meets a fault knows of it, whichever process drives it: nothing was refused before the fault or long after it.
    for result in [&one, &three] {
        let windows = result["windows"].as_array().unwrap();
        for window in windows {
            let again = number(window, "/delivery/attempts") - number(window, "/delivery/sent");
            let kind = window["kind"].as_str().unwrap();
            assert!(kind != "baseline" || again == 0, "{window}");
            assert!(kind != "fault" || again > 0, "{window}");
        }
    }
}

#[test]
#[ignore = "slow: drives two short loads"]
fn a_server_of_another_make_is_driven_by_three_processes_and_judged_as_by_one() {
    for answers in [true, false] {
        let heard = Arc::new(AtomicU64::new(0));
        let ear = Arc::clone(&heard);
        let server = Stranger::chatting(move |connection, _, text| {
            ear.fetch_add(1, Ordering::SeqCst);
            if answers {
                connection.reply(text)
            } else {
                Some(())
            }
        });
        let case = Case::new();
        let file = case.folder().join("stranger.toml");
        std::fs::write(&file, SCENARIO.replace("clients = 4", "clients = 9")).unwrap();
        let url = server.url();
        let done = case.run(file.to_str().unwrap(), &["--target", &url, "--shards", "3"]);
        let result = case.result();
        let told = format!("{}{}", done.stdout, case.logs());
        let shards = result
            .pointer("/generator/shards")
            .unwrap()
            .as_array()
            .unwrap();
        assert_eq!(shards.len(), 3, "{told}");
        assert_eq!(number(&result, "/clients/peak_open"), 9, "{told}");
        let (sent, completed) = (
            number(&result, "/delivery/sent"),
            number(&result, "/delivery/completed"),
        );
        assert!(sent > 20, "{told}");
        // What the server heard is what all processes together say they sent.
        let attempts = number(&result, "/delivery/attempts");
        assert_eq!(heard.load(Ordering::SeqCst), attempts, "{told}");
        if answers {
            assert_eq!((done.code, completed), (0, sent), "{told}");
        } else {
            // Nobody was answered: the server's failure, and no pass.
            assert_eq!((done.code, completed), (10, 0), "{told}");
        }
    }
}

/// A run of three processes, some seconds into its load.
#[track_caller]
fn begun(case: &Case) -> std::process::Child {
    let more = [
        "--shards",
        "3",
        "--duration",
        "8s",
        "--set",
        "load.drain=1s",
    ];
    let child = case.command("scenarios/smoke.toml", &more).spawn().unwrap();
    eventually("the load is near", STARTED_WITHIN, || {
        case.out().join("logs/shard-3.log").is_file() && child_of(case, "shard --run").is_some()
    });
    sleep(Duration::from_secs(3));
    child
}

#[test]
#[ignore = "slow: drives a load"]
fn a_process_of_the_load_that_dies_makes_the_run_invalid_and_is_named() {
    let case = Case::new();
    let child = begun(&case);
    kill(child_of(&case, "shard --run").unwrap(), Signal::SIGKILL).unwrap();
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
        sentence.contains("shard ") && sentence.contains("ended before its part was done"),
        "{sentence}"
    );
    assert!(sentence.contains("logs/shard-"), "{sentence}");
    assert_eq!(result.pointer("/verdict/status").unwrap(), "invalid");
    // What the others saw is there.
    assert!(number(&result, "/delivery/completed") > 0);
    eventually("every child is gone", GONE_WITHIN, || {
        processes_of(case.folder()).is_empty()
    });
}

#[test]
#[ignore = "slow: drives a load"]
fn nothing_is_left_of_a_run_whose_processes_drive_the_load_when_it_is_killed_or_stopped() {
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let case = Case::new();
        let child = begun(&case);
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let done = finish(child);
        eventually("every child is gone", GONE_WITHIN, || {
            processes_of(case.folder()).is_empty()
        });
        if signal == Signal::SIGINT {
            assert_eq!(done.code, 130, "{}{}", done.stdout, done.stderr);
            assert!(number(&case.result(), "/delivery/completed") > 0);
        }
    }
}
