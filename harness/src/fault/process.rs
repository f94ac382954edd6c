//! This module ends or stops a process of the run, Redis or the server, and sets it going again.
//!
//! **In:** the process. **Out:** SIGKILL, SIGTERM or SIGSTOP; later a new process on the same
//! port, or SIGCONT.

use std::time::Duration;

use super::{Fault, FaultError};
use crate::environment::{Answer, Child};

const PATIENCE: Duration = Duration::from_secs(1);

/// What happens to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// SIGKILL: what was not yet written is gone.
    Kill,
    /// SIGSTOP: connections stay, nothing answers. A probe is silent for this long.
    Pause { silence: Duration },
    /// SIGTERM: an orderly end.
    Restart,
}

/// A process that is gone or stopped.
pub(super) struct Process {
    pub child: Child,
    pub blow: Blow,
}

impl Fault for Process {
    async fn prepare(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        match self.blow {
            Blow::Kill => self.child.kill().await?,
            Blow::Pause { .. } => self.child.pause().await?,
            Blow::Restart => self.child.shut_down().await?,
        }
        Ok(())
    }

    async fn is_met(&self) -> Result<(), String> {
        let (patience, expected) = match self.blow {
            Blow::Kill | Blow::Restart => (PATIENCE, Answer::Refused),
            Blow::Pause { silence } => (silence, Answer::Silent),
        };
        let answer = self.child.probe().ask(patience).await;
        if answer == expected {
            Ok(())
        } else {
            Err(format!("{}: {}", self.child.what(), answer.describe()))
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        match self.blow {
            Blow::Kill | Blow::Restart => self.child.start_again().await?,
            Blow::Pause { .. } => self.child.resume()?,
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
