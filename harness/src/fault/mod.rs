//! This module makes things go wrong, on time, and sees to it that they are right again.
//!
//! **In:** the plan's faults and the means to cause them ([`FaultAccess`]). **Out:** the stamps of
//! every fault, and a [`FaultEvent`] for each as it happens.
//!
//! Every fault is injected, confirmed by a probe through the faulted path, healed and confirmed
//! healed; it is healed on every way out, cancellation included.
//!
//! **Units:** microseconds since load start.

mod driver;

pub(crate) use driver::{FaultEvent, FaultMoment, drive};
