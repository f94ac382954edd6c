//! Redis as the server uses it: supervised links, scripts that do one thing atomically, and the
//! names of what both ends of the queue share.

mod database;
mod entry;
mod gap;
mod link;
pub(crate) mod queue;
pub(crate) mod script;
mod stream_id;

pub(crate) use database::{Database, NotADatabase};
pub(crate) use entry::{Entry, text};
pub(crate) use gap::Gap;
pub(crate) use link::{CONNECT_TIMEOUT, Link, LinkError, Links, connect, jittered};
pub(crate) use stream_id::StreamId;
