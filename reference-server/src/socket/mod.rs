//! One WebSocket as others see it: what it is for, what waits to be written, how its bytes go out,
//! and which are open.

pub(crate) mod code;
mod conn;
mod message;
mod opening;
mod outbox;
mod registry;
mod transport;

pub(crate) use conn::Conn;
pub(crate) use message::ChatMessage;
pub(crate) use opening::{Opening, Refused};
pub(crate) use registry::Registry;
pub(crate) use transport::Transport;
