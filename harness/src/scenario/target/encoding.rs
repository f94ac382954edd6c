//! This module is how the texts of templates and paths stand on the wire: `target.encoding`.
//!
//! **In:** what was typed, templates. **Out:** [`Encoding`]; what is wrong with a template for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::{CREDENTIAL, places};

/// How what a client says stands in messages, and what the server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// Text messages. Binary ones that hold text are read as such.
    #[default]
    Text,
    /// The same text in binary messages.
    Binary,
    /// JSON in templates and paths, `MessagePack` in binary messages.
    Msgpack,
    /// Bytes: two hexadecimal digits each in templates and patterns, binary messages.
    Hex,
}

pub(crate) const ENCODINGS: [(&str, Encoding); 4] = [
    ("text", Encoding::Text),
    ("binary", Encoding::Binary),
    ("msgpack", Encoding::Msgpack),
    ("hex", Encoding::Hex),
];

impl Encoding {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn is_text(&self) -> bool {
        *self == Self::Text
    }

    /// Why a template cannot be said, whatever fills its places; `None`: it can. `numbered`: ids are numbers.
    pub(crate) fn refuses(self, template: &str, numbered: bool) -> Option<&'static str> {
        match self {
            Self::Text | Self::Binary => None,
            Self::Msgpack => {
                let is_number = |place: &str| match place {
                    "client" | "group" => true,
                    "id" => numbered,
                    // What a server says may be one.
                    place => !TEXTS.contains(&place),
                };
                let fill = |place: &str| if is_number(place) { "1" } else { "a" };
                let filled = filled(template, fill);
                let is_json = serde_json::from_str::<Value>(&filled).is_ok();
                (!is_json).then_some(
                    "is no JSON, which MessagePack is made of; a place that holds a text stands in double quotes",
                )
            }
            Self::Hex => {
                // Of an odd part the last digit would be joined with the first of what fills a place.
                let parts = filled(template, |_| "\n");
                (!parts.split('\n').all(is_bytes)).then_some(NO_BYTES)
            }
        }
    }

    /// Why what frames are known by never fits one; `None`: it may.
    pub(crate) fn refuses_pattern(self, pattern: &str) -> Option<&'static str> {
        let is_fit = self != Self::Hex || pattern.split('*').all(is_bytes);
        (!is_fit).then_some(NO_BYTES)
    }
}

/// Places that hold texts.
const TEXTS: [&str; 4] = ["text", "account", "conversation", CREDENTIAL];
const NO_BYTES: &str = "is not made of bytes: two hexadecimal digits each, in small letters";

fn is_bytes(part: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    part.len().is_multiple_of(2) && part.bytes().all(is_digit)
}

fn filled<'f>(template: &str, fill: impl Fn(&str) -> &'f str) -> String {
    let places = places(template);
    places.fold(template.to_owned(), |text, place| {
        text.replace(&format!("{{{place}}}"), fill(place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_what_its_encoding_wants() {
        for (encoding, good, bad) in [
            (
                Encoding::Msgpack,
                r#"{"n":{client},"text":"{text}"}"#,
                "say {text}",
            ),
            (
                Encoding::Msgpack,
                r#"["{conversation}",1.5,null]"#,
                r#"{"id":{id}"#,
            ),
            (
                Encoding::Msgpack,
                r#"{"id":"{id}","n":{n}}"#,
                r#"{"id":{id}}"#,
            ),
            (Encoding::Hex, "0102{text}ff", "012{text}"),
            (Encoding::Hex, "{id}{text}", "0g"),
            (Encoding::Hex, "0a", "0A"),
            (Encoding::Text, "anything {text}", ""),
        ] {
            let refuses = |template| encoding.refuses(template, false);
            assert_eq!(refuses(good), None, "{good}");
            assert_eq!(refuses(bad).is_some(), !bad.is_empty(), "{bad}");
        }
        let numbered = Encoding::Msgpack.refuses("[{id}]", true);
        assert_eq!(numbered, None);
    }
}
