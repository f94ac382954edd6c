//! This module says which frames of a server are meant: by the name of their event, by what stands in their fields, by what
//! they begin with.
//!
//! **In:** `"name"`, or a table of paths and values. **Out:** [`FrameMatch`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::TEXT_MAX;
use crate::scenario::document::{Node, Table, Value};
use crate::scenario::problem::Complaint;
use crate::scenario::value;

/// Most fields of one frame that are looked at.
const FIELDS_MAX: usize = 16;
/// Tables within tables, which is another way to write `a.b`.
const DEPTH_MAX: usize = 8;
const PATH_CHARS_MAX: usize = 200;
/// The keys that are no paths.
pub(crate) const BEGINS_WITH: &str = "begins_with";
pub(crate) const CONTAINS: &str = "contains";
/// Any value but null.
pub(crate) const ANY: &str = "*";

/// Which frames are meant; all that is said of them holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FrameMatch {
    /// The name of the event, as it stands in `events.field`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What the text begins with. The JSON of the frame is what follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_with: Option<String>,
    /// What stands somewhere in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Values by path: `a.b` for one within another, a number for a place in a list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Wanted>,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    Text(String),
    Number(i64),
    Truth(bool),
    /// Anything but null.
    Any,
}

/// Reads what says which frames are meant.
pub(super) fn read(node: &Node) -> Result<FrameMatch, Complaint> {
    let table = match &node.value {
        Value::Table(table) => table,
        Value::Text(_) => {
            let event = Some(value::text(TEXT_MAX)(node)?);
            return Ok(FrameMatch {
                event,
                ..FrameMatch::default()
            });
        }
        other => {
            let fact = format!(
                "expected the name of an event or a table, found {}",
                other.found()
            );
            return Err(Complaint::new(fact).hint(HINT));
        }
    };
    let mut meant = FrameMatch::default();
    fields(table, "", DEPTH_MAX, &mut meant)?;
    if meant == FrameMatch::default() {
        return Err(Complaint::new("every frame would match").hint(HINT));
    }
    if meant.fields.len() > FIELDS_MAX {
        let fact = format!("at most {FIELDS_MAX} fields, found {}", meant.fields.len());
        return Err(Complaint::new(fact));
    }
    Ok(meant)
}

const HINT: &str =
    "write \"auth_ok\", { type = \"auth_ok\", \"data.ok\" = true } or { begins_with = \"40\" }";

/// The paths and values of a table; one within another is a path too.
fn fields(
    table: &Table,
    path: &str,
    depth: usize,
    meant: &mut FrameMatch,
) -> Result<(), Complaint> {
    for (key, entry) in table {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        let text = match &*path {
            BEGINS_WITH => Some(&mut meant.begins_with),
            CONTAINS => Some(&mut meant.contains),
            _ => None,
        };
        if let Some(text) = text {
            *text = Some(value::frame_text(TEXT_MAX)(&entry.node)?);
            continue;
        }
        if path.chars().count() > PATH_CHARS_MAX || path.split('.').any(str::is_empty) {
            let fact = "that is no path to a field";
            return Err(Complaint::new(fact).hint("write it like \"data.items.0.id\""));
        }
        let wanted = match &entry.node.value {
            Value::Table(inner) if depth > 1 && !inner.is_empty() => {
                fields(inner, &path, depth - 1, meant)?;
                continue;
            }
            Value::Text(text) if text == ANY => Wanted::Any,
            Value::Text(_) => Wanted::Text(value::text(TEXT_MAX)(&entry.node)?),
            Value::Integer(number) => Wanted::Number(*number),
            Value::Boolean(truth) => Wanted::Truth(*truth),
            other => {
                let fact = format!(
                    "expected a text, a whole number, true or false at `{path}`, found {}",
                    other.found()
                );
                return Err(Complaint::new(fact).hint(format!("\"{ANY}\" is any value but null")));
            }
        };
        if meant.fields.insert(path.clone(), wanted).is_some() {
            return Err(Complaint::new(format!("`{path}` is written twice")));
        }
    }
    Ok(())
}
