//! This module turns TOML text into a tree that knows the line of every key and value.
//!
//! **In:** the text of a scenario and the `--set` flags. **Out:** [`Node`]s, and a problem for each
//! place where the text is not TOML.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address::names_a_secret;
use super::problem::{Cause, Complaint, Place, Problems};

/// Largest scenario that is read.
pub(crate) const FILE_BYTES_MAX: usize = 256 * 1024;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Place,
    pub value: Value,
}

/// The kinds of value a scenario can hold.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Dates and integers past 64 bits: nothing takes them, they are only quoted back.
    Other(String),
    List(Vec<Node>),
    Table(Table),
}

pub(super) type Table = BTreeMap<String, Entry>;

/// Where the keys of a table stand, those of tables in it too: `target`, `target.login`, `target.login.path`.
pub(super) fn places(table: &Table, key: &str) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    let Some(entry) = table.get(key) else {
        return places;
    };
    let mut rest = vec![(key.to_owned(), entry)];
    while let Some((path, entry)) = rest.pop() {
        if let Value::Table(table) = &entry.node.value {
            let inner = table.iter();
            rest.extend(inner.map(|(key, entry)| (format!("{path}.{key}"), entry)));
        }
        places.insert(path, entry.key_at.clone());
    }
    places
}

/// What stands behind a key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where the key stands: a table's value starts further down.
    pub key_at: Place,
    pub node: Node,
}

impl Value {
    /// What it is, for where it is not to be quoted.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Other(_) => "a date or a very large number",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The value as a complaint quotes it: `"many"`, `12`, `a table`.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Text(text) => format!("\"{}\"", shortened(text)),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Other(text) => shortened(text),
            Self::List(_) | Self::Table(_) => self.kind().to_owned(),
        }
    }
}

/// A text, cut where it would fill the screen, without line ends and control characters.
pub(super) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if text.chars().count() > CHARACTERS_MAX {
        short.push('…');
    }
    short
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Reads a whole document. What is not TOML becomes a problem; the rest is kept and checked on.
pub(super) fn parse(text: &str, problems: &mut Problems) -> Table {
    parse_at(text, &Place::Line, problems)
}

/// The same of another file than the scenario: `place` names a line of it.
pub(super) fn parse_at(text: &str, place: &dyn Fn(u32) -> Place, problems: &mut Problems) -> Table {
    let lines = Lines::of(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        let at = place(lines.line(offset));
        let line = lines.text(offset, text);
        let cause = if line.trim_start().starts_with('[') {
            Cause::BrokenHeader
        } else {
            Cause::Syntax
        };
        let span = error
            .span()
            .filter(|_| error.message().starts_with(DUPLICATE));
        let first = span.and_then(|span| {
            let name = text.get(span.clone())?;
            first(document.get_ref(), name, span.start)
                .or_else(|| first_header(text, name, span.start))
        });
        let complaint = match first {
            Some((name, offset)) => twice(name, lines.line(offset)),
            None => not_toml(error.message(), line),
        };
        problems.add(&at, "", Complaint { cause, ..complaint });
    }
    table(document.get_ref(), &|offset| place(lines.line(offset)))
}

/// A key that stood before in the same place is an error at its second place: its name, and the nearest place before.
fn first<'t>(table: &DeTable<'_>, name: &'t str, before: usize) -> Option<(&'t str, usize)> {
    let mut nearest = None;
    let mut tables = vec![table];
    while let Some(table) = tables.pop() {
        for (key, value) in table {
            let start = key.span().start;
            let name_of: &std::borrow::Cow<'_, str> = key.get_ref();
            if *name_of == name.trim_matches(['"', '\'']) && start < before {
                nearest = nearest.max(Some(start));
            }
            push_tables(value.get_ref(), &mut tables);
        }
    }
    nearest.map(|start| (name, start))
}

/// The same of a table: of two the parser keeps the second.
fn first_header<'t>(text: &str, name: &'t str, before: usize) -> Option<(&'t str, usize)> {
    let header = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    let start = text.get(..before)?.rfind('\n').map_or(0, |end| end + 1);
    let wanted = header(text.get(start..)?.lines().next()?);
    let mut offset = 0;
    let lines = text.get(..start)?.split_inclusive('\n').map(|line| {
        let at = offset;
        offset += line.len();
        (at, line)
    });
    let mut same = lines.filter(|(_, line)| wanted.starts_with('[') && header(line) == wanted);
    same.next().map(|(at, _)| (name, at))
}

fn push_tables<'d, 'i>(value: &'d DeValue<'i>, into: &mut Vec<&'d DeTable<'i>>) {
    match value {
        DeValue::Table(table) => into.push(table),
        DeValue::Array(items) => {
            let tables = items.iter().filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            });
            into.extend(tables);
        }
        _ => {}
    }
}

fn twice(name: &str, first: u32) -> Complaint {
    let name = shortened(name);
    Complaint::new(format!("`{name}` is set twice (first at line {first})"))
        .hint("leave one of them out")
}

/// What the parser says, or what it means where that can be seen from the line.
fn not_toml(message: &str, line: &str) -> Complaint {
    let parts = line.split_once('=').map(|(key, value)| {
        let value = value.split('#').next().unwrap_or_default();
        (key.trim(), value.trim())
    });
    match parts {
        Some((key, "")) => Complaint::new("a value is missing")
            .hint(format!("write it behind the `=`: {} = …", shortened(key))),
        Some((key, value))
            if message.starts_with(UNQUOTED) && !value.contains(['"', '\'', '=']) =>
        {
            let shown = if names_a_secret(key) || value.contains(['@', '/']) {
                "…".to_owned()
            } else {
                shortened(value)
            };
            Complaint::new("not TOML: a text must stand in quotes")
                .hint(format!("write {} = \"{shown}\"", shortened(key)))
        }
        _ => {
            let message = message
                .strip_suffix(", expected nothing")
                .unwrap_or(message);
            Complaint::new(format!("not TOML: {message}"))
        }
    }
}

/// How the parser begins about a text without quotes, and about a key that is there already: it has no kinds of error.
const UNQUOTED: &str = "string values must be quoted";
const DUPLICATE: &str = "duplicate key";

/// Reads the value of a `--set` flag: TOML where it is TOML, else the text itself.
///
/// `2s` needs no quotes that way, and `"2s"` works as well.
pub(super) fn parse_flag_value(text: &str, at: &Place) -> Node {
    match DeValue::parse(text) {
        Ok(value) => node(&value, &|_offset| at.clone()),
        Err(_not_toml) => Node {
            at: at.clone(),
            value: Value::Text(text.to_owned()),
        },
    }
}

fn table(source: &DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Table {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let entry = Entry {
            key_at: place(key.span().start),
            node: node(value, place),
        };
        (name.to_string(), entry)
    };
    source.iter().map(entry).collect()
}

fn node(source: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Node {
    let value = match source.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(
                |_too_large| Value::Other(integer.to_string()),
                Value::Integer,
            ),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .map_or_else(|_unreadable| Value::Other(float.to_string()), Value::Float),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(item, place)).collect()),
        DeValue::Table(entries) => Value::Table(table(entries, place)),
    };
    Node {
        at: place(source.span().start),
        value,
    }
}

/// Offsets at which the lines of a text start.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(offset, _)| offset + 1));
        Self {
            starts: starts.collect(),
        }
    }

    /// The text of the line that holds the byte at `offset`.
    fn text<'t>(&self, offset: usize, text: &'t str) -> &'t str {
        let index = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(index.saturating_sub(1)).copied();
        let rest = text.get(start.unwrap_or(0)..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    /// The line, from 1, that holds the byte at `offset`.
    fn line(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX).max(1)
    }
}
