//! Redis as the server uses it: supervised links, and scripts that do one thing atomically.

mod link;
pub(crate) mod script;

pub(crate) use link::CONNECT_TIMEOUT;
pub(crate) use link::Link;
pub(crate) use link::LinkError;
pub(crate) use link::connect;
pub(crate) use link::jittered;
