//! Requests and sequences of requests nobody would write, for as long as `FUZZ_SECONDS` says.
//!
//! Each kind runs in a process of its own, because it counts what a process has: open files, tasks,
//! panics in whatever task. What was found once is kept in `proptest-regressions/` and tried first.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "says how much it tried, and what a panic was about"
)]

mod api;
mod model;
mod requests;
mod sequences;
mod talker;

use crate::{
    alone::{self, Held},
    support::DEADLINE,
};
use proptest::{
    strategy::Strategy,
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner},
};
use std::{
    fmt::Debug,
    panic,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Cases between two looks at the clock.
const CASES: u32 = 8;

type Checked = Result<(), TestCaseError>;

#[test]
fn no_request_harms_the_server() {
    alone::run("fuzz::no_request_harms_the_server", limit(), || {
        explore("requests", &requests::any_case(), requests::play);
    });
}

#[test]
fn any_sequence_of_changes_ends_as_the_model_says() {
    alone::run(
        "fuzz::any_sequence_of_changes_ends_as_the_model_says",
        limit(),
        || {
            explore("sequences", &sequences::any_case(), sequences::play);
        },
    );
}

fn budget() -> Duration {
    let given = std::env::var("FUZZ_SECONDS").ok();
    let seconds = given.map_or(3, |text| text.parse().expect("FUZZ_SECONDS: whole seconds"));
    Duration::from_secs(seconds)
}

/// A hang is a finding, too.
fn limit() -> Duration {
    2 * budget() + 6 * DEADLINE
}

/// Plays cases until the time is up; the first that fails is made small and fails the test.
fn explore<C: Debug>(
    what: &str,
    cases: &impl Strategy<Value = C>,
    play: impl AsyncFn(C) -> Checked,
) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions");
    let file = format!("{folder}/{what}.txt").leak();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    watch_for_panics();
    let start = Instant::now();
    let mut played = 0;
    while played == 0 || start.elapsed() < budget() {
        let mut runner = TestRunner::new(Config {
            cases: CASES,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
            max_shrink_iters: 20_000,
            max_shrink_time: 60_000,
            ..Config::default()
        });
        let outcome = runner.run(cases, |case| {
            // What a failed case has left behind is not this one's fault.
            take_panics();
            let before = Held::now(runtime.handle());
            let shown = format!("{case:?}");
            let mut played = runtime.block_on(play(case));
            if played.is_ok() {
                let left = before.is_all_there_is(runtime.handle());
                played = left.map_err(TestCaseError::fail);
            }
            let panics = take_panics();
            if !panics.is_empty() {
                played = Err(TestCaseError::fail(panics.join("\n")));
            }
            // One that depends on chance may not fail again, so it is told as it was.
            played.inspect_err(|why| eprintln!("{why}: {shown}"))
        });
        match outcome {
            Ok(()) => played += CASES,
            Err(TestError::Fail(why, case)) => panic!("{why}\nthe smallest case: {case:#?}"),
            Err(error) => panic!("{error}"),
        }
    }
    println!("{what}: {played} cases in {:?}", start.elapsed());
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A panic in a task is otherwise only a line in a log.
fn watch_for_panics() {
    panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::force_capture();
        eprintln!("{panic}");
        PANICS.lock().unwrap().push(format!("{panic}\n{trace}"));
    }));
}

fn take_panics() -> Vec<String> {
    std::mem::take(&mut PANICS.lock().unwrap())
}
