//! This module holds what the user typed.
//!
//! **In:** a TOML file. **Out:** typed values, or every problem of the file with its line and a hint.

pub(crate) mod expectation;
