//! The parts that the schema of a scenario is made of.

use serde_json::{Map, Value, json};

pub(in crate::scenario) fn table(description: &str, required: &[&str], properties: Value) -> Value {
    let mut table = Map::new();
    table.insert("type".to_owned(), "object".into());
    table.insert("description".to_owned(), description.into());
    table.insert("additionalProperties".to_owned(), false.into());
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table.insert("properties".to_owned(), properties);
    Value::Object(table)
}

pub(in crate::scenario) fn text_of(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

/// A duration, not yet described.
pub(in crate::scenario) fn duration() -> Value {
    json!({
        "type": "string",
        "pattern": "^\\s*([0-9]*\\.?[0-9]+\\s*(us|µs|ms|s|sec|min|h|d)\\s*)+$",
    })
}

/// A share above nothing, at most all: as a percentage or as a number; not yet described.
pub(in crate::scenario) fn part_of_all() -> Value {
    json!({
        "type": ["string", "number"],
        "pattern": "^\\s*[0-9]*\\.?[0-9]+\\s*%\\s*$",
        "exclusiveMinimum": 0,
        "maximum": 1,
    })
}

pub(in crate::scenario) fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

pub(in crate::scenario) fn integer(least: i64, most: i64, description: &str) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "description": description })
}

pub(in crate::scenario) fn share(description: &str) -> Value {
    json!({ "type": "number", "minimum": 0, "description": description })
}

pub(in crate::scenario) fn choice(names: &[&str], description: &str) -> Value {
    json!({ "enum": names, "description": description })
}

pub(in crate::scenario) fn list(items: Value, description: &str) -> Value {
    json!({ "type": "array", "items": items, "description": description })
}

pub(in crate::scenario) fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}
