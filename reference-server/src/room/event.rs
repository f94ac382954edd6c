//! An event on its way from whoever emits it to the sockets.
//!
//! The text is `<task> <ordinal> <form> <emitted µs> <json>`: what the receiver must know stands
//! before the JSON, so that it can deliver the JSON as it is, without parsing it. A message of a
//! people chat is an answer of one event. Before the JSON of a first event stands who asked, and by
//! what id. On the admin feed `<room> <id in the room>` stands before all that.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock;
use crate::defect::Defects;
use crate::route;
use crate::route::Kind;
use crate::store::StreamId;
use crate::wire::Frame;

/// Where in an answer an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The first one, with who asked.
    Start,
    /// More follow.
    Part,
    /// The last one of an answer.
    End,
    /// A message of a people chat: first and last at once.
    Message,
}

/// Who sent a message that had an id, for the instances that did not take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker<'a> {
    /// The user's number.
    pub(crate) user: u64,
    /// The message's own id, in base64: it may hold anything.
    id: &'a str,
}

impl Asker<'_> {
    /// The message's own id.
    pub(crate) fn client_message_id(&self) -> Option<Box<str>> {
        let id = URL_SAFE_NO_PAD.decode(self.id).ok()?;
        Some(String::from_utf8(id).ok()?.into())
    }
}

/// An event, borrowed from the text it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawEvent<'a> {
    /// The task's number.
    pub(crate) task: u64,
    /// 0 for the start, then one by one to the end.
    pub(crate) ordinal: u32,
    form: Form,
    emitted_us: u64,
    json: &'a str,
    /// At the start of an answer: who is waiting for it.
    pub(crate) asker: Option<Asker<'a>>,
    /// On the admin feed: the room it happened in, and its id there.
    source: Option<(&'a str, &'a str)>,
}

/// Writes an event's text. `end` marks the last one, whose `message_id` is filled in on delivery.
pub(crate) fn encode(task: u64, ordinal: u32, end: bool, json: &str) -> String {
    let form = if end { 'e' } else { 'p' };
    format!("{task:016x} {ordinal} {form} {} {json}", clock::unix_us())
}

/// Writes the text of the first event of an answer to a message that had an id.
pub(crate) fn encode_start(task: u64, (user, id): (u64, &str), json: &str) -> String {
    let (now_us, id) = (clock::unix_us(), URL_SAFE_NO_PAD.encode(id));
    format!("{task:016x} 0 s {now_us} {user} {id} {json}")
}

/// Writes the text of a people chat's message, whose `message_id` is filled in on delivery.
pub(crate) fn encode_message(number: u64, json: &str) -> String {
    format!("{number:016x} 0 m {} {json}", clock::unix_us())
}

impl<'a> RawEvent<'a> {
    /// Reads the text of an event in `room`; `None` where it is none of ours.
    pub(crate) fn parse(room: &str, text: &'a str) -> Option<Self> {
        if Kind::of(room) != Kind::Admin {
            return Self::plain(text);
        }
        let (source, rest) = text.split_once(' ')?;
        let (id, text) = rest.split_once(' ')?;
        Some(Self {
            source: Some((source, id)),
            ..Self::plain(text)?
        })
    }

    fn plain(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(5, ' ');
        let mut event = Self {
            task: u64::from_str_radix(parts.next()?, 16).ok()?,
            ordinal: parts.next()?.parse().ok()?,
            form: match parts.next()? {
                "s" => Form::Start,
                "p" => Form::Part,
                "e" => Form::End,
                "m" => Form::Message,
                _ => return None,
            },
            emitted_us: parts.next()?.parse().ok()?,
            json: parts.next()?,
            asker: None,
            source: None,
        };
        if event.form == Form::Start {
            let (user, rest) = event.json.split_once(' ')?;
            let (id, json) = rest.split_once(' ')?;
            let user = user.parse().ok()?;
            (event.asker, event.json) = (Some(Asker { user, id }), json);
        }
        Some(event)
    }

    /// Whether the answer is over with it.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.form, Form::End | Form::Message)
    }

    /// Whether it is a message of people, not a part of an answer.
    pub(crate) fn is_message(&self) -> bool {
        self.form == Form::Message
    }

    /// Whether it is told to an admin, beside those it is for.
    pub(crate) fn is_feed(&self) -> bool {
        self.source.is_some()
    }

    /// Seconds since it was emitted; 0 where the clocks disagree.
    pub(crate) fn age_s(&self) -> f64 {
        clock::unix_us().saturating_sub(self.emitted_us) as f64 / 1e6
    }

    /// What the sockets get; `None` where a defect withholds it.
    pub(crate) fn frame(&self, id: StreamId, defects: &Defects) -> Option<Frame> {
        if self.form == Form::End && defects.withholds_end(self.task) {
            return None;
        }
        match self.source {
            None if !self.is_end() => Some(Frame::text(self.json)),
            None => Some(Frame::text(&self.with_id(&id.to_string())?)),
            Some((room, inner)) => {
                let field = match Kind::of(room) {
                    Kind::People => "chat_id",
                    Kind::Assistant | Kind::Admin => "conversation_id",
                };
                let whole = match self.form {
                    Form::Start | Form::Part => self.json.to_owned(),
                    Form::End | Form::Message => self.with_id(inner)?,
                };
                let of = route::id(room);
                Some(Frame::text(&format!(
                    r#"{{"event":"activity","message_id":"{id}","{field}":"{of}","frame":{whole}}}"#
                )))
            }
        }
    }

    /// The JSON with its `message_id`, which is known only once the event has an entry.
    pub(crate) fn with_id(&self, id: &str) -> Option<String> {
        let body = self.json.strip_suffix('}')?;
        Some(format!(r#"{body},"message_id":"{id}"}}"#))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_text() {
        let text = encode(0xabc, 4, false, r#"{"event":"chunk","chunk":"a b c"}"#);
        let event = RawEvent::parse("conv:c", &text).unwrap();
        assert_eq!(
            (event.task, event.ordinal, event.is_end()),
            (0xabc, 4, false)
        );
        assert_eq!(event.json, r#"{"event":"chunk","chunk":"a b c"}"#);
    }

    #[test]
    fn the_start_says_who_asked_and_by_what_id() {
        let text = encode_start(7, (171, "m 1 ä"), r#"{"event":"processing_started"}"#);
        let event = RawEvent::parse("conv:c", &text).unwrap();
        let asker = event.asker.unwrap();
        assert_eq!(asker.user, 171);
        assert_eq!(asker.client_message_id().as_deref(), Some("m 1 ä"));
        let frame = event
            .frame(StreamId::default(), &Defects::default())
            .unwrap();
        assert_eq!(&frame.bytes()[2..], br#"{"event":"processing_started"}"#);
    }

    #[test]
    fn the_end_gets_its_message_id_on_delivery() {
        let text = encode(1, 4, true, r#"{"event":"complete","chunks":3}"#);
        let id = StreamId { ms: 12, seq: 3 };
        let frame = RawEvent::parse("conv:c", &text)
            .unwrap()
            .frame(id, &Defects::default())
            .unwrap();
        assert_eq!(
            &frame.bytes()[2..],
            br#"{"event":"complete","chunks":3,"message_id":"12-3"}"#
        );
    }

    #[test]
    fn other_texts_are_nothing() {
        for text in [
            "",
            "a",
            "zz 0 p 1 {}",
            "1 x p 1 {}",
            "1 0 p x {}",
            "1 0 p 1",
            "1 0 x 1 {}",
        ] {
            assert_eq!(RawEvent::parse("conv:c", text), None, "{text}");
        }
    }

    #[test]
    fn an_admin_is_told_what_happened_where() {
        let text = encode_message(1, r#"{"event":"message","text":"hi"}"#);
        let text = format!("chat:17 5-0 {text}");
        let event = RawEvent::parse(route::FEED, &text).unwrap();
        let id = StreamId { ms: 12, seq: 3 };
        let frame = event.frame(id, &Defects::default()).unwrap();
        let at = frame.bytes().iter().position(|byte| *byte == b'{').unwrap();
        assert_eq!(
            str::from_utf8(&frame.bytes()[at..]).unwrap(),
            r#"{"event":"activity","message_id":"12-3","chat_id":"17","frame":{"event":"message","text":"hi","message_id":"5-0"}}"#
        );
    }
}
