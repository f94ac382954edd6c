//! This module drives one load in several processes, each a part of its clients.
//!
//! **In:** a plan, and how many processes. **Out:** what one process would have brought: an `AttackOutcome`, and an
//! account of each part.
//!
//! ```text
//! the run (fleet, link)                           a process of the load (serve), `harness shard`
//!   starts it through the janitor                   connects back
//!   plan, part, target        ── Assignment ──▶     reads, makes its clients
//!                             ◀── Ready ────────
//!   one zero of time for all  ── Start ──────▶      drives its part
//!   faults, before they begin ── Faults ─────▶      marks what they touch
//!                             ◀── Heard, Tally ─    a few times a second
//!                             ◀── Done ─────────    histograms, ledger, examples: added up, bit for bit
//! ```
//!
//! Where a scheduler starts the processes, on many machines (`meeting`), they come by themselves, and the same is said through
//! a folder that all share (`mailbox`): the run drives its own part in a process of its own, as here.
//!
//! Faults, trials, the environment and the verdict stay with the run. Whoever is gone before it is done is named, and
//! makes the run invalid; a process whose run is gone ends by itself.
//!
//! **Units:** microseconds since load start; `*_ns` nanoseconds on the monotonic clock, which all processes of a machine
//! share; `*_wall_ns` nanoseconds since 1970.

mod archive;
mod channel;
mod copied;
mod file;
mod fleet;
mod gathering;
mod glimpse;
mod hello;
mod link;
mod mailbox;
mod meeting;
mod message;
mod peer;
mod serve;

pub(crate) use archive::{Archive, ArchiveError, Leaf, Roster};
pub(crate) use fleet::{Fleet, FleetError};
pub(crate) use glimpse::Glimpse;
pub(crate) use meeting::{Meeting, MeetingError, Met, Place, build};
pub(crate) use serve::{ServeError, serve, serve_at};
