//! This module ends or stops the Redis process of the run, and sets it going again.
//!
//! **In:** the private Redis. **Out:** SIGKILL, SIGTERM or SIGSTOP; later a new process on the same
//! port, or SIGCONT.

use std::time::Duration;

use super::{Fault, FaultError};
use crate::environment::{Answer, RedisServer};

const PATIENCE: Duration = Duration::from_secs(1);

/// What happens to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// SIGKILL: what was not yet on disk is gone.
    Kill,
    /// SIGSTOP: connections stay, nothing answers. A probe is silent for this long.
    Pause { silence: Duration },
    /// SIGTERM: an orderly end.
    Restart,
}

/// A Redis process that is gone or stopped.
pub(super) struct Process {
    pub redis: RedisServer,
    pub blow: Blow,
}

impl Fault for Process {
    async fn prepare(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        match self.blow {
            Blow::Kill => self.redis.kill().await?,
            Blow::Pause { .. } => self.redis.pause().await?,
            Blow::Restart => self.redis.shut_down().await?,
        }
        Ok(())
    }

    async fn is_met(&self) -> Result<(), String> {
        let (patience, expected) = match self.blow {
            Blow::Kill | Blow::Restart => (PATIENCE, Answer::Refused),
            Blow::Pause { silence } => (silence, Answer::Silent),
        };
        let answer = self.redis.probe().ask(patience).await;
        if answer == expected {
            Ok(())
        } else {
            Err(format!("redis-server: {}", answer.describe()))
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        match self.blow {
            Blow::Kill | Blow::Restart => self.redis.start_again().await?,
            Blow::Pause { .. } => self.redis.resume()?,
        }
        Ok(())
    }

    async fn is_well(&self) -> Result<(), String> {
        // A new process may find its port still taken and end again: one more is started then.
        if let Err(error) = self.redis.start_again().await {
            return Err(error.to_string());
        }
        let answer = self.redis.probe().ask(PATIENCE).await;
        if answer.is_good() {
            self.redis.is_back();
            Ok(())
        } else {
            Err(format!("redis-server: {}", answer.describe()))
        }
    }
}
