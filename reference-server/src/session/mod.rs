//! The life of a socket: opened, read until it ends, swept by the clock.

mod life;
mod sessions;
mod stream;
mod sweeper;
mod take;

pub(crate) use life::{refuse, run};
pub(crate) use sessions::Sessions;
pub(crate) use sweeper::sweep;
