//! This module is the chat protocol as a user's client speaks it.
//!
//! **In:** an address, a credential, texts to send. **Out:** frames with the moment the kernel
//! received them. Measures nothing and decides nothing: that is `load`.

pub(crate) mod connector;
mod destination;
pub(crate) mod dialect;
mod encoding;
pub(crate) mod flat;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod journal;
mod meter;
pub(crate) mod opening;
pub(crate) mod passed;
mod problem;
pub(crate) mod socket;
pub(crate) mod stream;
pub(crate) mod talk;
pub(crate) mod template;
mod upgrade;
pub(crate) mod wire;
