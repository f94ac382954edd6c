//! Renderers against results that nobody would write: each is refused when it is read, or drawn.
//!
//! Of every saved run, each number, list and text is changed in turn, one for all of those that stand in the same
//! place of a list. That takes ten minutes, and is done with `HARNESS_SWEEP=1`; else a part of them is changed, another
//! for each of the runs.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::Format;
use super::column::Color;
use super::terminal::{Style, summary};
use super::tests::{STORIES, folder};
use crate::result::store::{RESULT_FILE, RunDir, read};

/// One of so many cases is tried, with and without `HARNESS_SLOW_TESTS`.
const STRIDES: [usize; 2] = [97, 397];
const LONG_BYTES: usize = 1 << 20;

/// Pointers to what can be changed: the first of every list stands for all of them.
fn places(value: &Value, place: &str, seen: &mut Vec<String>) {
    seen.push(place.to_owned());
    match value {
        Value::Object(entries) => {
            for (key, entry) in entries {
                places(entry, &format!("{place}/{key}"), seen);
            }
        }
        Value::Array(items) => {
            // Numbers are alike; tables of a list may have different keys.
            let different = items.iter().enumerate().filter(|(index, item)| {
                *index == 0 || (item.is_object() && *index < 4) || *index + 1 == items.len()
            });
            for (index, item) in different {
                places(item, &format!("{place}/{index}"), seen);
            }
        }
        _ => {}
    }
}

/// What may stand there instead.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(_) | Value::Null => vec![
            json!(0),
            json!(-1),
            json!(1_u64 << 53),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e308),
            json!(0.5),
            Value::Null,
        ],
        Value::Array(items) => {
            let reversed = items.iter().rev().cloned().collect();
            let doubled = items.iter().chain(items).cloned().collect();
            let first = items.iter().take(1).cloned().collect();
            vec![
                json!([]),
                Value::Array(reversed),
                Value::Array(doubled),
                Value::Array(first),
            ]
        }
        Value::String(_) => vec![
            json!(""),
            json!("ä\u{202e}\0\n".repeat(LONG_BYTES / 8)),
            json!("9999-12-31T23:59:59Z"),
        ],
        Value::Bool(truth) => vec![json!(!truth)],
        Value::Object(_) => Vec::new(),
    }
}

/// Reads it as `harness report` does, and draws what can be drawn of it; whether it was drawn.
fn is_drawn(bytes: &[u8], folder: &RunDir) -> bool {
    folder.write(RESULT_FILE, bytes).unwrap();
    let Ok(result) = read(&folder.file(RESULT_FILE)) else {
        return false;
    };
    for renderer in Format::DRAWN.iter().flat_map(|format| format.renderers()) {
        // That a chart cannot be drawn of it may be said.
        drop(renderer.render(&result));
    }
    let style = Style {
        color: Color::None,
        width: 80,
        report: None,
    };
    !summary(&result, &style).is_empty()
}

#[test]
fn no_result_however_wrong_breaks_a_renderer() {
    let scratch = tempfile::tempdir().unwrap();
    let scratch = RunDir::at(scratch.path());
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let [slow, quick] = STRIDES;
    let stride = match (is_set("HARNESS_SWEEP"), is_set("HARNESS_SLOW_TESTS")) {
        (true, _) => 1,
        (false, true) => slow,
        (false, false) => quick,
    };
    let (mut broken, mut drawn, mut tried) = (BTreeSet::new(), 0, 0);
    for (turn, (_, path)) in STORIES.into_iter().enumerate() {
        let bytes = std::fs::read(folder(path).file(RESULT_FILE)).unwrap();
        let whole: Value = serde_json::from_slice(&bytes).unwrap();
        let mut seen = Vec::new();
        places(&whole, "", &mut seen);
        let cases = seen.iter().flat_map(|place| {
            let found = whole.pointer(place).unwrap();
            others(found).into_iter().map(move |other| (place, other))
        });
        for (place, other) in cases.skip(turn).step_by(stride) {
            let shown: String = other.to_string().chars().take(40).collect();
            let mut tampered = whole.clone();
            *tampered.pointer_mut(place).unwrap() = other;
            let bytes = serde_json::to_vec(&tampered).unwrap();
            tried += 1;
            match catch_unwind(AssertUnwindSafe(|| is_drawn(&bytes, &scratch))) {
                Ok(whether) => drawn += usize::from(whether),
                Err(_) => drop(broken.insert(format!("{path} {place} = {shown}"))),
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(drawn > tried / 8 && drawn < tried, "{drawn} of {tried}");
}
