//! A `[[fault]]` as editors are told of it, from what each kind declares.

use serde_json::{Value, json};

use super::{KINDS, LINKS, STREAMS};
use crate::scenario::keys;
use crate::scenario::schema::part::{choice, described, duration, names, table, text_of};

/// One entry.
pub(in crate::scenario) fn entry() -> Value {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let about = KINDS
        .iter()
        .map(|kind| format!("{}: {}", kind.name, kind.about.trim()));
    let about: Vec<String> = about.collect();
    let mut fault = table(
        "Something that goes wrong on purpose.",
        &["at", "kind"],
        json!({
            "name": text_of("For `when = \"during NAME\"`; default: where and what, as in redis-down."),
            "at": described(duration(), "Start, counted from the start of the load."),
            "for": described(duration(), "Length. Without it a toxic lasts to the end of the load and is a condition of the run; reset_now and redis-flush take none; all other kinds need it."),
            "link": choice(&names(&LINKS), "Where a network fault acts; redis-kill, server-kill and the like take none."),
            "kind": choice(&kinds, &format!("What goes wrong. {}", about.join(" "))),
            "stream": choice(&names(&STREAMS), "What of a connection a toxic on bytes acts on; default downstream, for timeout both."),
            "toxicity": { "type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "Share of the connections a toxic affects; default 1." },
        }),
    );
    if let Some(properties) = fault["properties"].as_object_mut() {
        let kinds = KINDS.iter().map(|kind| (kind.name, (kind.keys)()));
        keys::describe(properties, kinds);
    }
    fault
}
