//! This module checks that a mapped server can be driven by the rest of the scenario.
//!
//! **In:** `[target]` as typed, load and trials. **Out:** problems; the dialect itself is as typed.

use crate::plan::{Credential, LoadPlan, Matching};
use crate::scenario::ScenarioFile;
use crate::scenario::problem::{Complaint, Place, Problems};
use crate::scenario::target::Dialect;

/// Where the message's id goes.
const ID: &str = "{id}";
const TEXT: &str = "{text}";

/// What does not go together.
pub(super) fn check(
    dialect: &Dialect,
    (load, trials): (Option<&LoadPlan>, usize),
    problems: &mut Problems,
) {
    let mut problem = |field: &str, fact: &str, hint: &str| {
        let complaint = Complaint::new(fact).hint(hint);
        problems.add(&Place::Line(1), format!("target.{field}"), complaint);
    };
    let credential = load.map(|load| load.session.credential);
    if dialect.token.is_none() && credential == Some(Credential::ConnectionToken) {
        problem(
            "token",
            "there are no connection tokens, and the sessions are opened by them",
            "write what opens them: session = { credential = \"query-token\" } in [load]",
        );
    }
    if !dialect.send.message.contains(TEXT) {
        problem(
            "send.message",
            "has no place for the text",
            "write it as {text}: message = '{\"type\":\"message\",\"text\":\"{text}\"}'",
        );
    }
    if dialect.matching == Matching::Id && !dialect.send.message.contains(ID) {
        problem(
            "send.message",
            "has no place for the message's id, by which answers shall be matched",
            "write it as {id}, or matching = \"order\"",
        );
    }
    if dialect.events.complete.is_none()
        && dialect.events.answer.is_none()
        && dialect.events.field.is_some()
    {
        problem(
            "events",
            "no event says that an answer is complete",
            "name it: complete = \"done\", or answer = \"message\" where it comes in one frame",
        );
    }
    if trials > 0 {
        problem(
            "events",
            "trials speak the wire contract, and this scenario maps another one",
            "take [[trial]] out, or [target]",
        );
    }
}

/// Clients have to say who they are.
pub(super) fn asks_who(file: &ScenarioFile) -> bool {
    let has_login = file
        .dialect
        .as_ref()
        .is_none_or(|dialect| dialect.login.is_some());
    has_login || file.load.session.credential != Credential::None
}

/// Further attempts at a message that make sense: without an id, one that is sent again runs again.
pub(super) fn retries(dialect: Option<&Dialect>, wanted: u16) -> u16 {
    match dialect {
        Some(dialect) if !dialect.send.message.contains(ID) => 0,
        Some(_) | None => wanted,
    }
}
