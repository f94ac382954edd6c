//! An entry of a stream as Redis returns it.

/// Its id, then field and value, which can be anything.
pub(crate) type Entry = (String, Vec<Vec<u8>>);

/// The text of an event's entry.
pub(crate) fn text((_, fields): &Entry) -> Option<&str> {
    str::from_utf8(fields.get(1)?).ok()
}
