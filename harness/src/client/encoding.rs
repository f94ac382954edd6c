//! This module turns what a client says into messages, and messages of a server into texts that paths and patterns lead
//! through, by `target.encoding`.
//!
//! **In:** a text, or the bytes of a binary message. **Out:** the one for the other.
//!
//! Of `MessagePack`, a key of a map is a text whatever it was, bytes are their text or Base64, an extension is a list of its number and
//! its bytes, and what is no number of JSON is null.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use crate::account::hex;
use crate::plan::Encoding;

/// Lists and maps within each other that are read.
const DEPTH_MAX: usize = 100;

/// The message that says a text.
pub(super) fn message(encoding: Encoding, text: Utf8Bytes) -> Message {
    match encoding {
        Encoding::Text => Message::Text(text),
        Encoding::Binary => Message::Binary(text.into()),
        Encoding::Msgpack => {
            // The plan refuses templates that are no JSON; what is captured may still fill a place so that none comes of it.
            let value = serde_json::from_str::<Value>(&text);
            let value = value.unwrap_or_else(|_| Value::from(text.as_str()));
            Message::Binary(rmp_serde::to_vec(&value).unwrap_or_default().into())
        }
        Encoding::Hex => Message::Binary(from_hex(&text).into()),
    }
}

/// The text of a binary message; `None`: it has none.
pub(super) fn text(encoding: Encoding, bytes: Bytes) -> Option<Utf8Bytes> {
    match encoding {
        Encoding::Text | Encoding::Binary => Utf8Bytes::try_from(bytes).ok(),
        Encoding::Msgpack => unpacked(&bytes).map(|value| value.to_string().into()),
        Encoding::Hex => Some(hex(&bytes).into()),
    }
}

/// The bytes of such a text; what is no digit is left out.
fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.chars().filter_map(|digit| digit.to_digit(16));
    let digits: Vec<u32> = digits.collect();
    let bytes = digits
        .chunks_exact(2)
        .filter_map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok());
    bytes.collect()
}

/// The value that these bytes are, all of them.
fn unpacked(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(DEPTH_MAX);
    let Unpacked(value) = Unpacked::deserialize(&mut deserializer).ok()?;
    rest.is_empty().then_some(value)
}

/// A value of `MessagePack`, as JSON has it.
struct Unpacked(Value);

impl<'de> Deserialize<'de> for Unpacked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfUnpacked).map(Self)
    }
}

struct OfUnpacked;

impl<'de> Visitor<'de> for OfUnpacked {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of MessagePack")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Value, E> {
        let text = std::str::from_utf8(value).map(str::to_owned);
        Ok(text.unwrap_or_else(|_| STANDARD.encode(value)).into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unpacked(value)) = seq.next_element()? {
            all.push(value);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((Unpacked(key), Unpacked(value))) = map.next_entry()? {
            let key = match key {
                Value::String(key) => key,
                key => key.to_string(),
            };
            all.insert(key, value);
        }
        Ok(all.into())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(A::Error::custom("there is nothing of that kind in JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(encoding: Encoding, said: &str) -> Bytes {
        match message(encoding, said.into()) {
            Message::Binary(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_said_is_heard_again() {
        for (encoding, said) in [
            (Encoding::Binary, "SAY ü"),
            (
                Encoding::Msgpack,
                r#"{"id":7,"on":[true,null,-1,1.5,"ü"],"x":{"y":[]}}"#,
            ),
            (Encoding::Hex, "00ff10"),
        ] {
            let bytes = bytes_of(encoding, said);
            assert_eq!(text(encoding, bytes).as_deref(), Some(said), "{encoding:?}");
        }
        assert_eq!(&*bytes_of(Encoding::Hex, "00FF10"), [0, 255, 16]);
        assert_eq!(
            &*bytes_of(Encoding::Msgpack, "[1,\"a\"]"),
            [0x92, 1, 0xa1, b'a']
        );
    }

    #[test]
    fn what_json_does_not_have_is_still_found_by_a_path() {
        for (bytes, expected) in [
            // Numbers as keys, bytes that are text, and bytes that are none.
            (
                &[0x82, 1, 0xc4, 1, b'a', 2, 0xc4, 1, 0xff][..],
                Some(r#"{"1":"a","2":"/w=="}"#),
            ),
            // An extension, and what is no number.
            (
                &[0x92, 0xd4, 5, b'x', 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0][..],
                Some(r#"[[5,"x"],null]"#),
            ),
            // The beginning of a message, what nobody uses, and something behind the end.
            (&[0x92, 1][..], None),
            (&[0xc1][..], None),
            (&[1, 2][..], None),
            (&[][..], None),
        ] {
            let text = text(Encoding::Msgpack, Bytes::copy_from_slice(bytes));
            assert_eq!(text.as_deref(), expected, "{bytes:?}");
        }
        let deep = vec![0x91; 100_000];
        assert_eq!(text(Encoding::Msgpack, Bytes::copy_from_slice(&deep)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let hex = text(Encoding::Hex, Bytes::copy_from_slice(&bytes)).unwrap();
            prop_assert_eq!(&*bytes_of(Encoding::Hex, &hex), &bytes[..]);
            if let Some(json) = text(Encoding::Msgpack, Bytes::copy_from_slice(&bytes)) {
                prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{}", json);
            }
        }
    }
}
