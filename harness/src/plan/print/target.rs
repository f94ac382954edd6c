//! This module writes how a target is spoken to as a scenario says it.
//!
//! **In:** a [`Dialect`]. **Out:** keys and values of `[target]`; what is not there is written as "none", for the contract
//! would be meant otherwise.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::plan::{Dialect, EventName, EventNames, FrameMatch, Wanted};
use crate::scenario::target::{ANY, BEGINS_WITH, CONTAINS};
use crate::units::print_us;

/// The keys of `[target]`.
pub(super) fn pairs(dialect: &Dialect) -> Vec<(String, Value)> {
    let Ok(serde_json::Value::Object(parts)) = serde_json::to_value(dialect) else {
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for (key, part) in parts {
        let value = match &*key {
            "open" => open(dialect),
            "reply" => reply(dialect),
            "events" => events(&dialect.events, part),
            _ if part.as_object().is_some_and(serde_json::Map::is_empty) => continue,
            _ => spelled(part),
        };
        pairs.push((key, value));
    }
    pairs
}

fn spelled(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Object(table) => {
            let table = table.into_iter();
            Value::Table(table.map(|(key, value)| (key, spelled(value))).collect())
        }
        serde_json::Value::Array(items) => Value::Array(items.into_iter().map(spelled).collect()),
        serde_json::Value::String(text) if !text.is_empty() => Value::from(text),
        serde_json::Value::Number(number) => Value::from(number.as_i64().unwrap_or(i64::MAX)),
        serde_json::Value::Bool(truth) => Value::from(truth),
        _ => Value::from("none"),
    }
}

/// As they are, but for those that are known by the shape of their frames.
fn events(events: &EventNames, part: serde_json::Value) -> Value {
    let Value::Table(mut table) = spelled(part) else {
        return Value::from("none");
    };
    let named = [
        ("connected", &events.connected),
        ("queued", &events.queued),
        ("started", &events.started),
        ("chunk", &events.chunk),
        ("complete", &events.complete),
        ("answer", &events.answer),
        ("pong", &events.pong),
        ("expiring", &events.expiring),
        ("error", &events.error),
    ];
    for (key, event) in named {
        if let Some(event) = event {
            table.insert(key.to_owned(), known_by(event));
        }
    }
    let ignored = events.ignore.iter().map(known_by).collect();
    table.insert("ignore".to_owned(), Value::Array(ignored));
    Value::Table(table)
}

fn known_by(event: &EventName) -> Value {
    match event {
        EventName::Named(name) => Value::from(name.as_str()),
        EventName::Shaped(meant) => shape(meant),
    }
}

/// The name of an event alone, else what stands in the frame.
fn shape(meant: &FrameMatch) -> Value {
    if let Some(event) = &meant.event {
        return Value::from(event.as_str());
    }
    let texts = [
        (BEGINS_WITH, &meant.begins_with),
        (CONTAINS, &meant.contains),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| {
        let text = text.as_deref()?;
        Some((key.to_owned(), Value::from(text)))
    });
    let fields = meant.fields.iter().map(|(path, wanted)| {
        let value = match wanted {
            Wanted::Text(text) => Value::from(text.as_str()),
            Wanted::Number(number) => Value::from(*number),
            Wanted::Truth(truth) => Value::from(*truth),
            Wanted::Any => Value::from(ANY),
        };
        (path.clone(), value)
    });
    Value::Table(texts.chain(fields).collect())
}

fn open(dialect: &Dialect) -> Value {
    let steps = dialect.open.iter().map(|step| {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.to_owned(), value);
            }
        };
        put("name", step.name.as_deref().map(Value::from));
        put("send", step.send.as_deref().map(Value::from));
        put("await", step.awaited.as_ref().map(shape));
        put("capture", captured(&step.capture));
        let within = step.awaited.as_ref().map(|_| print_us(step.within_us));
        put("within", within.map(Value::from));
        Value::Table(table)
    });
    Value::Array(steps.collect())
}

fn reply(dialect: &Dialect) -> Value {
    let rules = dialect.reply.iter().map(|rule| {
        let send = rule.send.as_deref().unwrap_or("none");
        let pairs = [
            Some(("when", shape(&rule.when))),
            Some(("send", Value::from(send))),
            captured(&rule.capture).map(|capture| ("capture", capture)),
        ];
        let pairs = pairs.into_iter().flatten();
        Value::Table(pairs.map(|(key, value)| (key.to_owned(), value)).collect())
    });
    Value::Array(rules.collect())
}

fn captured(capture: &BTreeMap<String, String>) -> Option<Value> {
    let pairs = capture.iter();
    let pairs = pairs.map(|(name, path)| (name.clone(), Value::from(path.as_str())));
    (!capture.is_empty()).then(|| Value::Table(pairs.collect()))
}
