//! This module knows processes: which is which, what they use and may use, and when one is ready.

mod error;
mod id;
mod limits;
mod ready;

pub(crate) use error::ProcessError;
pub(crate) use id::{ProcessId, ProcessUse, own_user};
pub(crate) use limits::ProcessLimits;
pub(crate) use ready::{ReadyWait, announced, log_end};
