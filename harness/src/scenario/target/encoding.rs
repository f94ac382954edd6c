//! This module is how the texts of templates and paths stand on the wire: `target.encoding`.
//!
//! **In:** what was typed, templates. **Out:** [`Encoding`]; what is wrong with a template for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::places;

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

    /// Why a template cannot be said, whatever fills its places; `None`: it can.
    pub(crate) fn refuses(self, template: &str) -> Option<&'static str> {
        match self {
            Self::Text | Self::Binary => None,
            Self::Msgpack => {
                let filled = without_places(template, "1");
                let is_json = serde_json::from_str::<Value>(&filled).is_ok();
                (!is_json).then_some("is no JSON, which MessagePack is made of")
            }
            Self::Hex => {
                // Of an odd part the last digit would be joined with the first of what fills a place.
                let parts = without_places(template, "\n");
                let is_bytes = |part: &str| {
                    part.len().is_multiple_of(2) && part.bytes().all(|b| b.is_ascii_hexdigit())
                };
                let is_hex = parts.split('\n').all(is_bytes);
                (!is_hex).then_some("is not made of bytes, two hexadecimal digits each")
            }
        }
    }
}

fn without_places(template: &str, instead: &str) -> String {
    let places = places(template);
    places.fold(template.to_owned(), |text, place| {
        text.replace(&format!("{{{place}}}"), instead)
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
                r#"{"id":{id},"text":"{text}"}"#,
                "say {text}",
            ),
            (
                Encoding::Msgpack,
                r#"["{conversation}",1.5,null]"#,
                r#"{"id":{id}"#,
            ),
            (Encoding::Hex, "0102{text}ff", "012{text}"),
            (Encoding::Hex, "{id}{text}", "0g"),
            (Encoding::Text, "anything {text}", ""),
        ] {
            assert_eq!(encoding.refuses(good), None, "{good}");
            assert_eq!(encoding.refuses(bad).is_some(), !bad.is_empty(), "{bad}");
        }
    }
}
