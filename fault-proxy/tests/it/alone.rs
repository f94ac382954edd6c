//! A test in a process of its own: for what can only be counted per process.

use crate::support::DEADLINE;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// Set in the process that does the work.
const ALONE: &str = "FAULT_PROXY_TEST_ALONE";

/// Whether the tests that take long are wanted.
pub(crate) fn slow_tests() -> bool {
    std::env::var_os("HARNESS_SLOW_TESTS").is_some()
}

/// Runs the test of that name again in another process, and `work` if this is that process.
pub(crate) fn run(name: &str, limit: Duration, work: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some_and(|wanted| wanted == name) {
        return work();
    }
    let mut alone = again(name).env(ALONE, name).spawn().unwrap();
    let latest = Instant::now() + limit;
    let ended = loop {
        match alone.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > latest => {
                alone.kill().unwrap();
                alone.wait().unwrap();
                panic!("{name} had not ended after {limit:?}");
            }
            None => sleep(Duration::from_millis(20)),
        }
    };
    assert!(ended.success(), "{name}: {ended}, see above");
}

/// This program with that one test.
pub(crate) fn again(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .stdin(Stdio::null());
    command
}

/// Takes as many files as this process may have; answers how many.
pub(crate) fn raise_file_limit() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    hard
}

/// What a process holds on to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    files: usize,
    tasks: usize,
}

impl Held {
    pub(crate) fn now(runtime: &Handle) -> Self {
        Self {
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: runtime.metrics().num_alive_tasks(),
        }
    }

    /// Waits until no more is held than this. Blocks, so that nothing new is started meanwhile.
    pub(crate) fn is_all_there_is(self, runtime: &Handle) -> Result<(), String> {
        let latest = Instant::now() + DEADLINE;
        loop {
            let now = Self::now(runtime);
            if now.files <= self.files && now.tasks <= self.tasks {
                return Ok(());
            }
            if Instant::now() > latest {
                return Err(format!("held {self:?} before and {now:?} now"));
            }
            sleep(Duration::from_millis(1));
        }
    }
}
