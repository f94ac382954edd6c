//! This module reads the single values of `[target]`: paths, names, origins, and what may be left out as "none".

use crate::scenario::document::{Node, Value};
use crate::scenario::problem::{Complaint, Problems};
use crate::scenario::section::Section;
use crate::scenario::value;

/// Longest path, name or template.
pub(super) const TEXT_MAX: usize = 2_000;
/// Says that there is no such thing.
pub(super) const NONE: &str = "none";

/// A table, or "none".
pub(super) fn part<T>(
    section: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    read: impl FnOnce(&mut Section<'_>, &mut Problems) -> T,
) -> Option<T> {
    if let Some(Node {
        value: Value::Text(text),
        ..
    }) = section.node(key)
        && text == NONE
    {
        return None;
    }
    let mut table = section.table(problems, key);
    let part = read(&mut table, problems);
    table.finish(problems);
    Some(part)
}

pub(super) fn text(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: &str,
) -> String {
    table
        .read_or(problems, key, usual.to_owned(), value::text(TEXT_MAX))
        .value
}

/// A text, or "none".
pub(super) fn optional(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: Option<&str>,
) -> Option<String> {
    let read = table.read(problems, key, value::text(TEXT_MAX));
    match read {
        Some(read) if read.value == NONE => None,
        Some(read) => Some(read.value),
        None => usual.map(str::to_owned),
    }
}

/// A name that stands in a query or a cookie as it is.
pub(super) fn name(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: &str,
) -> String {
    let read = |node: &Node| {
        let name = value::text(TEXT_MAX)(node)?;
        let plain = |c: char| c.is_ascii_graphic() && !"&=?#;,\"\\".contains(c);
        if name.chars().all(plain) {
            return Ok(name);
        }
        let complaint = Complaint::new(format!("expected a plain name, found \"{name}\""));
        Err(complaint.hint("write it as the server knows it, such as \"token\""))
    };
    table.read_or(problems, key, usual.to_owned(), read).value
}

/// As a browser says where a page comes from, or "none".
pub(super) fn origin(table: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let read = table.read(problems, "origin", |node| {
        let origin = value::text(TEXT_MAX)(node)?;
        if origin.chars().all(|c| c.is_ascii_graphic()) {
            return Ok(origin);
        }
        let complaint = Complaint::new(format!("expected an origin, found \"{origin}\""));
        Err(complaint.hint("write it like \"https://chat.example.org\""))
    });
    read.map(|read| read.value).filter(|origin| origin != NONE)
}

pub(super) fn path(
    table: &mut Section<'_>,
    problems: &mut Problems,
    key: &'static str,
    usual: &str,
) -> String {
    let read = |node: &Node| {
        let path = value::text(TEXT_MAX)(node)?;
        let plain = |c: char| c.is_ascii_graphic() && c != '#';
        if path.starts_with('/') && path.chars().all(plain) {
            return Ok(path);
        }
        let complaint = Complaint::new("expected a path, in printable ASCII without `#`");
        Err(complaint.hint("begin with `/`, as in \"/ws/chat/{conversation}/\""))
    };
    table.read_or(problems, key, usual.to_owned(), read).value
}
