//! A `[[trial]]` as editors are told of it, from what each kind declares.

use serde_json::{Map, Value, json};

use super::{CONCURRENCY_MAX, KINDS, SAMPLES_MAX};
use crate::scenario::schema::part::{choice, described, duration, integer, table, text_of};

/// One entry.
pub(in crate::scenario) fn entry() -> Value {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let about = KINDS
        .iter()
        .map(|kind| format!("{}: {}", kind.name, kind.about.trim()));
    let about: Vec<String> = about.collect();
    let most = i64::try_from(SAMPLES_MAX).unwrap_or(i64::MAX);
    let mut trial = table(
        "An experiment that is repeated beside the load, from its start to its end; one that goes wrong fails the run.",
        &["kind"],
        json!({
            "name": text_of("For the report; default: the kind."),
            "kind": choice(&kinds, &format!("What is tried. {}", about.join(" "))),
            "concurrency": integer(1, i64::from(CONCURRENCY_MAX), "Experiments under way at once, each with an account of its own; default 1."),
            "interval": described(duration(), "Pause between two experiments of one account; default 500ms."),
            "min_samples": integer(1, most, "Conclusive experiments that the run must have, else it is inconclusive; default 1."),
        }),
    );
    if let Some(properties) = trial["properties"].as_object_mut() {
        own_keys(properties);
    }
    trial
}

/// The keys of each kind of trial; one that several kinds have says what it is for each.
fn own_keys(properties: &mut Map<String, Value>) {
    for kind in KINDS {
        for key in (kind.keys)() {
            let default = match &key.default {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let about = format!(
                "kind = {}: {} Default {default}.",
                kind.name,
                key.about.trim()
            );
            match properties.get_mut(key.key) {
                Some(known) => widen(known, &key.schema, &about),
                None => drop(properties.insert(key.key.to_owned(), described(key.schema, &about))),
            }
        }
    }
}

/// Has a key hold what another kind of trial takes as well.
fn widen(known: &mut Value, other: &Value, about: &str) {
    let bound = |schema: &Value, name: &str| schema[name].as_i64();
    let bounds = [
        ("minimum", i64::min as fn(i64, i64) -> i64),
        ("maximum", i64::max),
    ];
    for (name, wider) in bounds {
        if let (Some(mine), Some(theirs)) = (bound(known, name), bound(other, name)) {
            known[name] = wider(mine, theirs).into();
        }
    }
    let before = known["description"].as_str().unwrap_or_default();
    known["description"] = format!("{before} {about}").into();
}
