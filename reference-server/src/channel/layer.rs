//! The way out for events, through Redis or within this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::args::ChannelKind;
use crate::clock;
use crate::room::Rooms;
use crate::route;
use crate::store::{Link, LinkError, StreamId, script};

/// The way out for events.
pub(crate) enum Channel {
    /// Through Redis.
    Redis {
        /// Database 3.
        link: Arc<Link>,
        /// Entries kept and expiry in ms, as the script takes them.
        bounds: [String; 2],
    },
    /// Straight into this process' rooms.
    Memory {
        /// The rooms.
        rooms: Arc<Rooms>,
        /// The last id given out.
        last: Mutex<StreamId>,
    },
}

impl Channel {
    /// The layer of that kind.
    pub(crate) fn new(
        kind: ChannelKind,
        link: &Arc<Link>,
        rooms: &Arc<Rooms>,
        history: (u32, Duration),
    ) -> Self {
        match kind {
            ChannelKind::Redis => Self::redis(link, history),
            ChannelKind::Memory => Self::Memory {
                rooms: Arc::clone(rooms),
                last: Mutex::default(),
            },
        }
    }

    /// The layer that others share; entries and expiry bound each history.
    pub(crate) fn redis(link: &Arc<Link>, (entries, expiry): (u32, Duration)) -> Self {
        Self::Redis {
            link: Arc::clone(link),
            bounds: [entries.to_string(), clock::millis(expiry).to_string()],
        }
    }

    /// Emits events, each for a conversation named by its id, in order. After an error any part of
    /// them may be out.
    pub(crate) async fn emit(&self, events: &[(Arc<str>, String)]) -> Result<(), LinkError> {
        match self {
            Self::Redis { link, bounds } => {
                let feed = std::iter::once(route::FEED.to_owned());
                let to = events.iter().map(|(to, _)| route::conversation(to));
                let keys: Vec<String> = feed.chain(to).collect();
                let texts = events.iter().map(|(_, text)| text.as_str());
                let arguments: Vec<&str> = bounds.iter().map(String::as_str).chain(texts).collect();
                let _count: u64 = link.script(&script::EMIT, &keys, &arguments).await?;
                Ok(())
            }
            Self::Memory { rooms, last } => {
                for (to, text) in events {
                    let (room, id) = (route::conversation(to), next_id(last));
                    rooms.deliver(&room, id, text);
                    rooms.deliver(route::FEED, id, &format!("{room} {id} {text}"));
                }
                Ok(())
            }
        }
    }

    /// A message of a people chat is kept as `id`. Redis told every instance already; the memory
    /// layer tells this one.
    pub(crate) fn posted(&self, room: &str, id: StreamId, text: &str) {
        if let Self::Memory { rooms, last } = self {
            rooms.deliver(room, id, text);
            rooms.deliver(route::FEED, next_id(last), &format!("{room} {id} {text}"));
        }
    }
}

fn next_id(last: &Mutex<StreamId>) -> StreamId {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let ms = clock::unix_us() / 1000;
    *last = if ms > last.ms {
        StreamId { ms, seq: 0 }
    } else {
        StreamId {
            ms: last.ms,
            seq: last.seq + 1,
        }
    };
    *last
}

/// The memory layer's counterpart of a subscription: every new room is ready at once.
pub(crate) async fn attach(rooms: Arc<Rooms>) {
    loop {
        rooms.wait_for_changes().await;
        for name in rooms.changes().0 {
            rooms.subscribed(&name, StreamId::default());
        }
    }
}
