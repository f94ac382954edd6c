//! This module ends or stops a process of the run, Redis or the server, and sets it going again.
//!
//! **In:** the process. **Out:** SIGKILL, SIGTERM or SIGSTOP; later a new process on the same
//! port, or SIGCONT.

use std::time::Duration;

use super::{Fault, FaultError};
use crate::environment::{Answer, Child};
use crate::plan::ProcessAction;

const PATIENCE: Duration = Duration::from_secs(1);

/// A process that is gone or stopped.
pub(super) struct Process {
    pub child: Child,
    pub action: ProcessAction,
    /// How long no answer is silence.
    pub silence: Duration,
}

impl Fault for Process {
    async fn prepare(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        match self.action {
            ProcessAction::Kill => self.child.kill().await?,
            ProcessAction::Pause => self.child.pause().await?,
            ProcessAction::Restart => self.child.shut_down().await?,
        }
        Ok(())
    }

    async fn is_met(&self) -> Result<(), String> {
        let (patience, expected) = match self.action {
            ProcessAction::Kill | ProcessAction::Restart => (PATIENCE, Answer::Refused),
            ProcessAction::Pause => (self.silence, Answer::Silent),
        };
        let answer = self.child.probe().ask(patience).await;
        if answer == expected {
            Ok(())
        } else {
            Err(format!("{}: {}", self.child.what(), answer.describe()))
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        match self.action {
            ProcessAction::Kill | ProcessAction::Restart => self.child.start_again().await?,
            ProcessAction::Pause => self.child.resume()?,
        }
        Ok(())
    }

    async fn is_well(&self) -> Result<(), String> {
        // A new process may find its port still taken and end again: one more is started then.
        if let Err(error) = self.child.start_again().await {
            return Err(error.to_string());
        }
        let answer = self.child.probe().ask(PATIENCE).await;
        if answer.is_good() {
            self.child.is_back();
            Ok(())
        } else {
            Err(format!("{}: {}", self.child.what(), answer.describe()))
        }
    }
}
