//! The id of an entry in a Redis stream: the only clock all parts of the server share.

use std::fmt;
use std::str::FromStr;

/// `<milliseconds>-<number>`; ordered as Redis orders it. The default is before every entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId {
    /// Milliseconds since 1970, by Redis' clock.
    pub(crate) ms: u64,
    /// Number within the millisecond.
    pub(crate) seq: u64,
}

/// The text is not two decimal numbers joined by a hyphen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stream id")]
pub(crate) struct NotAStreamId;

impl FromStr for StreamId {
    type Err = NotAStreamId;

    fn from_str(text: &str) -> Result<Self, NotAStreamId> {
        let (ms, seq) = text.split_once('-').ok_or(NotAStreamId)?;
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse().ok() } else { None }
        };
        match (number(ms), number(seq)) {
            (Some(ms), Some(seq)) => Ok(Self { ms, seq }),
            _ => Err(NotAStreamId),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_order_by_number_not_by_text() {
        let id = |text: &str| text.parse::<StreamId>().unwrap();
        assert!(id("9-10") < id("10-0"));
        assert!(id("10-9") < id("10-10"));
        assert_eq!(id("12-3").to_string(), "12-3");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "+1-0",
            "1-0-0",
            "99999999999999999999-0",
            "a-b",
        ] {
            assert_eq!(text.parse::<StreamId>(), Err(NotAStreamId), "{text}");
        }
    }
}
