//! Redis as the server uses it: supervised links, and scripts that do one thing atomically.

mod link;
pub(crate) mod script;

pub(crate) use link::{CONNECT_TIMEOUT, Link, LinkError, connect, jittered};
