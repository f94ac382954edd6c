//! This module holds the facts of a run, in bounded memory.
//!
//! **In:** stamps from the session lanes, the token requests and the fault driver. **Out:** one
//! [`recording::Recording`], merged over all threads; judged afterwards, elsewhere.
//!
//! A message is recorded once, when its fate is known, in the *cell* of the interval in which it
//! should have been sent and of the fault that any part of its life touched. So latencies can be
//! told apart by window after the run, when it is known when a fault was recovered from, and no
//! message in flight at the start of a fault is counted as baseline.
//!
//! **Units:** `*_us` are microseconds since load start, or microseconds.

pub(crate) mod copies;
pub(crate) mod counters;
pub(crate) mod delivery;
pub(crate) mod diary;
pub(crate) mod fault;
pub(crate) mod generator;
pub(crate) mod histogram;
pub(crate) mod ledger;
pub(crate) mod recorder;
pub(crate) mod recording;
pub(crate) mod slow;
pub(crate) mod subject;
pub(crate) mod tally;
pub(crate) mod trace;
pub(crate) mod trial;
pub(crate) mod used;
pub(crate) mod users;
