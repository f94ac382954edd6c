//! Tells whoever listens what happens to the proxies, as it happens.
//!
//! **In:** an [`Event`] where it happens. **Out:** the same text to every subscriber, as server-sent
//! events (WHATWG HTML, "Server-sent events"). Nothing is written down while nobody listens, and
//! nobody who listens slowly holds anything up: what no longer fits is counted and said.

use super::traffic::Reason;
use crate::toxic::Toxic;
use bytes::Bytes;
use serde::Serialize;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// Events a subscriber may fall behind.
const BEHIND_MAX: usize = 4_096;

/// Something that happened to one proxy.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// It listens, with these toxics.
    ProxyUp {
        listen: &'a str,
        upstream: &'a str,
        toxics: Vec<&'a Toxic>,
    },
    /// It has stopped listening, and every connection is closed.
    ProxyDown,
    /// It is gone for good.
    ProxyDeleted,
    ToxicAdded {
        toxic: &'a Toxic,
    },
    ToxicUpdated {
        toxic: &'a Toxic,
    },
    ToxicRemoved {
        toxic: &'a str,
    },
    /// Enabled and without toxics, by a reset of the whole server.
    ProxyReset,
    /// Every connection was reset at one moment.
    ConnectionsReset {
        connections: u64,
    },
    ConnectionOpened {
        connection: u64,
        client: SocketAddr,
    },
    ConnectionClosed {
        connection: u64,
        reason: Reason,
    },
}

#[derive(Debug, Clone)]
struct Message {
    proxy: Arc<str>,
    text: Bytes,
}

/// The line to all subscribers.
#[derive(Debug, Clone)]
pub(crate) struct Events(broadcast::Sender<Message>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND_MAX))
    }
}

impl Events {
    /// Tells of an event; `event` is made only if somebody listens.
    pub(super) fn tell<'a>(&self, proxy: &Arc<str>, event: impl FnOnce() -> Event<'a>) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let Some(text) = text(proxy, &event()) else {
            return;
        };
        let message = Message {
            proxy: Arc::clone(proxy),
            text,
        };
        if self.0.send(message).is_err() {
            tracing::trace!("the last subscriber left while an event was written");
        }
    }

    /// Follows one proxy, or all of them.
    pub(crate) fn subscribe(&self, proxy: Option<String>) -> Subscription {
        Subscription {
            receiver: self.0.subscribe(),
            proxy,
        }
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.0.receiver_count()
    }
}

/// Tells what became of the toxics of one proxy.
pub(super) fn changes(before: &[Arc<Toxic>], after: &[Arc<Toxic>], tell: impl Fn(Event<'_>)) {
    let find = |list: &[Arc<Toxic>], id| list.iter().position(|toxic| toxic.id == id);
    for gone in before
        .iter()
        .filter(|toxic| find(after, toxic.id).is_none())
    {
        tell(Event::ToxicRemoved { toxic: &gone.name });
    }
    for toxic in after {
        match find(before, toxic.id).map(|index| &before[index]) {
            None => tell(Event::ToxicAdded { toxic }),
            Some(same) if Arc::ptr_eq(same, toxic) => {}
            Some(_) => tell(Event::ToxicUpdated { toxic }),
        }
    }
}

/// One subscriber's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    receiver: broadcast::Receiver<Message>,
    proxy: Option<String>,
}

impl Subscription {
    /// The next event in the form it is sent; `None` when there will be none. Loses nothing if it
    /// is dropped half-way.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.receiver.recv().await {
                Ok(message) => {
                    let wanted = self.proxy.as_ref();
                    if wanted.is_none_or(|name| **name == *message.proxy) {
                        return Some(message.text);
                    }
                }
                Err(RecvError::Lagged(events)) => {
                    let data = format!("event: missed\ndata: {{\"events\":{events}}}\n\n");
                    return Some(Bytes::from(data));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn text(proxy: &str, event: &Event<'_>) -> Option<Bytes> {
    let mut data = serde_json::to_value(event).ok()?;
    let fields = data.as_object_mut()?;
    let name = fields.get("event")?.as_str()?.to_owned();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    fields.insert("proxy".to_owned(), proxy.into());
    fields.insert(
        "at_ms".to_owned(),
        u64::try_from(at.as_millis()).ok()?.into(),
    );
    Some(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}
