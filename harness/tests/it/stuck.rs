//! This module stops one session thread of a run for good: the run must end in time all the same, with the records
//! of all the others.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::case::{Case, number};
use crate::stranger::{SCENARIO, Stranger};
use crate::support::{Done, eventually, finish};

/// How much longer than its plan a run may take whose thread is stuck: two waits of the harness, and a busy machine.
const LONGEST: Duration = Duration::from_secs(35);

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap())
}

/// A thread of the child.
fn thread_of(child: &Child, name: &str) -> Option<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).ok()?;
    tasks.flatten().find_map(|task| {
        let found = fs::read_to_string(task.path().join("comm")).ok()?;
        let number = task.file_name().to_str()?.parse().ok()?;
        (found.trim() == name).then(|| pid(number))
    })
}

/// Stops that thread until its process ends: as a debugger does, for no signal stops one thread alone. It is stopped where it
/// waits for events: in the middle of an allocation it would hold a lock that everybody needs, which no real fault does.
fn stop(task: Pid) {
    thread::spawn(move || {
        ptrace::seize(task, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(task).unwrap();
        // Who has seized a thread must see its end, or its process does not end.
        loop {
            match waitpid(task, Some(WaitPidFlag::__WALL)) {
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_) => return,
                Ok(_) if waits_for_events(task) => {}
                Ok(_) => match ptrace::cont(task, None).and_then(|()| ptrace::interrupt(task)) {
                    // It ended meanwhile; its end is still to be seen.
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => panic!("{error}"),
                },
            }
        }
    });
}

/// Of a thread that is stopped: in the middle of `epoll_wait`, in one of its spellings.
fn waits_for_events(task: Pid) -> bool {
    let call = fs::read_to_string(format!("/proc/{task}/syscall")).unwrap_or_default();
    let number = call
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    let waits = [nix::libc::SYS_epoll_pwait, nix::libc::SYS_epoll_pwait2];
    #[cfg(target_arch = "x86_64")]
    let waits = [waits[0], waits[1], nix::libc::SYS_epoll_wait];
    number.is_some_and(|number: i64| waits.contains(&number))
}

/// A run of two session threads whose first is stopped once messages are answered.
fn run(meanwhile: impl FnOnce(Pid)) -> (Done, Value) {
    let server = Stranger::chatting(|connection, _, text| {
        connection.note("message");
        connection.reply(text)
    });
    let case = Case::new();
    let path = case.folder().join("stuck.toml");
    fs::write(&path, SCENARIO.replace("[load]\n", "[load]\nlanes = 2\n")).unwrap();
    let mut command = case.command(path.to_str().unwrap(), &["--target", &server.url(), "-q"]);
    let begun = Instant::now();
    let child = command.spawn().unwrap();
    eventually("messages are answered", || server.seen().len() > 8);
    stop(thread_of(&child, "lane-0").unwrap());
    meanwhile(pid(child.id()));
    let done = finish(child);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
    (done, case.result())
}

#[track_caller]
fn assert_kept(result: &Value) {
    let given_up = &result["generator"]["given_up"];
    let sentence = given_up[0].as_str().unwrap();
    assert!(
        sentence.contains("session thread 0 was stuck"),
        "{sentence}"
    );
    assert_eq!(given_up.as_array().unwrap().len(), 1, "{given_up}");
    // The other's to the end, and its own up to then.
    let completed = number(result, "/delivery/completed");
    assert!(completed > 8, "{}", result["delivery"]);
    let verdict = result["verdict"].to_string();
    assert!(verdict.contains("session thread 0 was stuck"), "{verdict}");
}

#[test]
#[ignore = "slow: drives a load"]
fn a_session_thread_that_is_stuck_costs_the_run_its_validity_and_no_more() {
    let (done, result) = run(|_| {});
    assert_eq!(done.code, 13, "{}{}", done.stdout, done.stderr);
    assert_kept(&result);
}

#[test]
#[ignore = "slow: drives a load"]
fn one_interrupt_ends_a_run_whose_session_thread_is_stuck() {
    let (done, result) = run(|harness| kill(harness, Signal::SIGINT).unwrap());
    assert_eq!(done.code, 130, "{}{}", done.stdout, done.stderr);
    assert_kept(&result);
}
