//! This module changes values in JSON that is well formed, so that it stays so.
//!
//! **In:** JSON, and lines that say what to change. **Out:** the JSON, changed.

use serde_json::Value;

/// Most changes of one input.
pub(super) const EDITS_MAX: usize = 16;
/// Entries of a list that is made longer.
const LIST_MAX: usize = 200;

/// One change, a line: `12=null` sets the twelfth value, `3#40` makes the third list that long.
pub(super) fn edit(value: &mut Value, line: &str) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (index, change) = line.split_at(digits);
    let index: usize = index.parse().unwrap_or(0);
    if let Some(text) = change.strip_prefix('=') {
        let new = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let all = count(value, &|value| !value.is_array() && !value.is_object());
        if let Some(found) = nth(value, &mut (index % all.max(1)), &|value| {
            !value.is_array() && !value.is_object()
        }) {
            *found = new;
        }
    } else if let Some(length) = change.strip_prefix('#') {
        let length = length.trim().parse().unwrap_or(0).min(LIST_MAX);
        let all = count(value, &Value::is_array);
        if let Some(Value::Array(list)) = nth(value, &mut (index % all.max(1)), &Value::is_array) {
            let entries: Vec<Value> = list.iter().cycle().take(length).cloned().collect();
            *list = entries;
        }
    }
}

fn children(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(list) => list.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &mut Value, counts: &dyn Fn(&Value) -> bool) -> usize {
    let own = usize::from(counts(value));
    own + children(value)
        .into_iter()
        .map(|child| count(child, counts))
        .sum::<usize>()
}

fn nth<'a>(
    value: &'a mut Value,
    left: &mut usize,
    counts: &dyn Fn(&Value) -> bool,
) -> Option<&'a mut Value> {
    if counts(value) {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
    }
    children(value)
        .into_iter()
        .find_map(|child| nth(child, left, counts))
}
