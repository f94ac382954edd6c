//! This module says what kind of frame one is: by the name of its event, or by how it looks.
//!
//! **In:** frames of one side. **Out:** where names stand, and the [`Sign`] by which a scenario knows a kind again.

use std::collections::{BTreeMap, BTreeSet};

use super::leaf::{Kind, Leaf};
use super::talk::Said;
use crate::account::between;

/// What servers call the field with the name of an event, the likeliest first.
const FIELDS: [&str; 15] = [
    "event",
    "type",
    "op",
    "action",
    "kind",
    "cmd",
    "command",
    "method",
    "name",
    "t",
    "msg_type",
    "messageType",
    "target",
    "status",
    "protocol",
];
/// Longest name of an event.
const NAME_BYTES_MAX: usize = 60;
/// Most digits of a name that is a number.
const DIGITS_MAX: usize = 4;
/// Most kinds that a field of names tells apart.
const KINDS_MAX: usize = 60;
/// Of frames in which the field has to stand, in percent.
const SHARE_MIN: usize = 60;
/// What tells answers without a name apart, the likeliest first.
const TELLING: [&str; 8] = [
    "result", "error", "data", "payload", "message", "text", "content", "body",
];
/// Longest beginning by which a text is known.
const BEGINNING_BYTES_MAX: usize = 12;

/// By what a kind of frame is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// What stands in the field of names.
    Name(String),
    /// What it begins with, and what stands at which path; `*`: anything.
    Shape(Option<String>, BTreeMap<String, String>),
}

impl Sign {
    /// What people would call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Shape(beginning, fields) => {
                let named = fields.values().find(|value| *value != "*");
                named.or(beginning.as_ref()).map_or("", String::as_str)
            }
        }
    }

    pub(super) fn toml(&self) -> toml::Value {
        match self {
            Self::Name(name) => toml::Value::from(name.clone()),
            Self::Shape(beginning, fields) => {
                let beginning = beginning
                    .iter()
                    .map(|beginning| ("begins_with".to_owned(), beginning));
                let fields = fields.iter().map(|(path, value)| (path.clone(), value));
                let pairs = beginning.chain(fields);
                toml::Value::Table(
                    pairs
                        .map(|(key, value)| (key, toml::Value::from(value.clone())))
                        .collect(),
                )
            }
        }
    }
}

/// Whether a value is the name of something that is done: a word, where names stand.
pub(super) fn is_name(leaf: &Leaf) -> bool {
    let is_word = match leaf.kind {
        Kind::Text => {
            let is_short = (1..=NAME_BYTES_MAX).contains(&leaf.value.len());
            is_short && !leaf.value.contains(char::is_whitespace)
        }
        Kind::Number => leaf.value.len() <= DIGITS_MAX && leaf.key() != "status",
        Kind::Word => false,
    };
    // Lists begin with the name; those of Phoenix have it at the fourth place.
    let is_listed = leaf.kind == Kind::Text && ["0", "3"].contains(&leaf.path.as_str());
    is_word && (FIELDS.contains(&leaf.key()) || is_listed)
}

/// Where the names of events stand in frames of the server; `None`: nowhere.
pub(super) fn field(frames: &[&Said]) -> Option<String> {
    let mut found: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    let objects = frames
        .iter()
        .filter(|frame| frame.head == Some(0) && frame.text.starts_with('{'));
    for frame in objects {
        for leaf in frame
            .leaves
            .iter()
            .filter(|leaf| !leaf.is_nested && is_name(leaf))
        {
            let (count, names) = found.entry(&leaf.path).or_default();
            *count += 1;
            names.insert(&leaf.value);
        }
    }
    let depth = |path: &str| path.matches('.').count();
    let rank = |path: &str| {
        let key = path.rsplit('.').next().unwrap_or_default();
        FIELDS
            .iter()
            .position(|field| *field == key)
            .unwrap_or(FIELDS.len())
    };
    let is_weak = |path: &str| {
        ["name", "target", "status"].contains(&path.rsplit('.').next().unwrap_or_default())
    };
    let fitting = found.into_iter().filter(|(path, (count, names))| {
        !is_weak(path)
            && depth(path) <= 1
            && names.len() <= KINDS_MAX
            && count * 100 >= frames.len() * SHARE_MIN
    });
    let best = fitting
        .min_by_key(|(path, (count, _))| (depth(path), std::cmp::Reverse(*count), rank(path)));
    best.map(|(path, _)| path.to_owned())
}

/// By what a frame is known.
pub(super) fn sign(frame: &Said, field: Option<&str>) -> Sign {
    // Paths lead through the JSON of a frame only where its beginning is told too, see below.
    let is_headed = |head: usize| head > 0 && !frame.text[..head].contains('\n');
    let pattern = field.filter(|field| field.contains('*') && !frame.head.is_some_and(is_headed));
    let leaf = field.and_then(|field| frame.leaf(field));
    let named = leaf.map(|leaf| leaf.value.as_str());
    let named = named.or_else(|| between(&frame.text, pattern?));
    if let Some(name) = named.filter(|name| name.len() <= NAME_BYTES_MAX) {
        return Sign::Name(name.to_owned());
    }
    let Some(head) = frame.head else {
        let line = frame.text.lines().next().unwrap_or_default();
        // What follows a mark is a value.
        let line = line.split_inclusive(['=', ':']).next().unwrap_or_default();
        let beginning: String = line.chars().take(BEGINNING_BYTES_MAX).collect();
        return Sign::Shape(Some(beginning), BTreeMap::new());
    };
    let beginning = (head > 0).then(|| frame.text[..head].to_owned());
    let mut fields = BTreeMap::new();
    let json = &frame.text[head..];
    if json.starts_with('[') {
        let named = frame
            .leaves
            .iter()
            .find(|leaf| !leaf.is_nested && is_name(leaf));
        fields.extend(named.map(|leaf| (leaf.path.clone(), leaf.value.clone())));
    } else if beginning.is_none() {
        let of = |key: &str| {
            frame
                .leaves
                .iter()
                .find(|leaf| !leaf.is_nested && leaf.path.split('.').next() == Some(key))
        };
        let telling = TELLING.iter().find_map(|key| of(key));
        let telling = telling.or_else(|| frame.leaves.iter().find(|leaf| !leaf.is_nested));
        fields.extend(telling.map(|leaf| (leaf.path.clone(), "*".to_owned())));
    }
    match (&beginning, fields.is_empty()) {
        (None, true) => Sign::Shape(Some(json.chars().take(2).collect()), fields),
        _ => Sign::Shape(beginning, fields),
    }
}
