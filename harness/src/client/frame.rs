//! This module tells which frames of a mapped server are meant, and takes values out of them.
//!
//! **In:** a text of the server, a [`FrameMatch`]. **Out:** the [`Body`] that its paths lead through, or nothing.
//!
//! A text is read as JSON once, and only where somebody asks.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::template::Captured;
use crate::account::{between, found};
use crate::plan::{Dialect, Encoding, FrameMatch, Framing, PLACE, Wanted};

/// In place of a path: the whole text.
const WHOLE_BODY: &str = "body";
/// Longest value that is taken.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// A text of the server.
#[derive(Debug)]
pub(crate) struct Seen<'t> {
    text: &'t str,
    json: OnceCell<Result<Value, serde_json::Error>>,
}

/// What paths lead through.
#[derive(Debug)]
pub(crate) struct Body<'s> {
    text: &'s str,
    json: Option<Cow<'s, Value>>,
}

/// A path at which there is nothing to be captured.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {instead}")]
pub(super) struct Absent {
    path: String,
    instead: &'static str,
}

impl<'t> Seen<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self {
            text,
            json: OnceCell::new(),
        }
    }

    /// Its JSON, or why it is none.
    pub(crate) fn json(&self) -> Result<&Value, &serde_json::Error> {
        let read = || serde_json::from_str(self.text);
        self.json.get_or_init(read).as_ref()
    }

    /// The same, once nobody else asks.
    pub(super) fn into_error(self) -> Option<serde_json::Error> {
        self.json.into_inner()?.err()
    }

    /// The whole text, as paths and patterns lead through it.
    pub(super) fn body(&self) -> Body<'_> {
        Body {
            text: self.text,
            json: self.json().ok().map(Cow::Borrowed),
        }
    }

    /// What the text holds after what a frame that is meant begins with; `None`: it is not meant.
    pub(crate) fn matched(&self, dialect: &Dialect, meant: &FrameMatch) -> Option<Body<'_>> {
        let contained = meant.contains.as_deref();
        let is_there = |contained: &str| match dialect.encoding {
            // Not from the middle of a byte on.
            Encoding::Hex => {
                let (text, part) = (self.text.as_bytes(), contained.as_bytes());
                let mut whole = (0..text.len()).step_by(2);
                whole.any(|at| text[at..].starts_with(part))
            }
            _ => self.text.contains(contained),
        };
        if contained.is_some_and(|contained| !is_there(contained)) {
            return None;
        }
        let body = match &meant.begins_with {
            Some(beginning) => {
                let text = self.text.strip_prefix(beginning.as_str())?;
                let json = serde_json::from_str(text).ok().map(Cow::Owned);
                Body { text, json }
            }
            None => self.body(),
        };
        let named = match (&meant.event, &dialect.events.field) {
            (None, _) => true,
            (Some(event), Some(field)) => body.owned(field).is_some_and(|name| *name == **event),
            (Some(_), None) => false,
        };
        let mut fields = meant.fields.iter();
        let holds = named && fields.all(|(path, wanted)| body.holds(path, wanted));
        holds.then_some(body)
    }
}

impl Body<'_> {
    fn found(&self, path: &str) -> Option<&Value> {
        found(self.json.as_deref()?, path)
    }

    /// An id or the name of an event: a text or a number at a path, or what a pattern stands around.
    pub(super) fn owned(&self, place: &str) -> Option<Cow<'static, str>> {
        if place.contains(PLACE) {
            return between(self.text, place).map(|value| Cow::Owned(value.to_owned()));
        }
        match self.found(place)? {
            Value::String(text) => Some(Cow::Owned(text.clone())),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// A number, also where a text holds one.
    pub(super) fn number(&self, place: &str) -> Option<f64> {
        if place.contains(PLACE) {
            return between(self.text, place)?.trim().parse().ok();
        }
        self.found(place)?.as_f64()
    }

    fn holds(&self, path: &str, wanted: &Wanted) -> bool {
        let Some(value) = self.found(path) else {
            return false;
        };
        match wanted {
            Wanted::Text(text) => value.as_str() == Some(text),
            Wanted::Number(number) => value.as_i64() == Some(*number),
            Wanted::Truth(truth) => value.as_bool() == Some(*truth),
            Wanted::Any => !value.is_null(),
        }
    }

    /// A value that is to go elsewhere; `Err`: what there is instead of it.
    fn taken(&self, path: &str) -> Result<Box<str>, &'static str> {
        let value = match self.found(path) {
            None if path.contains(PLACE) => match between(self.text, path) {
                Some(value) => Cow::Borrowed(value),
                None => return Err("is not there"),
            },
            None if path == WHOLE_BODY => Cow::Borrowed(self.text),
            None => return Err("is not there"),
            Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Cow::Owned(value.to_string()),
            Some(Value::Null) => return Err("is null"),
            Some(Value::Array(_)) => return Err("is a list"),
            Some(Value::Object(_)) => return Err("is an object"),
        };
        match value.len() {
            0 => Err("is empty"),
            length if length > VALUE_BYTES_MAX => Err("is longer than the harness takes"),
            _ => Ok(value.into()),
        }
    }

    /// Values by name.
    pub(super) fn captured(
        &self,
        capture: &BTreeMap<String, String>,
    ) -> Result<Vec<Captured>, Absent> {
        let one = |(name, path): (&String, &String)| match self.taken(path) {
            Ok(value) => Ok((name.as_str().into(), value)),
            Err(instead) => Err(Absent {
                path: path.clone(),
                instead,
            }),
        };
        capture.iter().map(one).collect()
    }
}

/// Frames of one message that are looked at; past it, the message is a bad one.
pub(crate) const FRAMES_MAX: usize = 4_096;

/// The frames in a message; `dialect` says how they are told apart. Line ends between them are none.
pub(crate) fn frames<'t>(dialect: &Dialect, message: &'t str) -> impl Iterator<Item = &'t str> {
    let mark = dialect.frames.as_ref().map(Framing::mark);
    let one = mark.is_none().then_some(message);
    let several = mark.map(|mark| message.split(mark)).into_iter().flatten();
    let several = several.map(|frame| frame.trim_start_matches(['\r', '\n']));
    one.into_iter()
        .chain(several.filter(|frame| !frame.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> FrameMatch {
        let text = format!(
            "[load]\nclients = 1\nhold = \"1s\"\n[target]\nevents = {{ field = \"type\" }}\n[[target.reply]]\nwhen = {text}\nsend = \"x\"\n"
        );
        let (file, problems) =
            crate::scenario::read("t.toml", &text, &crate::scenario::Overrides::default());
        assert!(problems.is_empty(), "{problems}");
        file.dialect.unwrap().reply.remove(0).when
    }

    #[track_caller]
    fn check(shape: &str, good: &[&str], bad: &[&str]) {
        let mut dialect = crate::account::tests::dialect();
        dialect.events.field = Some("type".to_owned());
        let meant = meant(shape);
        let matches = |text: &str| Seen::new(text).matched(&dialect, &meant).is_some();
        for text in good {
            assert!(matches(text), "{shape} and {text}");
        }
        for text in bad {
            assert!(!matches(text), "{shape} and {text}");
        }
    }

    #[test]
    fn a_frame_is_known_by_its_event_its_fields_or_its_beginning() {
        check(
            "\"hello\"",
            &[r#"{"type":"hello"}"#],
            &[r#"{"type":"hell"}"#, "hello", "[]", r#"{"event":"hello"}"#],
        );
        check(
            "\"7\"",
            &[r#"{"type":7}"#, r#"{"type":"7"}"#],
            &[r#"{"type":8}"#],
        );
        check(
            r#"{ type = "ok", data.n = 3, "data.on" = true }"#,
            &[r#"{"type":"ok","data":{"n":3,"on":true}}"#],
            &[
                r#"{"type":"ok","data":{"n":"3","on":true}}"#,
                r#"{"type":"ok","data":{"n":3}}"#,
            ],
        );
        check(
            r#"{ result = "*" }"#,
            &[r#"{"result":0}"#, r#"{"result":{}}"#],
            &[r#"{"result":null}"#, "{}", "x"],
        );
        check(
            r#"{ 3 = "phx_reply", 4.status = "ok" }"#,
            &[r#"["1","2","t","phx_reply",{"status":"ok"}]"#],
            &[r#"["1","2","t","phx_reply",{"status":"error"}]"#, "[]"],
        );
        check("{ begins_with = \"2\" }", &["2", "2probe"], &["", "42"]);
        check(
            "{ begins_with = \"42\", 0 = \"welcome\" }",
            &[r#"42["welcome",{}]"#],
            &[r#"42["other"]"#, r#"["welcome"]"#, "42"],
        );
    }

    #[test]
    fn a_value_is_taken_from_where_it_stands_or_it_is_said_what_is_there() {
        let dialect = crate::account::tests::dialect();
        let meant = meant("{ begins_with = \"0\" }");
        let seen = Seen::new(r#"0{"sid":"a\"b","n":7,"no":null,"up":[],"e":""}"#);
        let body = seen.matched(&dialect, &meant).unwrap();
        assert_eq!(body.taken("sid").as_deref(), Ok("a\"b"));
        assert_eq!(body.taken("n").as_deref(), Ok("7"));
        assert!(body.taken("body").unwrap().starts_with("{\"sid\""));
        assert_eq!(body.taken("no"), Err("is null"));
        assert_eq!(body.taken("up"), Err("is a list"));
        assert_eq!(body.taken("e"), Err("is empty"));
        assert_eq!(body.taken("token"), Err("is not there"));
    }
}
