//! This module holds what the user typed.
//!
//! **In:** a TOML file and the flags that change it. **Out:** typed values, and every problem of the
//! file with its line and a hint. Unknown keys are refused. What the parts mean together (a fault
//! past the end of the load, an expectation about a fault that is not there) is checked where the
//! plan is made.

pub(crate) mod address;
pub(crate) mod cpus;
mod criterion;
mod document;
pub(crate) mod environment;
pub(crate) mod expectation;
pub(crate) mod fault;
mod file;
pub(crate) mod header;
mod keys;
pub(crate) mod load;
mod overrides;
pub(crate) mod problem;
pub(crate) mod protocol;
pub(crate) mod schema;
mod section;
pub(crate) mod server_count;
pub(crate) mod shipped;
pub(crate) mod stages;
mod suggest;
pub(crate) mod target;
pub(crate) mod trial;
mod value;

pub(crate) use criterion::{Criterion, Patience, unknown_part_hint};
pub(crate) use document::FILE_BYTES_MAX;
pub(crate) use file::{ScenarioFile, notes, question, read, users_file};
pub(crate) use overrides::{Overrides, ProtocolFile, left_out};
pub(crate) use value::name_of;
