//! What the kernel says about this process, memory given back to it, and
//! processor time used up on purpose.

pub(crate) mod memory;
mod slow;
pub(crate) mod stat;

pub(crate) use slow::SlowCpu;
