//! This module finds how much a service can take: the largest load at which everything holds that the scenario expects.
//!
//! **In:** the results of runs at different loads, the *probes*. **Out:** the next load to try, and in the end an
//! [`account::Answer`]: between which loads the limit lies, what broke beyond it, what was full, how many instances a wished-for
//! load needs.
//!
//! **Method.** The load grows in geometric steps until a probe breaks; then the stretch between the largest load that held
//! and the smallest that broke is halved, as a ratio, until it is as narrow as was asked; then both ends are confirmed.
//! What is next follows from what was seen alone, so that a search can be interrupted and gone on with.
//!
//! Deliberately absent: running anything (`cli::capacity`), and drawing (`render::capacity`).

pub(crate) mod account;
pub(crate) mod axis;
pub(crate) mod figure;
pub(crate) mod law;
mod model;
mod outage;
pub(crate) mod planner;
pub(crate) mod probe;
pub(crate) mod question;
pub(crate) mod scale_out;
pub(crate) mod search;
mod steady;
pub(crate) mod storm;
pub(crate) mod uses;
