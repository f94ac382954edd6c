//! This module resets connections of a link at one moment: every one, or a share of them.
//!
//! **In:** the link's proxies, the share. **Out:** a TCP reset on what was open; the link itself stays whole.
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

/// One reset.
pub(super) struct ResetNow {
    links: Links,
    share_ratio: f64,
    reset: Arc<AtomicU64>,
}

impl ResetNow {
    pub(super) fn new(links: Links, share_ratio: f64) -> Self {
        Self {
            links,
            share_ratio,
            reset: Arc::default(),
        }
    }
}

impl Fault for ResetNow {
    async fn prepare(&self) -> Result<(), FaultError> {
        self.links.look().await
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let share_ratio = self.share_ratio;
        self.links
            .each(|link, client| {
                let reset = Arc::clone(&self.reset);
                async move {
                    let connections = client.reset_some(&link.name, share_ratio).await?;
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
