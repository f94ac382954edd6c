//! The three WebSocket routes, and the room that a path leads to.
//!
//! A room is named by its Redis key, which is also its pub/sub channel: the prefix says what it is.

use std::sync::Arc;

/// The room of the admin feed.
pub(crate) const FEED: &str = "feed:admin";
const CONVERSATION: &str = "conv:";
const PEOPLE: &str = "chat:";

/// Characters of a conversation or chat id.
const ID_CHARACTERS: usize = 128;

/// The routes, as the health page lists them.
pub(crate) const PATHS: [&str; 3] = [
    "/ws/chat/{conversation_id}/",
    "/ws/chats/{chat_id}/",
    "/ws/admin/",
];

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Assistant chat: a message is answered by a worker.
    Assistant,
    /// People chat: a message goes to every participant.
    People,
    /// Admin feed: what every other socket gets.
    Admin,
}

/// A kind and the room it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// What for.
    pub(crate) kind: Kind,
    /// The room.
    pub(crate) room: Arc<str>,
}

impl Route {
    /// The route of a path; the last `/` may be missing.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/ws/")?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let (kind, room) = match path.split_once('/') {
            Some(("chat", id)) => (Kind::Assistant, conversation(checked(id)?)),
            Some(("chats", id)) => (Kind::People, people(checked(id)?)),
            None if path == "admin" => (Kind::Admin, FEED.to_owned()),
            _ => return None,
        };
        Some(Self {
            kind,
            room: room.into(),
        })
    }
}

impl Kind {
    /// What a room of that name is for.
    pub(crate) fn of(room: &str) -> Self {
        if room.starts_with(CONVERSATION) {
            Self::Assistant
        } else if room == FEED {
            Self::Admin
        } else {
            Self::People
        }
    }
}

/// The room of an assistant conversation.
pub(crate) fn conversation(id: &str) -> String {
    format!("{CONVERSATION}{id}")
}

/// The room of a people chat.
pub(crate) fn people(id: &str) -> String {
    format!("{PEOPLE}{id}")
}

/// The id that a room was made from.
pub(crate) fn id(room: &str) -> &str {
    room.split_once(':').map_or(room, |(_, id)| id)
}

/// An id as it may stand in a path.
pub(crate) fn checked(id: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    ((1..=ID_CHARACTERS).contains(&id.len()) && id.bytes().all(plain)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<(Kind, &str)>) {
        let found = Route::of(path);
        let found = found.as_ref().map(|route| (route.kind, &*route.room));
        assert_eq!(found, expected, "{path}");
        if let Some((kind, room)) = found {
            assert_eq!(Kind::of(room), kind, "{room}");
        }
    }

    #[test]
    fn a_room_is_named_by_the_path() {
        check("/ws/chat/conv-1/", Some((Kind::Assistant, "conv:conv-1")));
        check("/ws/chat/conv-1", Some((Kind::Assistant, "conv:conv-1")));
        check("/ws/chat/a:b/", Some((Kind::Assistant, "conv:a:b")));
        check("/ws/chats/17/", Some((Kind::People, "chat:17")));
        check("/ws/admin/", Some((Kind::Admin, "feed:admin")));
        assert_eq!(id("conv:a:b"), "a:b");
    }

    #[test]
    fn path_tricks_lead_nowhere() {
        let long = format!("/ws/chat/{}/", "x".repeat(129));
        for path in [
            "/ws/chat//",
            "/ws/chat/",
            "/ws/chat",
            "/ws/chat/a/b/",
            "/ws/chat/a%20b/",
            "/ws/chat/../admin/",
            "/ws/chat/a//",
            "/ws/admin//",
            "/ws/admin/x/",
            "/ws//admin/",
            "/ws/chats/%31/",
            "/ws/Chat/a/",
            "/ws/",
            &long,
        ] {
            check(path, None);
        }
    }
}
