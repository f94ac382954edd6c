//! This module knows the places of a template: `{name}` where a value goes.
//!
//! **In:** a template. **Out:** the names in it.

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

/// What fills the places of every template of a socket.
pub(super) fn known<'a>() -> impl Iterator<Item = &'a str> {
    USUAL.into_iter().chain([CREDENTIAL])
}
