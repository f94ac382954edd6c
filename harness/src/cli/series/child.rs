//! This module does one run of several, as a process of its own.
//!
//! **In:** the arguments of `harness run`, a folder. **Out:** [`Ran`]: how it ended, and what it said if it did not work.
//!
//! Each run has a fresh process, as if it were the only one: what the memory of one looks like after a run is no part of
//! the next. The child is in a process group of its own, so that a Ctrl-C reaches it once, from here. A second one ends it
//! at once; its janitor cleans up.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::clock::monotonic_ns;
use crate::exit::Exit;

/// Time between two looks whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is kept of what it says.
const SAID_BYTES_MAX: u64 = 65_536;
/// How long a child may take beyond what its plan says, and then to end by itself.
const BEYOND_MAX: Duration = Duration::from_mins(10);
const END_MAX: Duration = Duration::from_mins(1);
/// Variables that speak to a run: its arguments say all of that already.
const VARIABLES: [&str; 7] = [
    "HARNESS_TARGET",
    "HARNESS_SERVER",
    "HARNESS_OUT",
    "HARNESS_PROMETHEUS",
    "HARNESS_CLIENTS",
    "HARNESS_DURATION",
    "HARNESS_SEED",
];

/// Starts runs, one after the other, and hears Ctrl-C for them.
#[derive(Debug)]
pub(crate) struct Runner {
    signals: Receiver<()>,
    interrupted: bool,
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub exit: Exit,
    /// What it said on stderr.
    pub said: String,
    pub length: Duration,
}

impl Runner {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            signals: interrupt::told()?,
            interrupted: false,
        })
    }

    /// Whether somebody asked for the end, now or earlier.
    pub(crate) fn is_interrupted(&mut self) -> bool {
        self.interrupted |= self.signals.try_recv().is_ok();
        self.interrupted
    }

    /// Does one run. `usual` is how long its plan says; `tick` hears how long it has taken.
    pub(crate) fn run(
        &mut self,
        words: &[OsString],
        folder: &Path,
        (usual, mut tick): (Duration, impl FnMut(Duration)),
    ) -> Result<Ran, Failure> {
        let begun_ns = monotonic_ns();
        let elapsed = || Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns));
        let mut child = spawn(words, folder)?;
        let said = listen(child.stderr.take());
        let mut end_by = usual + BEYOND_MAX;
        let mut asked = false;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| unheard(&error))? {
                break status;
            }
            let now = elapsed();
            if now > end_by {
                tell(
                    &child,
                    if asked {
                        Signal::SIGKILL
                    } else {
                        Signal::SIGINT
                    },
                );
                (asked, end_by) = (true, now + END_MAX);
            }
            match self.signals.recv_timeout(LOOK_EVERY) {
                Ok(()) => {
                    self.interrupted = true;
                    tell(&child, Signal::SIGINT);
                }
                Err(RecvTimeoutError::Timeout) => tick(now),
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK_EVERY),
            }
        };
        Ok(Ran {
            exit: ended(status),
            said: said.and_then(|said| said.join().ok()).unwrap_or_default(),
            length: elapsed(),
        })
    }
}

impl Ran {
    /// The run came to no result: what it said stands for it.
    pub(crate) fn without_result(&self) -> Failure {
        let mut said = self.said.lines().filter(|line| !line.trim().is_empty());
        let first = said.find_map(|line| line.strip_prefix("error: "));
        let hint = said.find_map(|line| line.trim_start().strip_prefix("hint: "));
        let fact = first.unwrap_or("the run ended without a word");
        let failure = Failure::new(self.exit, fact);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn spawn(words: &[OsString], folder: &Path) -> Result<Child, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Environment,
            format!("a run cannot be started: {error}"),
        )
    };
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command
        .arg("run")
        .args(words)
        .arg("--quiet")
        .arg("--out")
        .arg(folder);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)
}

/// Reads what it says to the end, and keeps the beginning.
fn listen(stderr: Option<ChildStderr>) -> Option<JoinHandle<String>> {
    let mut stderr = stderr?;
    let read = move || {
        let mut kept = Vec::new();
        // What is not read would block it; what cannot be read is not there.
        drop((&mut stderr).take(SAID_BYTES_MAX).read_to_end(&mut kept));
        drop(std::io::copy(&mut stderr, &mut std::io::sink()));
        String::from_utf8_lossy(&kept).into_owned()
    };
    thread::Builder::new().spawn(read).ok()
}

fn tell(child: &Child, signal: Signal) {
    // It is not reaped yet, so the number is still its own.
    let told = i32::try_from(child.id()).map(|pid| kill(Pid::from_raw(pid), signal));
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!("a run had ended before it was told to");
    }
}

fn unheard(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Bug, format!("a run cannot be waited for: {error}"))
}

/// A run that a signal ended had no chance to say why.
fn ended(status: ExitStatus) -> Exit {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(Exit::Interrupted, Exit::of)
}

/// One line of progress on a terminal, overwritten by the next one; none elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    seconds: Option<u64>,
}

impl Progress {
    pub(crate) const fn new(shown: bool) -> Self {
        Self {
            shown,
            seconds: None,
        }
    }

    /// Shows how far it is, once a second.
    pub(crate) fn show(&mut self, what: &str, elapsed: Duration, usual: Duration) {
        if !self.shown || self.seconds == Some(elapsed.as_secs()) {
            return;
        }
        self.seconds = Some(elapsed.as_secs());
        let (at, of) = (elapsed.as_secs(), usual.as_secs().max(1));
        // Where nobody reads stderr, nobody is told.
        drop(write!(
            std::io::stderr(),
            "\r\x1b[K{what}: {at} s of about {of} s"
        ));
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.seconds.take().is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}
