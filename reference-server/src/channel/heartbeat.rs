//! Nonces that are sent through the channel layer to see whether they come back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Nonces on their way through the channel layer.
pub(crate) struct Heartbeat {
    channel: String,
    waiting: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

impl Heartbeat {
    /// For the server instance of that name.
    pub(crate) fn new(instance: &str) -> Self {
        Self {
            channel: format!("health:{instance}"),
            waiting: Mutex::default(),
        }
    }

    /// The channel the nonces travel on.
    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Resolves when `nonce` comes back.
    pub(crate) fn expect(&self, nonce: &str) -> oneshot::Receiver<()> {
        let (arrived, wait) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.insert(nonce.to_owned(), arrived);
        wait
    }

    /// It came back.
    pub(super) fn arrived(&self, nonce: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.remove(nonce)
            && sender.send(()).is_err()
        {
            tracing::debug!("nobody waits for that nonce any more");
        }
    }
}
