//! This module reads the headers that a scenario adds to its requests and upgrades.
//!
//! **In:** `headers` of `[target]`. **Out:** names and values that can be sent and leave the handshake, the
//! connection and the body to who makes them.

use std::collections::BTreeMap;

use super::address;
use super::document::{Node, Value};
use super::problem::{Complaint, Problems};
use super::section::Section;
use super::value;

const HEADERS_MAX: usize = 32;
/// Longest value.
const VALUE_CHARS_MAX: usize = 2_000;
const HOST: &str = "host";

/// Headers that are not for a scenario to say, in small letters, and what they belong to.
const OWNED: [(&str, &str); 11] = [
    ("connection", CONNECTION),
    ("keep-alive", CONNECTION),
    ("proxy-connection", CONNECTION),
    ("upgrade", CONNECTION),
    ("http2-settings", CONNECTION),
    ("te", CONNECTION),
    ("trailer", BODY),
    ("transfer-encoding", BODY),
    ("content-length", BODY),
    ("content-encoding", BODY),
    ("expect", BODY),
];
const CONNECTION: &str = "it belongs to the connection, which the harness makes; leave it out";
const BODY: &str = "it belongs to the body, which the harness writes; leave it out";
const HANDSHAKE: &str = "it belongs to the handshake, which the harness makes; leave it out";
const EXTENSIONS: &str = "the harness does not speak permessage-deflate; leave it out";

/// Reads `headers`.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    read_with(section, |_| false, problems)
}

/// The same where what a value holds need not be a secret that was written down.
pub(super) fn read_with(
    section: &mut Section<'_>,
    is_harmless: fn(&str) -> bool,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let headers = section.read(problems, "headers", |node| {
        let Value::Table(table) = &node.value else {
            let fact = format!("expected a table, found {}", node.value.kind());
            return Err(Complaint::new(fact).hint("write headers = { X-Tenant = \"acme\" }"));
        };
        if table.len() > HEADERS_MAX {
            let fact = format!("at most {HEADERS_MAX} headers, found {}", table.len());
            return Err(Complaint::new(fact));
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, entry) in table {
            check_name(name)?;
            let mut others = headers.keys();
            if let Some(other) = others.find(|other| other.eq_ignore_ascii_case(name)) {
                let fact = format!("one header twice: \"{other}\" and \"{name}\"");
                return Err(Complaint::new(fact).hint("capitals make no difference; keep one"));
            }
            headers.insert(name.clone(), read_value(name, &entry.node, is_harmless)?);
        }
        Ok(headers)
    });
    headers.map_or_else(BTreeMap::new, |headers| headers.value)
}

fn check_name(name: &str) -> Result<(), Complaint> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = name.find(|c| !token(c)).unwrap_or(name.len());
    let (start, rest) = name.split_at(end);
    if name.is_empty() || !rest.is_empty() {
        // What follows may be a value that has slipped into its name.
        return Err(Complaint::new(format!(
            "\"{start}…\" is no name of a header"
        )));
    }
    let small = name.to_ascii_lowercase();
    let mut owned = OWNED.iter();
    let hint = match small.strip_prefix("sec-websocket-") {
        Some("extensions") => Some(EXTENSIONS),
        // A sub-protocol may be offered.
        Some("protocol") => None,
        Some(_) => Some(HANDSHAKE),
        None => owned
            .find(|(owned, _)| *owned == small)
            .map(|(_, hint)| *hint),
    };
    match hint {
        Some(hint) => {
            let fact = format!("{name} is not for a scenario to say");
            Err(Complaint::new(fact).hint(hint))
        }
        None => Ok(()),
    }
}

fn read_value(name: &str, node: &Node, is_harmless: fn(&str) -> bool) -> Result<String, Complaint> {
    if let Value::Text(text) = &node.value
        && let Some(what) = fault(text)
    {
        let fact = format!("the value of {name} cannot be sent: it holds {what}");
        return Err(Complaint::new(fact).hint("headers are of printable ASCII, on one line"));
    }
    let text = value::secret_text(VALUE_CHARS_MAX)(node)?;
    if address::names_a_secret(name) && !text.contains(address::SECRET_OPEN) && !is_harmless(&text)
    {
        let fact = format!("a secret must not be written down here: {name}");
        let hint = "write `${env:API_KEY}` and set that variable";
        return Err(Complaint::new(fact).hint(hint));
    }
    let plain = |c: char| c.is_ascii_graphic() && !"/@?#\\".contains(c);
    address::check_named(&text, "API_KEY")?;
    if name.eq_ignore_ascii_case(HOST) && !text.chars().all(plain) {
        let fact = format!("\"{}\" is no host", address::shown(&text));
        return Err(Complaint::new(fact).hint(
            "write it like \"chat.example.org\", or with a port: \"chat.example.org:8443\"",
        ));
    }
    Ok(text)
}

/// What in the value of a header cannot be sent, if anything.
pub(crate) fn fault(value: &str) -> Option<&'static str> {
    if value.contains(['\r', '\n']) {
        Some("a line break")
    } else if value.chars().any(|c| c.is_control() && c != '\t') {
        Some("a control character")
    } else if !value.is_ascii() {
        Some("a character that is not ASCII")
    } else {
        None
    }
}
