//! This module knows processes: which is which, what they use, and when one is ready.

mod error;
mod id;
mod ready;

pub(crate) use error::ProcessError;
pub(crate) use id::{ProcessId, ProcessUse, own_user};
pub(crate) use ready::{ReadyWait, announced, log_end};
