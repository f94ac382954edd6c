//! This module lays tables of a scenario over others, and takes lists of tables out of them.

use toml::{Table, Value};

/// Tables are merged, lists of names united, everything else replaced.
pub(super) fn laid(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => laid(under, over),
            (Some(Value::Array(under)), Value::Array(over)) if key == "proxies" => {
                let new: Vec<Value> = over
                    .into_iter()
                    .filter(|name| !under.contains(name))
                    .collect();
                under.extend(new);
            }
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// Takes a list of tables out.
pub(super) fn entries(of: &mut Table, key: &str) -> Vec<Table> {
    let Some(Value::Array(list)) = of.remove(key) else {
        return Vec::new();
    };
    let tables = list.into_iter().map(|entry| match entry {
        Value::Table(table) => table,
        _ => Table::new(),
    });
    tables.collect()
}

/// Puts a table at the end of a list.
pub(super) fn push(to: &mut Table, list: &str, entry: Table) {
    let entries = to.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(entries) = entries {
        entries.push(Value::Table(entry));
    }
}
