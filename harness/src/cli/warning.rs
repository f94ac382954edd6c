//! This module tells what a run will hardly be able to answer, before it is begun.
//!
//! **In:** a plan. **Out:** lines on stderr (`warning: …`, ` hint: …`); the exit code does not change.

use std::io::{self, Write};

use crate::plan::{Plan, outlook};

/// Tells all of a plan.
pub(super) fn tell(plan: &Plan) {
    // Where nobody reads stderr, nobody is told.
    drop(io::stderr().lock().write_all(text(plan).as_bytes()));
}

fn text(plan: &Plan) -> String {
    let lines = outlook::doubts(plan).into_iter().map(|doubt| {
        let place = match doubt.line {
            0 => plan.scenario.clone(),
            line => format!("{}:{line}", plan.scenario),
        };
        let hint = doubt.cure.map(|cure| format!(" hint: {cure}\n"));
        format!(
            "warning: {place}: {}\n{}",
            doubt.fact,
            hint.unwrap_or_default()
        )
    });
    lines.collect()
}
