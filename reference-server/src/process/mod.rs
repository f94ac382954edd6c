//! The processes: `serve`, `worker` and `health`, each from its start to its end.

pub(crate) mod health;
pub(crate) mod serve;
mod start;
pub(crate) mod terminal;
pub(crate) mod worker;
