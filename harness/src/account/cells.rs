//! This module holds what an account has beside its name and password: values for the places of templates.
//!
//! **In:** names, and a value for each. **Out:** the value of a place. The names stand once for all accounts of a file.

use std::sync::Arc;

/// The values of one account. None of them is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    names: Arc<[String]>,
    /// As many as there are names.
    values: Arc<[Box<str>]>,
}

impl Cells {
    pub(crate) fn new(names: &Arc<[String]>, values: Vec<Box<str>>) -> Self {
        Self {
            names: Arc::clone(names),
            values: values.into(),
        }
    }

    pub(crate) fn value(&self, place: &str) -> Option<&str> {
        let pairs = self.names.iter().zip(self.values.iter());
        let mut named = pairs.filter(|(name, _)| *name == place);
        named.next().map(|(_, value)| &**value)
    }

    /// In the order of their names.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| &**value)
    }
}

/// Who logs in.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub account: &'a str,
    pub password: &'a str,
    /// `None`: templates name nothing else of an account.
    pub cells: Option<&'a Cells>,
}
