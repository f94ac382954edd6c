//! This module gives back what a run holds, however the run ends: the janitor, its manifests,
//! `harness recover`.
//!
//! The run asks a [`JanitorClient`] for processes; the janitor at its other end starts them, writes
//! them into the run's manifest, and ends them when the run has ended.

mod client;
mod error;
pub(crate) mod manifest;
mod protocol;
pub(crate) mod recover;
mod server;
mod sweep;

pub(crate) use client::{JanitorClient, OWN_PROGRAM};
pub(crate) use error::JanitorError;
pub(crate) use manifest::HeldProxies;
pub(crate) use protocol::SpawnSpec;
pub(crate) use server::main;
#[cfg(test)]
pub(crate) use {protocol::MARK, server::serve};
