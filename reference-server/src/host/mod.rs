//! What the kernel says about this process, and memory that is given back to it.

pub(crate) mod memory;
pub(crate) mod stat;
