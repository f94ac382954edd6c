//! This module is what a socket of a mapped server has beside what all have: what its templates need, and how far its opening
//! is.

use crate::client::opening::Opening;
use crate::client::template::Held;
use crate::load::job::Job;

/// What a socket of a mapped server has beside what all have.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) held: Held,
    /// `None`: it is over, or there is none.
    pub(super) opening: Option<Opening>,
    /// By when the socket must be ready.
    pub(super) ready_by_us: u64,
}

impl Mapped {
    /// Of a socket that this opens; `None`: nothing of it is needed.
    pub(super) fn of(job: &Job, credential: &str, ready_by_us: u64) -> Option<Box<Self>> {
        let dialect = job.target.dialect.as_deref()?;
        let held = Held::of(dialect, credential)?;
        Some(Box::new(Self {
            held,
            opening: (!dialect.open.is_empty()).then(Opening::default),
            ready_by_us,
        }))
    }
}
