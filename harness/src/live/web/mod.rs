//! This module serves a page of a run while it is under way: `--web`.
//!
//! **In:** what the live view sees, and how the run ended. **Out:** HTTP: the page, its events, `/metrics`, and a way to end
//! the run for who has the token.
//!
//! Reading is open to who can reach the address; ending the run is not. Nothing here is waited for: viewers are few, what waits
//! for one is bounded, and one that does not read is given up ([`patient`]).

mod answer;
mod door;
mod frame;
mod hub;
mod page;
mod patient;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::answer::Served;
pub(crate) use self::hub::{Ended, Hub};
use self::patient::Patient;
use super::exporter::{BindError, bind};
use crate::environment::Secret;

/// How long the end of the run waits for a page to fetch the report, and for answers that are being written.
const REPORT_PATIENCE: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_millis(500);

/// Why there is no page.
#[derive(Debug, Error)]
pub(crate) enum WebError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("--web: no random bytes for the token that ends a run: {0}")]
    Random(String),
}

/// The page's server.
pub(crate) struct Web {
    pub hub: Arc<Hub>,
    url: String,
    servers: JoinSet<()>,
    over: CancellationToken,
}

impl Web {
    /// Listens there; `stop` is what a viewer with the token fires.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub(crate) async fn open(
        address: SocketAddr,
        stop: CancellationToken,
    ) -> Result<Self, WebError> {
        let listener = bind("--web", address).await?;
        // The port that was given, where any was asked for.
        let address = listener.local_addr().unwrap_or(address);
        let token = Secret::random().map_err(|error| WebError::Random(error.to_string()))?;
        let url = format!("http://{address}/#stop={}", token.expose());
        let (hub, over) = (Arc::new(Hub::default()), CancellationToken::new());
        let served = Served::new(Arc::clone(&hub), (token, stop), over.clone());
        let mut servers = JoinSet::new();
        servers.spawn(answer::serve(Patient::new(listener), served, over.clone()));
        Ok(Self {
            hub,
            url,
            servers,
            over,
        })
    }

    /// Where it is, with the token that ends the run, which a browser keeps to itself.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Tells viewers how the run ended. Pages that are open may fetch the report, for a second; nobody else is waited for.
    pub(crate) async fn close(mut self, ended: Ended) {
        let fetched = self.hub.end(ended);
        // Whoever has not fetched it by then has its place in the event.
        if timeout(REPORT_PATIENCE, fetched).await.is_err() {
            tracing::debug!("a page did not fetch the report");
        }
        self.over.cancel();
        let finished = async { while self.servers.join_next().await.is_some() {} };
        if timeout(GRACE, finished).await.is_err() {
            self.servers.abort_all();
        }
    }
}
