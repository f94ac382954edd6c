//! This module says what is wrong with an answer to the doctor's message.
//!
//! **In:** what came instead of an answer. **Out:** a [`Trouble`].

use super::report::Trouble;
use crate::account::quoted;
use crate::client::wire::ErrorFrame;
use crate::plan::{Dialect, Matching};

/// A message that is answered by an error.
pub(super) fn refused(error: &ErrorFrame<'_>, mapped: bool) -> Trouble {
    let text = error.text.as_deref().unwrap_or_default();
    let words = quoted(format!("{} {text}", error.code).as_bytes());
    let cure = if mapped {
        "look at the server's log"
    } else {
        "look at the server's Redis: its address, its password, whether it runs"
    };
    Trouble::new(
        format!("the message is refused: {}", words.trim_end()),
        cure,
    )
}

/// Whether answers are known by the id of their message.
pub(super) fn is_by_id(dialect: Option<&Dialect>) -> bool {
    dialect.is_some_and(|dialect| dialect.matching == Matching::Id)
}

/// An answer that does not say to what.
pub(super) fn nameless(dialect: Option<&Dialect>) -> Trouble {
    let field = dialect.map_or("", |dialect| dialect.fields.id.as_str());
    Trouble::new(
        format!(
            "the answer has no field `{field}`, so nobody can tell to which message it belongs"
        ),
        "name the field in which this server gives a message's id back: fields.id of [target]; or have answers counted in order: matching = \"order\"",
    )
}

/// An answer to a message nobody sent.
pub(super) fn foreign(id: &str) -> Trouble {
    let id = quoted(id.as_bytes());
    Trouble::new(
        format!("what comes back answers the message {id}, and none such was sent"),
        "is that the field in which this server gives a message's id back? see fields.id of [target]",
    )
}
