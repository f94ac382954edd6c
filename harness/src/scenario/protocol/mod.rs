//! This module lays what a scenario says of its target over a protocol: a `[target]` that ships, or stands in a file of its own.
//!
//! **In:** the document, with `target.protocol`. **Out:** the document as if the protocol's keys stood in it too, each with its
//! own place; [`Laid`]: what came from where. Pure: a file that a user names is read by who calls.

use std::sync::Arc;

use super::document::{self, Entry, Node, Table, Value};
use super::overrides::{self, Overrides, ProtocolFile};
use super::problem::{Complaint, Place, Problems};
use super::suggest;

/// As they ship, by name.
const SHIPPED: [(&str, &str); 9] = [
    (
        CONTRACT,
        include_str!("../../../../scenarios/protocols/contract.toml"),
    ),
    (
        "socket.io",
        include_str!("../../../../scenarios/protocols/socket.io.toml"),
    ),
    (
        "graphql-ws",
        include_str!("../../../../scenarios/protocols/graphql-ws.toml"),
    ),
    (
        "phoenix",
        include_str!("../../../../scenarios/protocols/phoenix.toml"),
    ),
    (
        "actioncable",
        include_str!("../../../../scenarios/protocols/actioncable.toml"),
    ),
    (
        "stomp",
        include_str!("../../../../scenarios/protocols/stomp.toml"),
    ),
    (
        "signalr",
        include_str!("../../../../scenarios/protocols/signalr.toml"),
    ),
    (
        "centrifugo",
        include_str!("../../../../scenarios/protocols/centrifugo.toml"),
    ),
    (
        "channels-room",
        include_str!("../../../../scenarios/protocols/channels-room.toml"),
    ),
];
/// The reference server's own wire.
pub(crate) const CONTRACT: &str = "contract";
const TARGET: &str = "target";
const KEY: &str = "protocol";
const FIELD: &str = "target.protocol";
/// Tables of which a scenario may say single keys.
const PARTS: [&str; 7] = [
    "login", "token", "socket", "headers", "send", "events", "fields",
];
/// Lists that grow: of the scenario first.
const REPLY: &str = "reply";
const IGNORE: &str = "ignore";
/// A list whose entries have names.
const OPEN: &str = "open";

/// What of a `[target]` came from where, as keys without `target.`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Laid {
    /// As the scenario names it.
    pub name: String,
    /// Of the protocol, and in force.
    pub taken: Vec<String>,
    /// Of the scenario itself.
    pub own: Vec<String>,
}

/// One that ships, as its file has it.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    let mut shipped = SHIPPED.iter();
    shipped
        .find(|(shipped, _)| *shipped == name)
        .map(|(_, text)| *text)
}

/// The names of the protocols that ship.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The protocol's file that a scenario names, as it names it; `None`: it names none, or one that ships.
pub(crate) fn file(text: &str, overrides: &Overrides) -> Option<String> {
    // Problems are told by who reads the scenario whole.
    let document = typed(text, overrides);
    let named = named(&document)?;
    match &named.value {
        Value::Text(name) if is_file(name) => Some(name.clone()),
        _ => None,
    }
}

/// What came of the protocol that a scenario names, and what did not.
pub(crate) fn laid(text: &str, overrides: &Overrides) -> Option<Laid> {
    let mut document = typed(text, overrides);
    lay(
        &mut document,
        overrides.protocol.as_ref(),
        &mut Problems::none(""),
    )
}

/// A scenario as the command line has it; problems are told by who reads it whole.
pub(super) fn typed(text: &str, overrides: &Overrides) -> Table {
    let mut problems = Problems::none("");
    let text = Some(text).filter(|text| text.len() <= document::FILE_BYTES_MAX);
    let mut document = document::parse(text.unwrap_or_default(), &mut problems);
    overrides::apply(overrides, &mut document, &mut problems);
    document
}

/// A name that says where a file is.
fn is_file(name: &str) -> bool {
    name.contains('/') || name.strip_suffix(".toml").is_some()
}

fn named(document: &Table) -> Option<&Node> {
    match &document.get(TARGET)?.node.value {
        Value::Table(target) => Some(&target.get(KEY)?.node),
        _ => None,
    }
}

/// Lays the `[target]` of a document over the protocol that it names; `None`: it names none, or none that is there.
pub(super) fn lay(
    document: &mut Table,
    own: Option<&ProtocolFile>,
    problems: &mut Problems,
) -> Option<Laid> {
    let named = named(document)?.clone();
    let Value::Text(name) = &named.value else {
        let fact = format!(
            "expected the name of a protocol, found {}",
            named.value.found()
        );
        problems.add(&named.at, FIELD, Complaint::new(fact).hint(known(&[])));
        return None;
    };
    let base = match (SHIPPED.iter().find(|(shipped, _)| shipped == name), own) {
        (Some((name, text)), _) => read(name, text, problems),
        (None, Some(file)) if is_file(name) => read(&file.path, &file.text, problems),
        (None, _) => {
            let fact = format!("no protocol is called {}", named.value.found());
            let names: Vec<&str> = names().collect();
            let complaint = Complaint::new(fact).hint(match suggest::nearest(name, &names) {
                Some(_) => suggest::hint(name, &names),
                None => known(&names),
            });
            problems.add(&named.at, FIELD, complaint);
            return None;
        }
    };
    let Some(Value::Table(target)) = document
        .get_mut(TARGET)
        .map(|target| &mut target.node.value)
    else {
        return None;
    };
    let mut laid = Laid {
        name: name.clone(),
        ..Laid::default()
    };
    over(target, base, &mut laid);
    Some(laid)
}

fn known(names: &[&str]) -> String {
    let names = if names.is_empty() {
        self::names().collect()
    } else {
        names.to_vec()
    };
    format!(
        "known: {}; a file of your own has a `/` in it or ends in .toml",
        names.join(", ")
    )
}

/// The `[target]` of a protocol; problems carry its name and line.
fn read(name: &str, text: &str, problems: &mut Problems) -> Table {
    let name: Arc<str> = Arc::from(name);
    let mut document = document::parse_at(text, &|line| Place::of(&name, line), problems);
    let target = document.remove(TARGET);
    for (key, entry) in document {
        if key != "$schema" {
            let complaint =
                Complaint::new("a protocol says how a server is spoken to, nothing else");
            problems.add(
                &entry.key_at,
                key,
                complaint.hint("move it into the scenario"),
            );
        }
    }
    let Some(target) = target else {
        let complaint = Complaint::missing("[target]");
        problems.add(
            &Place::of(&name, 1),
            "",
            complaint.hint("write what a scenario would say there"),
        );
        return Table::new();
    };
    let at = target.key_at;
    let Value::Table(mut target) = target.node.value else {
        problems.add(&at, TARGET, Complaint::new("expected a table"));
        return Table::new();
    };
    if let Some(entry) = target.remove(KEY) {
        let complaint = Complaint::new("a protocol is not laid over another");
        problems.add(
            &entry.key_at,
            FIELD,
            complaint.hint("copy what it needs of it"),
        );
    }
    target
}

/// A scenario's own keys over those of a protocol.
fn over(own: &mut Table, base: Table, laid: &mut Laid) {
    let typed = own.iter().filter(|(key, _)| *key != KEY);
    for (key, entry) in typed {
        match &entry.node.value {
            Value::Table(table) if PARTS.contains(&key.as_str()) => {
                laid.own
                    .extend(table.keys().map(|inner| format!("{key}.{inner}")));
            }
            _ => laid.own.push(key.clone()),
        }
    }
    for (key, theirs) in base {
        let Some(ours) = own.get_mut(&key) else {
            laid.taken.push(key.clone());
            own.insert(key, theirs);
            continue;
        };
        match (&mut ours.node.value, theirs.node.value) {
            (Value::Table(ours), Value::Table(theirs)) if PARTS.contains(&key.as_str()) => {
                part(ours, theirs, &key, laid);
            }
            (Value::List(ours), Value::List(theirs)) if key == REPLY && !ours.is_empty() => {
                laid.taken.push(key);
                ours.extend(theirs);
            }
            (Value::List(ours), Value::List(theirs)) if key == OPEN && !ours.is_empty() => {
                steps(ours, theirs, laid);
            }
            _ => {}
        }
    }
}

fn part(own: &mut Table, base: Table, part: &str, laid: &mut Laid) {
    for (key, theirs) in base {
        let path = format!("{part}.{key}");
        match own.get_mut(&key).map(|ours| &mut ours.node.value) {
            None => {
                laid.taken.push(path);
                own.insert(key, theirs);
            }
            Some(Value::List(ours)) if key == IGNORE && !ours.is_empty() => {
                if let Value::List(theirs) = theirs.node.value {
                    laid.taken.push(path);
                    ours.extend(theirs);
                }
            }
            Some(_) => {}
        }
    }
}

/// A step of the scenario with the name of one of the protocol's changes that one; others come after them.
fn steps(own: &mut Vec<Node>, base: Vec<Node>, laid: &mut Laid) {
    let mut laid_over = Vec::new();
    for mut theirs in base {
        let name = step_name(&theirs).map(str::to_owned);
        let same = own
            .iter()
            .position(|ours| name.is_some() && step_name(ours) == name.as_deref());
        let ours = same.map(|at| own.remove(at));
        if let (Value::Table(theirs), Some(Value::Table(ours))) =
            (&mut theirs.value, ours.map(|ours| ours.value))
        {
            let ours = ours
                .into_iter()
                .filter(|(key, _): &(String, Entry)| key != "name");
            theirs.extend(ours);
        }
        laid.taken
            .push(format!("open \"{}\"", name.unwrap_or_default()));
        laid_over.push(theirs);
    }
    laid_over.append(own);
    *own = laid_over;
}

fn step_name(step: &Node) -> Option<&str> {
    let Value::Table(step) = &step.value else {
        return None;
    };
    match &step.get("name")?.node.value {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
