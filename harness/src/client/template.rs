//! This module writes what clients say to a server that a `[target]` table maps: templates with their places filled.
//!
//! **In:** a template, what fills its places. **Out:** texts and paths. A value is written as it stands in a string of JSON,
//! as often as strings stand around its place.

use std::borrow::Cow;

use serde_json::Value;

use super::wire::{PING, chat_frame};
use crate::account::{Cells, hex, masked, percent_encoded};
use crate::plan::{CREDENTIAL, Dialect, Encoding, Framing, PLACE_CHARS_MAX, places};

/// What fills the places of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub conversation: &'a str,
    /// Counts from 0.
    pub client: u32,
    pub account: &'a str,
    /// What the account has beside its name.
    pub cells: Option<&'a Cells>,
    /// The client's group, from 0.
    pub group: u32,
    /// What it holds of its socket.
    pub held: Option<&'a Held>,
}

/// A value of a server's frame, after the name of its place.
pub(crate) type Captured = (Box<str>, Box<str>);

/// What a client holds of a socket: secrets, all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub credential: Box<str>,
    /// Values of the server's frames, by the names of their places.
    pub captured: Vec<Captured>,
}

impl Held {
    /// Of a socket that this opens; `None`: no template of that server wants anything of it.
    pub(crate) fn of(dialect: &Dialect, credential: &str) -> Option<Self> {
        let send = &dialect.send;
        let mut says = [Some(&send.message), send.heartbeat.as_ref()]
            .into_iter()
            .flatten();
        let holds = !dialect.open.is_empty()
            || !dialect.reply.is_empty()
            || says.any(|template| places(template).any(|place| place == CREDENTIAL));
        holds.then(|| Self {
            credential: credential.into(),
            captured: Vec::new(),
        })
    }

    fn value(&self, place: &str) -> Option<&str> {
        if place == CREDENTIAL {
            return Some(&self.credential);
        }
        let mut captured = self.captured.iter();
        let value = captured.find(|(name, _)| **name == *place);
        value.map(|(_, value)| &**value)
    }

    /// A text without what is held.
    pub(crate) fn masked(&self, text: &str) -> String {
        let captured = self.captured.iter().map(|(_, value)| &**value);
        let secrets: Vec<&str> = captured.chain([&*self.credential]).collect();
        masked(text, &secrets)
    }
}

/// Who speaks on a socket, with what it holds of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speaker {
    pub conversation: String,
    /// Counts from 0.
    pub client: u32,
    pub account: String,
    /// What the account has beside its name.
    pub cells: Option<Cells>,
    /// The client's group, from 0.
    pub group: u32,
    pub held: Held,
}

impl Speaker {
    pub(crate) fn places(&self) -> Places<'_> {
        Places {
            conversation: &self.conversation,
            client: self.client,
            account: &self.account,
            cells: self.cells.as_ref(),
            group: self.group,
            held: Some(&self.held),
        }
    }
}

/// A text as it may be shown.
pub(crate) fn shown(held: Option<&Held>, text: &str) -> String {
    held.map_or_else(|| text.to_owned(), |held| held.masked(text))
}

/// Where a socket is opened: the template with its places filled, percent-encoded. What is filled in is one part of
/// a path or of a query, whatever stands in it.
pub(crate) fn path(template: &str, places: Places<'_>) -> String {
    fill(template, |place, _, path| {
        let value = places.value(place)?;
        path.push_str(&percent_encoded(&value));
        Some(())
    })
}

/// A chat message.
pub(crate) fn message(mapped: Option<(&Dialect, Places<'_>)>, text: &str, id: &str) -> String {
    let Some((dialect, places)) = mapped else {
        return chat_frame(&json_escaped(Cow::Borrowed(text)), id);
    };
    let message = fill(&dialect.send.message, |place, depth, message| {
        let value = match place {
            "text" => Cow::Borrowed(text),
            "id" => Cow::Borrowed(id),
            place => places.value(place)?,
        };
        put(dialect, value, depth, message);
        Some(())
    });
    ended(dialect, message)
}

/// A frame with what every one ends with.
fn ended(dialect: &Dialect, mut frame: String) -> String {
    if let Some(Framing::Terminator(end)) = &dialect.frames {
        frame.push_str(end);
    }
    frame
}

/// What a step, a reply or a heartbeat says: a template, and places of its own.
pub(crate) fn said(
    dialect: &Dialect,
    (template, own): (&str, &[(&str, &str)]),
    places: Places<'_>,
) -> String {
    let said = fill(template, |place, depth, said| {
        let value = match own.iter().find(|(name, _)| *name == place) {
            Some((_, value)) => Cow::Borrowed(*value),
            None => places.value(place)?,
        };
        put(dialect, value, depth, said);
        Some(())
    });
    ended(dialect, said)
}

/// The heartbeat of a client, where it has one.
pub(crate) fn heartbeat(mapped: Option<(&Dialect, Places<'_>)>) -> Option<String> {
    match mapped {
        Some((dialect, places)) => {
            let heartbeat = dialect.send.heartbeat.as_deref()?;
            Some(said(dialect, (heartbeat, &[]), places))
        }
        None => Some(PING.to_owned()),
    }
}

impl Places<'_> {
    fn value(&self, place: &str) -> Option<Cow<'_, str>> {
        Some(match place {
            "conversation" => Cow::Borrowed(self.conversation),
            "client" => Cow::Owned(self.client.to_string()),
            "group" => Cow::Owned(self.group.to_string()),
            "account" => Cow::Borrowed(self.account),
            place => {
                let held = self.held.and_then(|held| held.value(place));
                Cow::Borrowed(held.or_else(|| self.cells?.value(place))?)
            }
        })
    }
}

/// Copies a template and has `put` write what belongs into each place, in one pass: braces in what is written
/// are no places. `put` hears the name and how many JSON strings the place stands in; `None`: it is no place.
fn fill(template: &str, mut put: impl FnMut(&str, usize, &mut String) -> Option<()>) -> String {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut quotes = Quotes::default();
    let mut rest = template;
    while let Some(next) = rest.chars().next() {
        if let Some(place) = place(rest)
            && put(place, quotes.depth(), &mut filled).is_some()
        {
            rest = &rest[place.len() + 2..];
            quotes.see('.');
            continue;
        }
        filled.push(next);
        quotes.see(next);
        rest = &rest[next.len_utf8()..];
    }
    filled
}

/// Writes what belongs into a place, within so many JSON strings.
fn put(dialect: &Dialect, value: Cow<'_, str>, depth: usize, filled: &mut String) {
    if dialect.encoding == Encoding::Hex {
        filled.push_str(&hex(value.as_bytes()));
    } else {
        filled.push_str(&(0..depth).fold(value, |value, _| json_escaped(value)));
    }
}

/// The name in `{name}` at the beginning of a text.
fn place(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let end = inner
        .bytes()
        .take(PLACE_CHARS_MAX + 1)
        .position(|byte| byte == b'}')?;
    inner.get(..end)
}

/// Where in a JSON text one is: outside of strings, in one, or in one within a string that holds JSON itself.
#[derive(Default)]
struct Quotes {
    in_string: bool,
    in_inner: bool,
    /// The outer string begins as JSON does; `None`: nothing of it was seen yet.
    holds_json: Option<bool>,
    backslashes: usize,
}

impl Quotes {
    fn depth(&self) -> usize {
        usize::from(self.in_string) + usize::from(self.in_inner)
    }

    fn see(&mut self, letter: char) {
        let escapes = std::mem::take(&mut self.backslashes);
        match letter {
            '\\' => self.backslashes = escapes + 1,
            '"' if escapes.is_multiple_of(2) => {
                *self = Self {
                    in_string: !self.in_string,
                    ..Self::default()
                };
                return;
            }
            // An inner string's own quotes are escaped twice.
            '"' if escapes == 1 && self.holds_json == Some(true) => self.in_inner = !self.in_inner,
            _ => {}
        }
        if self.in_string {
            self.holds_json.get_or_insert(matches!(letter, '{' | '['));
        }
    }
}

/// As it stands within a JSON string.
fn json_escaped(text: Cow<'_, str>) -> Cow<'_, str> {
    let special = |byte: u8| matches!(byte, b'"' | b'\\') || byte < b' ';
    if !text.bytes().any(special) {
        return text;
    }
    let quoted = Value::from(text.as_ref()).to_string();
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places<'_> = Places {
        conversation: "c-1",
        client: 23,
        account: "a\"b@c d/ü",
        cells: None,
        group: 2,
        held: None,
    };

    fn written(template: &str, text: &str) -> String {
        let mut dialect = crate::account::tests::dialect();
        dialect.send.message = template.to_owned();
        message(Some((&dialect, PLACES)), text, "i-1")
    }

    #[test]
    fn a_path_stays_one_whatever_the_account_is_called() {
        assert_eq!(
            path(
                "/ws/{account}/{conversation}?u={account}&n={client}&g={group}&{x}",
                PLACES
            ),
            "/ws/a%22b%40c%20d%2F%C3%BC/c-1?u=a%22b%40c%20d%2F%C3%BC&n=23&g=2&{x}"
        );
    }

    #[test]
    fn a_text_is_escaped_as_often_as_strings_stand_around_it() {
        let text = "a\"b\\\tc";
        assert_eq!(written("{text}", text), text);
        assert_eq!(written("SAY {text}!", text), "SAY a\"b\\\tc!");
        let once = written(r#"42["say",{"text":"{text}","n":{client}}]"#, text);
        let said: Value = serde_json::from_str(&once[2..]).unwrap();
        assert_eq!(said[1]["text"], text);
        assert_eq!(said[1]["n"], 23);
        let twice = written(
            r#"{"to":"\"x\" {account}","data":"{\"id\":\"{id}\",\"text\":\"{text}\",\"n\":{client}}"}"#,
            text,
        );
        let said: Value = serde_json::from_str(&twice).unwrap();
        assert_eq!(said["to"], format!("\"x\" {}", PLACES.account));
        let inner: Value = serde_json::from_str(said["data"].as_str().unwrap()).unwrap();
        assert_eq!(
            inner,
            serde_json::json!({"id": "i-1", "text": text, "n": 23})
        );
    }

    #[test]
    fn braces_in_a_text_are_no_places() {
        let text = "{id} of {client} {account} {text} {";
        assert_eq!(
            written("{text}|{id}|{nothing}|{", text),
            format!("{text}|i-1|{{nothing}}|{{")
        );
    }

    #[test]
    fn the_contracts_message_is_json_whatever_is_said() {
        let text = "\"{id}\" \\ \u{1}\u{2028}";
        let frame = message(None, text, "i-1");
        let said: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!(said["message"], text);
        assert_eq!(said["client_message_id"], "i-1");
    }
}
