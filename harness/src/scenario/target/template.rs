//! This module knows the places of a template: `{name}` where a value goes.
//!
//! **In:** a template. **Out:** the names in it; a complaint about one that nothing fills.

use crate::scenario::problem::Complaint;
use crate::scenario::suggest;

/// What opens the sockets of a client: an access token or a connection token.
pub(crate) const CREDENTIAL: &str = "credential";
/// What is known of a client.
pub(super) const USUAL: [&str; 4] = ["conversation", "client", "group", "account"];
/// The id of what is said.
pub(super) const ID: &str = "id";
/// What only messages have.
pub(super) const TEXT: &str = "text";
/// Longest name of a place.
pub(crate) const PLACE_CHARS_MAX: usize = 24;

/// The names in a template that look like places: small letters, digits and `_` in braces.
pub(crate) fn places(template: &str) -> impl Iterator<Item = &str> {
    let parts = template.split('{').skip(1);
    parts.filter_map(|part| {
        let (name, _) = part.split_once('}')?;
        is_name(name).then_some(name)
    })
}

/// Whether a place may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= PLACE_CHARS_MAX
        && name.chars().all(plain)
}

/// Refuses a template with a place that none of these fill; `later` are filled when it is too late.
pub(super) fn check(template: &str, filled: &[&str], later: &[&str]) -> Result<(), Complaint> {
    for place in places(template) {
        if filled.contains(&place) {
            continue;
        }
        let complaint = Complaint::new(format!("nothing fills the place {{{place}}}"));
        return Err(if place == TEXT {
            complaint.hint("the text of a message stands in send.message only")
        } else if later.contains(&place) {
            complaint.hint("it is captured by a later step")
        } else {
            let hint = suggest::hint(place, filled);
            complaint.hint(format!(
                "{hint}; a word in braces that is no place is written with a blank: {{ {place} }}"
            ))
        });
    }
    Ok(())
}
