//! This module applies what the command line says to what the file says.
//!
//! **In:** the flags, already read. **Out:** the document as if it had been written that way, every
//! changed value marked with its flag. `--clients` and `--duration` scale the typed load instead,
//! and are applied by the plan.

use std::time::Duration;

use super::document::{self, Entry, Node, Table, Value, parse_flag_value};
use super::problem::{Complaint, Place, Problems};
use super::target::UserHeads;

/// Most `--set` flags.
const SETS_MAX: usize = 100;
/// The link between clients and server.
const EDGE: &str = "edge";
/// Most parts of a key such as `load.message.every`.
const KEYS_MAX: usize = 16;

/// What the command line changes about a scenario. Flags come before the environment, which comes
/// before the file; both of the first two are in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// Scales every stage in proportion.
    pub clients: Option<u32>,
    /// Length of the load; holds are scaled, ramps are kept.
    pub duration: Option<Duration>,
    pub seed: Option<u64>,
    /// `load.message.every=2s`
    pub set: Vec<String>,
    /// `complete-missing`, `chunk-reorder=0.1`: in place of those of the file.
    pub defects: Vec<String>,
    pub target: Option<String>,
    pub redis_url: Option<String>,
    pub toxiproxy: Option<String>,
    /// The protocol that the scenario names, where it stands in a file of its own.
    pub protocol: Option<ProtocolFile>,
    /// The heads of the file of accounts that it names, where that was read.
    pub users: Option<UserHeads>,
}

/// A protocol in a file that the scenario names, already read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolFile {
    /// As messages name it.
    pub path: String,
    pub text: String,
}

/// Applies everything but `--clients` and `--duration`.
pub(super) fn apply(overrides: &Overrides, document: &mut Table, problems: &mut Problems) {
    // Before `--set`, which may say something about the target.
    if overrides.target.is_some() {
        attach(document);
    }
    for set in overrides.set.iter().take(SETS_MAX) {
        match set.split_once('=') {
            Some((path, value)) if is_key(path.trim()) => {
                // The value may be a secret: the flag is named without it.
                let at = Place::flag(&format!("--set {}", path.trim()));
                let keys: Vec<&str> = path.trim().split('.').collect();
                let node = parse_flag_value(value.trim(), &at);
                if let Some(complaint) = without_entries(document, &keys) {
                    problems.add(&at, path.trim(), complaint);
                    continue;
                }
                if let Err(complaint) = put(document, &keys, node) {
                    problems.add(&at, path.trim(), complaint);
                }
            }
            _ => {
                let complaint = Complaint::new("expected KEY=VALUE");
                let complaint = complaint.hint("write --set load.message.every=2s");
                problems.add(&Place::flag("--set"), "", complaint);
            }
        }
    }
    if overrides.set.len() > SETS_MAX {
        let fact = format!("at most {SETS_MAX} are read, found {}", overrides.set.len());
        problems.add(&Place::flag("--set"), "", Complaint::new(fact));
    }
    if let Some(seed) = overrides.seed {
        let value = i64::try_from(seed)
            .map_or_else(|_large| Value::Other(seed.to_string()), Value::Integer);
        flag(
            document,
            problems,
            &["seed"],
            ("--seed", &seed.to_string()),
            value,
        );
    }
    if let Some(target) = &overrides.target {
        // A URL may hold a password: these flags are named without it.
        let value = Value::Text(target.clone());
        flag(
            document,
            problems,
            &["environment", "target"],
            ("--target", ""),
            value,
        );
    }
    defects(overrides, document, problems);
    if let Some(url) = &overrides.redis_url {
        let value = Value::Text(url.clone());
        flag(
            document,
            problems,
            &["environment", "redis"],
            ("--redis-url", ""),
            value,
        );
    }
    if let Some(url) = &overrides.toxiproxy {
        let value = Value::Text(url.clone());
        flag(
            document,
            problems,
            &["environment", "toxiproxy"],
            ("--toxiproxy", ""),
            value,
        );
    }
}

/// What can be a path to a value, and is no address with a `=` in it.
fn is_key(path: &str) -> bool {
    !path.is_empty()
        && path
            .chars()
            .all(|c| c.is_ascii_graphic() && !"@:/?\"".contains(c))
}

/// After `--target`, which forgets the server of the file: the two do not go together.
fn defects(overrides: &Overrides, document: &mut Table, problems: &mut Problems) {
    let flag = |name: &String| Place::flag(&format!("--defect {name}"));
    let Some(at) = overrides.defects.first().map(flag) else {
        return;
    };
    let item = |name: &String| Node {
        at: flag(name),
        value: Value::Text(name.clone()),
    };
    let node = Node {
        at: at.clone(),
        value: Value::List(overrides.defects.iter().map(item).collect()),
    };
    let keys = ["environment", "server", "defects"];
    if let Err(complaint) = put(document, &keys, node) {
        problems.add(&at, keys.join("."), complaint);
    }
}

/// What of the file `--target` leaves out, as paths: it was said of a server that the run would have started.
pub(crate) fn left_out(text: &str, overrides: &Overrides) -> Vec<String> {
    if overrides.target.is_none() {
        return Vec::new();
    }
    // Problems of the file are told by who reads it whole.
    let mut document = document::parse(text, &mut Problems::none(""));
    attach(&mut document)
}

/// `--target` means another server: what the file says about the one it would have started no longer holds. What
/// stands between clients and server does. Returns what was left out.
fn attach(document: &mut Table) -> Vec<String> {
    let Some(environment) = document.get_mut("environment").and_then(table) else {
        return Vec::new();
    };
    let mut left_out = Vec::new();
    if let Some(mut server) = environment.remove("server") {
        match table(&mut server) {
            Some(server) => {
                left_out.extend(server.keys().map(|key| format!("environment.server.{key}")));
            }
            None => left_out.push("environment.server".to_owned()),
        }
    }
    if environment.remove("redis").is_some() {
        left_out.push("environment.redis".to_owned());
    }
    let mut has_edge = false;
    if let Some(Entry {
        node: Node {
            value: Value::List(links),
            ..
        },
        ..
    }) = environment.get_mut("proxies")
    {
        let of_edge = |node: &Node| matches!(&node.value, Value::Text(link) if link == EDGE);
        let all = links.len();
        links.retain(of_edge);
        has_edge = !links.is_empty();
        if links.len() < all {
            left_out.push("environment.proxies of Redis".to_owned());
        }
        if !has_edge {
            environment.remove("proxies");
        }
    }
    // It carries links of the target, or nothing.
    let is_used = has_edge || environment.contains_key("links");
    if !is_used && environment.remove("toxiproxy").is_some() {
        left_out.push("environment.toxiproxy".to_owned());
    }
    left_out
}

fn table(entry: &mut Entry) -> Option<&mut Table> {
    match &mut entry.node.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

fn flag(
    document: &mut Table,
    problems: &mut Problems,
    keys: &[&str],
    (name, shown): (&str, &str),
    value: Value,
) {
    let at = Place::flag(format!("{name} {shown}").trim_end());
    let node = Node {
        at: at.clone(),
        value,
    };
    if let Err(complaint) = put(document, keys, node) {
        problems.add(&at, keys.join("."), complaint);
    }
}

/// Puts a node at a path, making the tables on the way. In a list, a key is a position from 0, or
/// the `name` of an entry.
fn put(table: &mut Table, keys: &[&str], node: Node) -> Result<(), Complaint> {
    let [key, rest @ ..] = keys else {
        return Ok(());
    };
    if keys.len() > KEYS_MAX {
        return Err(Complaint::new(format!(
            "a key has at most {KEYS_MAX} parts"
        )));
    }
    if key.is_empty() {
        return Err(Complaint::new("a part of the key is empty"));
    }
    let at = node.at.clone();
    if rest.is_empty() {
        table.insert((*key).to_owned(), Entry { key_at: at, node });
        return Ok(());
    }
    let entry = table.entry((*key).to_owned()).or_insert_with(|| Entry {
        key_at: at.clone(),
        node: Node {
            at,
            value: Value::Table(Table::new()),
        },
    });
    put_below(&mut entry.node, key, rest, node)
}

fn put_below(parent: &mut Node, key: &str, rest: &[&str], node: Node) -> Result<(), Complaint> {
    match &mut parent.value {
        Value::Table(table) => put(table, rest, node),
        Value::List(items) => {
            let [position, below @ ..] = rest else {
                return Ok(());
            };
            let names = names(items);
            let Some(item) = entry_of(items, position) else {
                let complaint = Complaint::new(format!("`{key}` has no entry \"{position}\""));
                return Err(complaint.hint(names));
            };
            if below.is_empty() {
                *item = node;
                return Ok(());
            }
            put_below(item, position, below, node)
        }
        other => {
            let fact = format!("`{key}` is {}, it has no keys below it", other.found());
            Err(Complaint::new(fact))
        }
    }
}

fn entry_of<'n>(items: &'n mut [Node], key: &str) -> Option<&'n mut Node> {
    let index = key
        .parse()
        .ok()
        .or_else(|| items.iter().position(|item| is_named(item, key)))?;
    items.get_mut(index)
}

/// Tables that a scenario may have several of, or none.
const LISTS: [&str; 4] = ["fault", "trial", "expect", "abort_when"];

/// A change of an entry where there are none: what would be made is a table, which the list is not.
fn without_entries(document: &Table, keys: &[&str]) -> Option<Complaint> {
    let [list, _, ..] = keys else {
        return None;
    };
    let none = LISTS.contains(list) && !document.contains_key(*list);
    none.then(|| {
        let complaint = Complaint::new(format!("the scenario has no [[{list}]]"));
        complaint.hint("write it into the file: --set changes entries that are there")
    })
}

/// What the entries of a list can be called.
fn names(items: &[Node]) -> String {
    let name = |item: &Node| match &item.value {
        Value::Table(table) => match &table.get("name")?.node.value {
            Value::Text(name) => Some(format!("`{name}`")),
            _ => None,
        },
        _ => None,
    };
    let names: Vec<String> = items.iter().filter_map(name).collect();
    let named = match names.as_slice() {
        [] => "; or use the `name` of one".to_owned(),
        names => format!("; or by name: {}", names.join(", ")),
    };
    format!("entries: {}, counted from 0{named}", items.len())
}

fn is_named(item: &Node, name: &str) -> bool {
    let Value::Table(table) = &item.value else {
        return false;
    };
    table
        .get("name")
        .is_some_and(|entry| matches!(&entry.node.value, Value::Text(text) if text == name))
}
