//! A machine that is full: what breaks on it is nobody's fault, what holds on it is believed.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;

use crate::case::Case;
use crate::support::Done;

/// One processor, kept busy by a thread of this test as long as this lives; what the calling thread starts meanwhile
/// has no other. Tests beside it keep the rest of the machine.
struct FullCore {
    usual: CpuSet,
    over: Arc<AtomicBool>,
    spinner: Option<JoinHandle<()>>,
}

impl FullCore {
    fn new() -> Self {
        let me = Pid::from_raw(0);
        let usual = sched_getaffinity(me).unwrap();
        let first = (0..CpuSet::count()).find(|&core| usual.is_set(core).unwrap());
        let mut one = CpuSet::new();
        one.set(first.unwrap()).unwrap();
        sched_setaffinity(me, &one).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let spinner = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        Self {
            usual,
            over,
            spinner: Some(spinner),
        }
    }
}

impl Drop for FullCore {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(spinner) = self.spinner.take() {
            spinner.join().unwrap();
        }
        sched_setaffinity(Pid::from_raw(0), &self.usual).unwrap();
    }
}

/// A short run with one limit, and its check of the machine.
fn run(limit: &str) -> (Done, Value) {
    let case = Case::new();
    let under = format!("expect.0.under={limit}");
    let done = case.run(
        "scenarios/smoke.toml",
        &["--duration", "10s", "--clients", "20", "--set", &under],
    );
    let result = case.result();
    let checks = result["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "machine busy");
    (done, check.unwrap().clone())
}

#[test]
#[ignore = "slow: drives a load"]
fn a_limit_that_broke_on_a_full_machine_makes_the_run_invalid_and_one_that_held_does_not() {
    let full = FullCore::new();
    let (done, check) = run("1ms");
    assert_eq!(done.code, 13, "{}{}", done.stdout, done.stderr);
    assert_eq!(check["status"], "broke", "{check}");
    let finding = check["finding"].as_str().unwrap();
    for told in [
        "the machine was ",
        " busy from ",
        "harness ",
        "server ",
        "other work",
        "complete p99 whole run",
    ] {
        assert!(finding.contains(told), "{told}: {finding}");
    }
    // Half of the core and more is the spinner's: the run could be invalid for other reasons, but not for this one.
    let (_, check) = run("1h");
    drop(full);
    assert_eq!(check["status"], "held", "{check}");
    let finding = check["finding"].as_str().unwrap();
    assert!(finding.contains("what held is believed"), "{finding}");
}
