//! Who is in which room, what was asked there, and what of the answers was already sent.
//!
//! **In:** sockets, acknowledged tasks, events of the channel layer. **Out:** frames on sockets.
//! The rules are those of the contract's "What a client may rely on": `task_queued` first, each
//! event once and in order, an answer whole or not at all. A message of a people chat is an answer
//! of one event, and the admin feed is a room that hears the events of all others.
//!
//! Rooms are spread over shards with a lock each; no lock is held across an await, and only one
//! shard's at a time.

pub(crate) mod event;
mod finished;
mod member;
mod place;
mod question;
mod replay;
mod replay_request;
mod rooms;
mod state;
mod task;
mod watch;

pub(crate) use event::RawEvent;
pub(crate) use replay_request::{Part, ReplayRequest, Replayed, What};
pub(crate) use rooms::{Rooms, Terms};
pub(crate) use watch::Silent;
