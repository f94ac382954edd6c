//! This module resets every connection of a link at one moment.
//!
//! **In:** the link's proxies. **Out:** a TCP reset on whatever was open; the link itself stays whole.
//!
//! There is nothing to heal: it is over when it is done. It is confirmed by the proxies' own count of
//! the connections they reset; where none was open, nothing was broken, and the fault counts as not
//! confirmed.
//!
//! **Source:** the fault proxy's `reset_now`, which a real Toxiproxy does not have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Fault, FaultError, Links};
use crate::environment::Answer;

const PATIENCE: Duration = Duration::from_secs(1);

/// One reset of everything.
pub(super) struct ResetNow {
    links: Links,
    reset: Arc<AtomicU64>,
}

impl ResetNow {
    pub(super) fn new(links: Links) -> Self {
        Self {
            links,
            reset: Arc::default(),
        }
    }
}

impl Fault for ResetNow {
    async fn prepare(&self) -> Result<(), FaultError> {
        self.links.look().await
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.links
            .each(|link, client| {
                let reset = Arc::clone(&self.reset);
                async move {
                    let connections = client.reset_now(&link.name).await?;
                    reset.fetch_add(connections, Ordering::Relaxed);
                    Ok(())
                }
            })
            .await
    }

    async fn is_met(&self) -> Result<(), String> {
        match self.reset.load(Ordering::Relaxed) {
            0 => Err("no connection was open to be reset".to_owned()),
            _ => Ok(()),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn is_well(&self) -> Result<(), String> {
        self.links.ask(PATIENCE, Answer::is_good).await
    }
}
