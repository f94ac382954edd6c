//! This module is a process of the run that faults may kill, stop and start again.
//!
//! **In:** how it was started. **Out:** signals to it, and a new process in its place.
//!
//! It is *away* from the moment it is told to end until it was found well again: only a process
//! that ended without being told has ended by itself.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::EnvironmentError;
use super::janitor::{JanitorClient, SpawnSpec};
use super::probe::Probe;
use super::process::{ProcessError, ProcessId};

/// SIGKILL takes effect when the kernel has taken the memory back.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A process of the run. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    janitor: JanitorClient,
    spec: ChildSpec,
    process: Arc<Mutex<ProcessId>>,
    /// Told to end, and not found well again since.
    away: Arc<AtomicBool>,
}

/// How it is started, asked and stopped.
#[derive(Clone, Debug)]
pub(crate) struct ChildSpec {
    /// `redis-server`, `reference-server`.
    pub what: &'static str,
    /// Starts it, on the same port every time.
    pub command: SpawnSpec,
    /// Asked at the process itself.
    pub probe: Probe,
    /// How long an orderly end may take.
    pub stop_timeout: Duration,
}

impl Child {
    pub(crate) fn new(janitor: &JanitorClient, spec: ChildSpec, process: ProcessId) -> Self {
        Self {
            janitor: janitor.clone(),
            spec,
            process: Arc::new(Mutex::new(process)),
            away: Arc::default(),
        }
    }

    /// The same as another process.
    #[cfg(test)]
    pub(crate) fn with_process(&self, process: ProcessId) -> Self {
        Self::new(&self.janitor, self.spec.clone(), process)
    }

    pub(crate) fn process(&self) -> ProcessId {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `redis-server`, `reference-server`.
    pub(crate) const fn what(&self) -> &'static str {
        self.spec.what
    }

    pub(crate) fn log(&self) -> &Path {
        &self.spec.command.log
    }

    /// A question to the process itself.
    pub(crate) fn probe(&self) -> Probe {
        self.spec.probe.clone()
    }

    /// SIGKILL; returns once the process has ended.
    pub(crate) async fn kill(&self) -> Result<(), EnvironmentError> {
        self.end_by(Signal::SIGKILL, KILL_TIMEOUT).await
    }

    /// SIGTERM, an orderly end; returns once the process has ended.
    pub(crate) async fn shut_down(&self) -> Result<(), EnvironmentError> {
        self.process().signal(Signal::SIGCONT);
        self.end_by(Signal::SIGTERM, self.spec.stop_timeout).await
    }

    /// It runs no more, and nobody told it to end.
    pub(crate) fn has_ended_by_itself(&self) -> bool {
        // In this order: it is `away` before it ends.
        !self.process().is_alive() && !self.away.load(Ordering::SeqCst)
    }

    /// It was found well: from here on it is expected to run.
    pub(crate) fn is_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    async fn end_by(&self, signal: Signal, timeout: Duration) -> Result<(), EnvironmentError> {
        let process = self.process();
        let was_away = self.away.swap(true, Ordering::SeqCst);
        if !process.signal(signal) {
            self.away.store(was_away, Ordering::SeqCst);
            return Err(self.control(process, "it had ended before it was told to".to_owned()));
        }
        if process.ended_within(timeout).await {
            Ok(())
        } else {
            let reason = format!("it has not ended {timeout:?} after {signal}");
            Err(self.control(process, reason))
        }
    }

    /// SIGSTOP; returns once the kernel shows it as stopped.
    pub(crate) async fn pause(&self) -> Result<(), EnvironmentError> {
        let process = self.process();
        if !process.signal(Signal::SIGSTOP) {
            return Err(self.control(process, "it had ended before it was paused".to_owned()));
        }
        let stopped = async {
            while !process.is_stopped() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PAUSE_TIMEOUT, stopped)
            .await
            .map_err(|_elapsed| {
                self.control(
                    process,
                    format!("not stopped {PAUSE_TIMEOUT:?} after SIGSTOP"),
                )
            })
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<(), EnvironmentError> {
        let process = self.process();
        if process.signal(Signal::SIGCONT) {
            Ok(())
        } else {
            Err(self.control(process, "it ended while it was paused".to_owned()))
        }
    }

    /// Starts it anew on the same port and directory, unless it runs; does not wait for an answer.
    pub(crate) async fn start_again(&self) -> Result<(), EnvironmentError> {
        if self.process().is_alive() {
            return Ok(());
        }
        let process = self
            .janitor
            .spawn(self.spec.what, self.spec.command.clone())
            .await?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
        Ok(())
    }

    fn control(&self, process: ProcessId, reason: String) -> EnvironmentError {
        ProcessError::Control {
            what: self.spec.what,
            pid: process.pid,
            reason,
        }
        .into()
    }
}
