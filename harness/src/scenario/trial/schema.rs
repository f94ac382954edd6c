//! A `[[trial]]` as editors are told of it, from what each kind declares.

use serde_json::{Value, json};

use super::{CONCURRENCY_MAX, KINDS, SAMPLES_MAX};
use crate::scenario::keys;
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
        let kinds = KINDS.iter().map(|kind| (kind.name, (kind.keys)()));
        keys::describe(properties, kinds);
    }
    trial
}
