//! This module makes Redis forget every connection token at one moment.
//!
//! **In:** the database of the tokens. **Out:** tokens that were given and not yet used open nothing any
//! more, and rate limits begin anew; tasks, channels and connections stay.
//!
//! There is nothing to heal. It is confirmed by a marker that was there before and is gone.

use std::time::Duration;

use super::{Fault, FaultError};
use crate::environment::{Child, TokenStore};

const PATIENCE: Duration = Duration::from_secs(1);

/// One flush of the tokens.
pub(super) struct Flush {
    pub store: TokenStore,
    pub redis: Child,
}

impl Fault for Flush {
    async fn prepare(&self) -> Result<(), FaultError> {
        Ok(self.store.mark().await?)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        Ok(self.store.flush().await?)
    }

    async fn is_met(&self) -> Result<(), String> {
        match self.store.is_marked().await {
            Ok(false) => Ok(()),
            Ok(true) => Err("what was in the database is still there".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn is_well(&self) -> Result<(), String> {
        let answer = self.redis.probe().ask(PATIENCE).await;
        if answer.is_good() {
            Ok(())
        } else {
            Err(format!("{}: {}", self.redis.what(), answer.describe()))
        }
    }
}
