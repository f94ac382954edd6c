//! This module writes the scenario.
//!
//! **In:** [`Findings`], and what is secret. **Out:** TOML with a head that says where it comes from and what to look at.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::{Table, Value};

use super::findings::{Findings, Imported};
use super::hears::Matching;
use super::layout;
use super::secret::{REMOVED, Secrets, redact};
use super::shape::is_name;
use super::unsaid::{says_credential, told, unsay_credential};
use crate::scenario::protocol::CONTRACT;
use crate::scenario::target::{STEPS_MAX, is_contract};
use crate::scenario::{self, Overrides};
use crate::units;

/// Digits of a numbered account, as the harness makes them.
const DIGITS: usize = 6;
/// The events that a server may have, beside those that it has.
const EVENTS: [&str; 8] = [
    "connected",
    "queued",
    "started",
    "chunk",
    "complete",
    "answer",
    "pong",
    "expiring",
];
/// What clients write after each other, and how long: enough to see whether it works.
const LOAD: [(&str, &str); 3] = [("ramp", "1s"), ("hold", "5s"), ("drain", "5s")];
const CLIENTS: i64 = 5;
/// Longest pause between heartbeats that is believed.
const EVERY_MAX_S: f64 = 600.0;

/// Writes it.
pub(super) fn scenario(
    findings: &Findings<'_>,
    secrets: &Secrets,
    accounts_file: &str,
) -> Imported {
    let (mut notes, url) = (findings.door.notes.clone(), &findings.talk.socket.url);
    let target = url.origin().ascii_serialization();
    // Who a secret is written as is nobody.
    let accounts = findings
        .door
        .account
        .as_ref()
        .filter(|account| prefix(account).is_none());
    let mut document = Table::new();
    document.insert(
        "environment".to_owned(),
        environment(findings, &target, accounts_file).into(),
    );
    document.insert("load".to_owned(), load(findings, accounts.is_some()).into());
    let own = keys(findings, &mut notes);
    document.insert("target".to_owned(), own.into());
    if findings
        .base
        .as_ref()
        .is_some_and(|base| base.name == CONTRACT)
        && is_the_contract(&document)
    {
        document.insert(
            "target".to_owned(),
            table([("protocol", CONTRACT.into())]).into(),
        );
    }
    document.insert("expect".to_owned(), expectations());
    if accounts.is_some() {
        notes.push(format!("one account was recorded: {accounts_file} is to hold it; add as many as there shall be clients, or write users = {{ prefix = \"…\" }} where they are numbered"));
    }
    let left_out = findings.opening.left_out;
    if left_out > 0 {
        notes.push(format!("{left_out} things that the client said before its first message are left out: a scenario holds {STEPS_MAX} steps"));
    }
    if findings.heard.matching == Matching::Order {
        notes.push("no answer names the message that it answers: they are taken to come in order, which is wrong where others speak in the same room".to_owned());
    }
    if !says_credential(findings, &document) {
        notes.push(format!("what the client proves itself with is said in its messages or heartbeats alone, which a scenario cannot say: it is written as {REMOVED}"));
        unsay_credential(&mut document);
    }
    let is_other = document
        .get_mut("target")
        .is_some_and(|target| redact(target, secrets));
    let body = layout::document(&document);
    if is_other {
        notes.push(format!("a secret of the recording stood where no variable can be named: it is written as {REMOVED}"));
    }
    let notes = told(&notes, secrets);
    let text = head(findings, &target, &notes) + &body;
    Imported {
        text,
        accounts: accounts.cloned(),
        notes,
    }
}

/// Whether the table says nothing that the contract does not say; where the page came from is not asked there.
fn is_the_contract(document: &Table) -> bool {
    let mut document = document.clone();
    if let Some(socket) = document
        .get_mut("target")
        .and_then(|target| target.get_mut("socket"))
        .and_then(Value::as_table_mut)
    {
        socket.remove("origin");
    }
    let text = toml::to_string(&document).unwrap_or_default();
    let (file, problems) = scenario::read("import.toml", &text, &Overrides::default());
    problems.count() == 0 && file.dialect.as_ref().is_some_and(is_contract)
}

/// The comment at the head.
fn head(findings: &Findings<'_>, target: &str, notes: &[String]) -> String {
    let mut lines = vec![
        "Does the server do for many clients what it did for one browser?".to_owned(),
        String::new(),
        format!(
            "Made by `harness import` of entry {} of a recording, {target}.",
            findings.talk.socket.entry
        ),
    ];
    if let Some(base) = findings.base.as_ref().filter(|base| base.name != CONTRACT) {
        lines.push(format!(
            "It speaks {}: what that is stands in scenarios/protocols/{}.toml.",
            base.name, base.name
        ));
    }
    if !notes.is_empty() {
        lines.push("Look at:".to_owned());
        lines.extend(notes.iter().map(|note| format!("- {note}")));
    }
    let lines = lines
        .into_iter()
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n");
    lines.collect()
}

/// The beginning of an account that ends with six digits.
fn prefix(account: &str) -> Option<&str> {
    let at = account.len().checked_sub(DIGITS)?;
    let (prefix, digits) = account.split_at_checked(at)?;
    (!prefix.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(prefix)
}

fn environment(findings: &Findings<'_>, target: &str, accounts_file: &str) -> Table {
    let mut users = Table::new();
    users.insert("password".to_owned(), "${env:CHAT_PASSWORD}".into());
    match findings.door.account.as_deref().map(prefix) {
        Some(Some(prefix)) => drop(users.insert("prefix".to_owned(), prefix.into())),
        Some(None) => drop(users.insert("file".to_owned(), accounts_file.into())),
        None => {}
    }
    table([("target", target.into()), ("users", users.into())])
}

fn load(findings: &Findings<'_>, is_alone: bool) -> Table {
    let session = table([("credential", findings.door.credential.into())]);
    let message = table([("every", "1s".into())]);
    let clients = if is_alone { 1 } else { CLIENTS };
    let mut load = table([
        ("clients", clients.into()),
        ("session", session.into()),
        ("message", message.into()),
    ]);
    load.extend(LOAD.map(|(key, value)| (key.to_owned(), value.into())));
    let every = findings
        .opening
        .heartbeat
        .as_ref()
        .and_then(|heartbeat| heartbeat.every_ms);
    if let Some(every) = every {
        let every = Duration::from_secs_f64((every / 1e3).min(EVERY_MAX_S));
        load.insert("heartbeat".to_owned(), units::print_duration(every).into());
    }
    load
}

fn expectations() -> Value {
    let none = |what: &str| Value::from(table([("what", what.into()), ("equals", 0.into())]));
    vec![none("unexpected"), none("failed clients")].into()
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// `[target]`.
fn keys(findings: &Findings<'_>, notes: &mut Vec<String>) -> Table {
    let mut keys = findings.door.keys.clone();
    let base = findings.base.as_ref();
    // What of a protocol that ships has nothing to do with the way in.
    let of_base = ["frames", "reply"];
    if let Some(base) = base {
        let own = of_base
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), base.keys.get(*key)?.clone())));
        keys.extend(own);
    }
    let frames = &findings.talk.frames;
    let (messages, known) = (&findings.messages, &findings.known);
    let message = known.message(
        &frames[messages.at[0]],
        messages,
        findings.heard.matching == Matching::Mark,
    );
    let own = findings
        .opening
        .heartbeat
        .as_ref()
        .map(|heartbeat| known.template(&frames[heartbeat.said]));
    let shipped = base.and_then(|base| base.dialect.send.heartbeat.clone());
    let heartbeat = own.or(shipped).unwrap_or_else(|| "none".to_owned());
    keys.insert(
        "send".to_owned(),
        table([("message", message.into()), ("heartbeat", heartbeat.into())]).into(),
    );
    keys.insert("events".to_owned(), events(findings).into());
    let mut fields = match base {
        Some(base) => base
            .keys
            .get("fields")
            .and_then(Value::as_table)
            .cloned()
            .unwrap_or_default(),
        None => Table::new(),
    };
    fields.extend(
        findings
            .heard
            .fields
            .iter()
            .map(|(field, path)| ((*field).to_owned(), path.clone().into())),
    );
    if !fields.is_empty() {
        keys.insert("fields".to_owned(), fields.into());
    }
    if findings.heard.matching == Matching::Order {
        keys.insert("matching".to_owned(), "order".into());
    }
    if messages.id.as_ref().is_some_and(|id| id.is_number) {
        keys.insert("ids".to_owned(), "number".into());
    }
    if !findings.opening.steps.is_empty() {
        keys.insert("open".to_owned(), steps(findings));
    }
    let shipped = keys.remove("reply");
    let replies = replies(findings, shipped);
    if !replies.is_empty() {
        keys.insert("reply".to_owned(), replies.into());
    }
    let path = keys["socket"]["path"].as_str().unwrap_or_default();
    if !path.contains('{') {
        notes.push("all clients are where the browser was, in the same room: {conversation}, {group} or {client} in its place makes more of them".to_owned());
    }
    keys
}

/// Answers to pings, before those of a protocol that ships.
fn replies(findings: &Findings<'_>, shipped: Option<Value>) -> Vec<Value> {
    let replies = findings.opening.replies.iter().map(|reply| {
        let send = findings.known.template(&findings.talk.frames[reply.said]);
        Value::from(table([("when", reply.when.toml()), ("send", send.into())]))
    });
    let shipped = shipped.as_ref().and_then(Value::as_array);
    replies
        .chain(shipped.into_iter().flatten().cloned())
        .collect()
}

fn events(findings: &Findings<'_>) -> Table {
    let base = findings.base.as_ref();
    let shipped = base
        .and_then(|base| base.keys.get("events"))
        .and_then(Value::as_table);
    let mut events = shipped.cloned().unwrap_or_default();
    if !findings.heard.is_known {
        let none = EVENTS
            .iter()
            .filter(|event| base.is_none() || **event != "pong");
        events.extend(none.map(|event| ((*event).to_owned(), "none".into())));
        events.extend(
            findings
                .heard
                .roles
                .iter()
                .map(|(role, sign)| ((*role).to_owned(), sign.toml())),
        );
    }
    if base.is_none() {
        let field = findings.field.clone().unwrap_or_else(|| "none".to_owned());
        let is_named = findings.field.is_some();
        events.insert("field".to_owned(), field.into());
        if !is_named {
            // Every frame is an answer: nothing needs a name.
            events.retain(|key, value| {
                key == "field" || value.as_str() == Some("none") || key == "error"
            });
        }
    }
    let pong = findings
        .opening
        .heartbeat
        .as_ref()
        .and_then(|heartbeat| heartbeat.pong.as_ref());
    events.extend(pong.map(|pong| ("pong".to_owned(), pong.toml())));
    let awaited = findings
        .opening
        .steps
        .iter()
        .filter_map(|step| Some(step.awaited.as_ref()?.1.clone()));
    let mut ignored: Vec<Value> = events
        .get("ignore")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    // What was waited for once may come again: others come too.
    for kind in findings
        .heard
        .ignored
        .iter()
        .map(super::shape::Sign::toml)
        .chain(awaited)
    {
        let has_role = events
            .iter()
            .any(|(key, value)| key != "ignore" && *value == kind);
        if !ignored.contains(&kind) && !has_role {
            ignored.push(kind);
        }
    }
    let is_any = events.get("field").and_then(Value::as_str) == Some("none");
    if !ignored.is_empty() && !is_any {
        events.insert("ignore".to_owned(), ignored.into());
    }
    events
}

fn steps(findings: &Findings<'_>) -> Value {
    let frames = &findings.talk.frames;
    let mut names = BTreeSet::new();
    let steps = findings.opening.steps.iter().map(|step| {
        let mut keys = Table::new();
        if let Some(frame) = step.said.map(|said| &frames[said]) {
            keys.insert("send".to_owned(), findings.known.template(frame).into());
            let named = frame
                .leaves
                .iter()
                .find(|leaf| is_name(leaf) && is_plain(&leaf.value));
            let mut is_free = |name: &str| names.insert(name.to_owned());
            let name = named
                .map(|leaf| leaf.value.clone())
                .filter(|name| is_free(name));
            keys.extend(name.map(|name| ("name".to_owned(), name.into())));
        }
        let Some((at, awaited)) = &step.awaited else {
            return Value::from(keys);
        };
        keys.insert("await".to_owned(), awaited.clone());
        let captured = findings
            .known
            .captured
            .iter()
            .filter(|capture| capture.at == *at);
        let captured: Table = captured
            .map(|capture| (capture.name.clone(), capture.path.clone().into()))
            .collect();
        if !captured.is_empty() {
            keys.insert("capture".to_owned(), captured.into());
        }
        keys.into()
    });
    steps.collect::<Vec<_>>().into()
}

/// Whether a step can be called so.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
        && name.len() <= 40
}
