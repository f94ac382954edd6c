//! Bounds that hold for somebody: a user, an address, an account that is guessed at.
//!
//! All of them live in this process: each instance has its own. None grows with the number of those
//! who knock.

mod account;
mod address;
mod bucket;
mod login;
mod outbox;
mod tally;

pub(crate) use account::{Account, Accounts, Held, Member, Sort};
pub(crate) use address::{Client, Peers};
pub(crate) use bucket::{Allowance, Bucket, Buckets};
pub(crate) use login::Attempts;
pub(crate) use outbox::OutboxBounds;
pub(crate) use tally::{Place, Tally};
