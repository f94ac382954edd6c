//! A chat message on its way from its socket to the queue or to a people chat.

use std::sync::Arc;

use super::Conn;
use crate::wire;

/// After which a client may try again while Redis is away or the queue is full, in seconds.
const RETRY_S: f64 = 1.0;

/// A message somebody sent.
pub(crate) struct ChatMessage {
    /// From whom.
    pub(crate) conn: Arc<Conn>,
    /// What.
    pub(crate) text: Box<str>,
    /// The client's id for it.
    pub(crate) client_message_id: Option<Box<str>>,
}

impl ChatMessage {
    /// Refuses the message, which may be sent again `retry_after` seconds later.
    pub(crate) fn refuse(&self, code: &str, error: &str, retry_after: f64) {
        self.conn.metrics.messages.refused.inc();
        let id = self.client_message_id.as_deref();
        self.conn
            .send(&wire::refusal(code, error, Some(retry_after), id));
    }

    /// Refuses the message because too much is under way.
    pub(crate) fn busy(&self, error: &str) {
        self.refuse("busy", error, RETRY_S);
    }

    /// Refuses the message because Redis is away.
    pub(crate) fn unavailable(&self) {
        self.refuse("unavailable", "the message store is away", RETRY_S);
    }
}
