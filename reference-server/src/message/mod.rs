//! What becomes of a chat message: submitted by its socket, held to the rate limit, then queued for
//! a worker or published on a people chat. What was acknowledged and is gone from the queue is
//! queued again.

mod context;
mod publish;
mod queue;
mod redrive;
mod submit;

pub(crate) use context::Context;
pub(crate) use redrive::redrive;
pub(crate) use submit::{Inbox, Submitted, inbox, run};
