//! This module holds what is known of a talk in the end, and what is made of it.

use super::base::Base;
use super::door::Door;
use super::hears::Heard;
use super::opening::Opening;
use super::says::Messages;
use super::talk::Talk;
use super::template::Known;

/// A scenario, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Imported {
    /// TOML.
    pub text: String,
    /// Names of accounts, where they are not numbered: for the scenario's `users.csv`.
    pub accounts: Option<String>,
    /// What could not be said, or was guessed.
    pub notes: Vec<String>,
}

/// What is known of the talk in the end.
pub(super) struct Findings<'r> {
    pub(super) talk: &'r Talk<'r>,
    pub(super) base: Option<Base>,
    pub(super) field: Option<String>,
    pub(super) messages: Messages,
    pub(super) opening: Opening,
    pub(super) heard: Heard,
    pub(super) known: Known,
    pub(super) door: Door,
}
