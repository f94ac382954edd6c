//! This module reads frames of a mapped server whose values stand side by side in one object, without a tree of all of them.
//!
//! **In:** a [`Dialect`] that [`is_flat`], a text. **Out:** the [`ServerFrame`]; `None` where that needs a longer look, which
//! then says the same, or what is wrong.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::wire::{ServerFrame, TaskId, Text, UNNUMBERED};
use crate::plan::{Dialect, EventName, PLACE};

/// Whether events are known by a name in one field, and all that is read of a frame stands beside it.
pub(crate) fn is_flat(dialect: &Dialect) -> bool {
    let (events, fields) = (&dialect.events, &dialect.fields);
    let is_plain = |path: &String| !path.contains(['.', PLACE]) && path.parse::<usize>().is_err();
    let names = [
        &events.connected,
        &events.queued,
        &events.started,
        &events.chunk,
        &events.complete,
        &events.answer,
        &events.pong,
        &events.expiring,
        &events.error,
    ];
    let mut names = names.into_iter().flatten().chain(&events.ignore);
    let is_named = names.all(|name| matches!(name, EventName::Named(_)));
    let mut read = [&fields.id, &fields.task, &fields.seq, &fields.chunks].into_iter();
    is_named
        && dialect.reply.is_empty()
        && events.field.as_ref().is_some_and(is_plain)
        && read.all(is_plain)
}

/// Reads a frame, errors and what is not known left out.
pub(crate) fn read<'a>(dialect: &Dialect, text: &'a str) -> Option<ServerFrame<'a>> {
    let (events, fields) = (&dialect.events, &dialect.fields);
    let wanted = [
        events.field.as_deref()?,
        &fields.id,
        &fields.task,
        &fields.seq,
        &fields.chunks,
    ];
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_map(Wanted(wanted)).ok()?;
    deserializer.end().ok()?;
    let [name, id, task, seq, chunks] = found;
    let name = name?.text();
    let is = |event: &Option<EventName>| matches!(event, Some(EventName::Named(named)) if **named == *name);
    let task = || task.map_or(TaskId::UNNAMED, |task| TaskId::of(&task.text()));
    let number = |number: Option<Scalar<'_>>| {
        let number = number.and_then(|number| number.text().parse().ok());
        number.unwrap_or(UNNUMBERED)
    };
    // In the order of the longer look.
    Some(if is(&events.error) {
        return None;
    } else if is(&events.connected) {
        ServerFrame::Connected
    } else if is(&events.queued) {
        ServerFrame::TaskQueued {
            task: task(),
            client_message_id: id.map(Scalar::text),
        }
    } else if is(&events.started) {
        ServerFrame::ProcessingStarted { task: task() }
    } else if is(&events.chunk) {
        ServerFrame::Chunk {
            task: task(),
            seq: number(seq),
        }
    } else if is(&events.complete) {
        ServerFrame::Complete {
            task: task(),
            chunks: number(chunks),
        }
    } else if is(&events.answer) {
        ServerFrame::Answer {
            id: id.map(Scalar::text),
        }
    } else if is(&events.pong) {
        ServerFrame::Pong
    } else {
        return None;
    })
}

/// What stands under these keys, of an object; of a key that is there twice the last.
struct Wanted<'d>([&'d str; 5]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = [Option<Scalar<'de>>; 5];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [const { None }; 5];
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            if !self.0.contains(&&*key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: Scalar<'de> = map.next_value()?;
            for (wanted, found) in self.0.iter().zip(&mut found) {
                if **wanted == *key {
                    *found = Some(value.clone());
                }
            }
        }
        Ok(found)
    }
}

/// A text or a whole number. Anything else needs a longer look.
#[derive(Clone)]
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl<'a> Scalar<'a> {
    fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfScalar;
        impl<'de> Visitor<'de> for OfScalar {
            type Value = Scalar<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a whole number")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Number(number))
            }
        }
        deserializer.deserialize_any(OfScalar)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::tests::dialect;
    use crate::client::dialect::read_seen;
    use crate::client::frame::Seen;

    /// Where it says anything, it says what the longer look says.
    #[track_caller]
    fn agrees(dialect: &Dialect, text: &str) -> bool {
        let Some(frame) = read(dialect, text) else {
            return false;
        };
        let longer = read_seen(dialect, Seen::new(text));
        assert_eq!(Some(frame), longer.ok(), "{text}");
        true
    }

    #[test]
    fn a_frame_is_the_same_by_a_short_look_and_a_long_one() {
        let contract = dialect();
        assert!(is_flat(&contract));
        for text in [
            r#"{"event":"connected"}"#,
            r#"{"event":"task_queued","task_id":"t","client_message_id":"c-1"}"#,
            r#"{"event":"task_queued","task_id":7,"client_message_id":"c\u0031"}"#,
            r#" {"event":"processing_started","x":{"event":"y"},"task_id":"t"} "#,
            r#"{"event":"chunk","task_id":"t","seq":2,"chunk":"[\"{"}"#,
            r#"{"event":"chunk","event":"complete","task_id":"t","chunks":3}"#,
            r#"{"event":"pong"}"#,
        ] {
            assert!(agrees(&contract, text), "{text}");
        }
        for text in [
            r#"{"event":"error","code":"busy"}"#,
            r#"{"event":"nobody knows"}"#,
            r#"{"event":"pong"} x"#,
            r#"{"event":"chunk","task_id":null}"#,
            r#"{"event":"chunk","seq":-1}"#,
            r#"["event","pong"]"#,
            r#"{"event":"pong""#,
            "",
        ] {
            assert!(!agrees(&contract, text), "{text}");
        }
    }

    #[test]
    fn what_lies_deeper_or_looks_otherwise_is_not_flat() {
        let changed = |change: fn(&mut Dialect)| {
            let mut dialect = dialect();
            change(&mut dialect);
            is_flat(&dialect)
        };
        assert!(!changed(|dialect| dialect.fields.id = "data.id".to_owned()));
        assert!(!changed(|dialect| dialect.fields.seq = "0".to_owned()));
        assert!(!changed(
            |dialect| dialect.fields.task = "\"id\":\"*\"".to_owned()
        ));
        assert!(!changed(|dialect| dialect.events.field = None));
    }

    proptest! {
        #[test]
        fn any_object_is_read_alike(
            name in prop::sample::select(vec!["connected", "task_queued", "chunk", "complete", "pong", "error", "x"]),
            values in prop::collection::vec((
                prop::sample::select(vec!["event", "task_id", "client_message_id", "seq", "chunks", "z"]),
                prop::sample::select(vec!["\"a\"", "\"\\n\"", "3", "-1", "1.5", "null", "true", "[1]", "{\"event\":\"pong\"}", "12345678901234567890"]),
            ), 0..6),
        ) {
            let mut text = format!("{{\"event\":\"{name}\"");
            for (key, value) in values {
                text.extend([",\"", key, "\":", value]);
            }
            text.push('}');
            agrees(&dialect(), &text);
        }
    }
}
