//! This module lays a scenario out as people write one: the load first, what is short on one line.
//!
//! **In:** tables. **Out:** TOML.

use toml::{Table, Value};

/// Tables of a scenario, in the order in which they are read.
const ORDER: [&str; 4] = ["environment", "load", "target", "expect"];
/// Keys that come first in their table; others follow by name.
const FIRST: [&str; 27] = [
    "target",
    "users",
    "clients",
    "ramp",
    "hold",
    "drain",
    "session",
    "name",
    "login",
    "token",
    "cookies",
    "socket",
    "path",
    "method",
    "body",
    "user",
    "password",
    "page",
    "capture",
    "what",
    "field",
    "begins_with",
    "when",
    "message",
    "send",
    "await",
    "answer",
];
/// Longest line.
const LINE_CHARS_MAX: usize = 110;

/// The whole document.
pub(super) fn document(document: &Table) -> String {
    let mut text = String::new();
    let tables = ORDER
        .iter()
        .filter_map(|name| Some((*name, document.get(*name)?)));
    for (name, value) in tables {
        put(name, value, &mut text);
    }
    text
}

/// A table under its name, or a list of them.
fn put(name: &str, value: &Value, text: &mut String) {
    match value {
        Value::Table(table) => {
            gap(text);
            text.extend(["[", name, "]\n"]);
            entries(name, table, text);
        }
        Value::Array(list) => {
            for table in list.iter().filter_map(Value::as_table) {
                gap(text);
                text.extend(["[[", name, "]]\n"]);
                entries(name, table, text);
            }
        }
        _ => {}
    }
}

fn gap(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

/// The keys of a table: those on one line first, then the tables within.
fn entries(name: &str, table: &Table, text: &mut String) {
    let mut within = Vec::new();
    for (key, value) in in_order(table) {
        let line = format!("{} = {}", in_toml(key), inline(value));
        let is_list_of_tables = value
            .as_array()
            .is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_table));
        let is_long = line.chars().count() > LINE_CHARS_MAX && value.is_table();
        if is_list_of_tables && key != "ignore" || is_long {
            within.push((key, value));
        } else {
            text.push_str(&line);
            text.push('\n');
        }
    }
    for (key, value) in within {
        put(&format!("{name}.{}", in_toml(key)), value, text);
    }
}

fn in_order(table: &Table) -> Vec<(&String, &Value)> {
    let mut keys: Vec<(&String, &Value)> = table.iter().collect();
    let rank = |key: &String| FIRST.iter().position(|first| first == key);
    keys.sort_by_key(|(key, _)| (rank(key).unwrap_or(FIRST.len()), key.to_owned()));
    keys
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let pairs = in_order(table).into_iter();
            let pairs = pairs.map(|(key, value)| format!("{} = {}", in_toml(key), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => format!(
            "[{}]",
            list.iter().map(inline).collect::<Vec<_>>().join(", ")
        ),
        // On one line, whatever is in it: what JSON writes is TOML too.
        Value::String(text) if text.contains(char::is_control) => {
            serde_json::Value::from(text.as_str())
                .to_string()
                .replace('\u{7f}', "\\u007F")
        }
        other => other.to_string(),
    }
}

/// A key as it may stand alone, or in quotes.
fn in_toml(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.chars().all(plain) {
        return key.to_owned();
    }
    Value::from(key).to_string()
}
