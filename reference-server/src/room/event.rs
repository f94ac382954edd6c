//! An event on its way from the worker to the sockets.
//!
//! The text is `<task> <ordinal> <kind> <emitted µs> <json>`: what the receiver must know stands before the
//! JSON, so that it can deliver the JSON as it is, without parsing it.

use crate::clock;
use crate::defect::Defects;
use crate::frame::Frame;
use crate::stream_id::StreamId;

/// An event, borrowed from the text it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawEvent<'a> {
    /// The task's number.
    pub(crate) task: u64,
    /// 0 for the start, then one by one to the end.
    pub(crate) ordinal: u32,
    end: bool,
    emitted_us: u64,
    json: &'a str,
}

/// Writes an event's text. `end` marks the last one, whose `message_id` is filled in on delivery.
pub(crate) fn encode(task: u64, ordinal: u32, end: bool, json: &str) -> String {
    let kind = if end { 'e' } else { 'p' };
    format!("{task:016x} {ordinal} {kind} {} {json}", clock::unix_us())
}

impl<'a> RawEvent<'a> {
    /// Reads an event's text; `None` where it is none of ours.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(5, ' ');
        Some(Self {
            task: u64::from_str_radix(parts.next()?, 16).ok()?,
            ordinal: parts.next()?.parse().ok()?,
            end: parts.next()? == "e",
            emitted_us: parts.next()?.parse().ok()?,
            json: parts.next()?,
        })
    }

    /// Whether the answer is over with it.
    pub(crate) fn is_end(&self) -> bool {
        self.end
    }

    /// Seconds since the worker emitted it; 0 where the clocks disagree.
    pub(crate) fn age_s(&self) -> f64 {
        clock::unix_us().saturating_sub(self.emitted_us) as f64 / 1e6
    }

    /// What the sockets get; `None` where a defect withholds it.
    pub(crate) fn frame(&self, id: StreamId, defects: Defects) -> Option<Frame> {
        if !self.end {
            return Some(Frame::text(self.json));
        }
        if defects.complete_missing.withholds(self.task) {
            return None;
        }
        let body = self.json.strip_suffix('}')?;
        Some(Frame::text(&format!("{body},\"message_id\":\"{id}\"}}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_text() {
        let text = encode(0xabc, 4, false, r#"{"event":"chunk","chunk":"a b c"}"#);
        let event = RawEvent::parse(&text).unwrap();
        assert_eq!(
            (event.task, event.ordinal, event.is_end()),
            (0xabc, 4, false)
        );
        assert_eq!(event.json, r#"{"event":"chunk","chunk":"a b c"}"#);
    }

    #[test]
    fn the_end_gets_its_message_id_on_delivery() {
        let text = encode(1, 4, true, r#"{"event":"complete","chunks":3}"#);
        let id = StreamId { ms: 12, seq: 3 };
        let frame = RawEvent::parse(&text)
            .unwrap()
            .frame(id, Defects::default())
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
        ] {
            assert_eq!(RawEvent::parse(text), None, "{text}");
        }
    }
}
