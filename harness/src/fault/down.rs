//! This module takes a link down: its connections are closed and new ones refused.
//!
//! **In:** the link's proxies. **Out:** proxies disabled, later enabled again.
//!
//! **Source:** Toxiproxy, `enabled`.

use std::time::Duration;

use super::{Fault, FaultError, Links};
use crate::environment::Answer;

const PATIENCE: Duration = Duration::from_secs(1);

/// A link without a listener.
pub(super) struct Down {
    pub links: Links,
}

impl Down {
    async fn enable(&self, enabled: bool) -> Result<(), FaultError> {
        self.links
            .each(move |link, client| async move {
                client.set_enabled(&link.name, enabled).await?;
                Ok(())
            })
            .await
    }
}

impl Fault for Down {
    async fn prepare(&self) -> Result<(), FaultError> {
        self.links.look().await
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.enable(false).await
    }

    async fn is_met(&self) -> Result<(), String> {
        self.links
            .ask(PATIENCE, |answer| *answer == Answer::Refused)
            .await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.enable(true).await
    }

    async fn is_well(&self) -> Result<(), String> {
        self.links.ask(PATIENCE, Answer::is_good).await
    }
}
