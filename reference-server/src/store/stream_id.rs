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

impl StreamId {
    /// The last id there can be.
    const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// Reads the id of an entry after which there can be others: a client asks for those.
    pub(crate) fn to_follow(text: &str) -> Result<Self, NotAStreamId> {
        let id: Self = text.parse()?;
        // Redis takes no search behind it.
        if id == Self::MAX {
            Err(NotAStreamId)
        } else {
            Ok(id)
        }
    }

    /// The id right before this one.
    pub(crate) fn before(self) -> Self {
        match (self.ms, self.seq) {
            (ms, 1..) => Self {
                ms,
                seq: self.seq - 1,
            },
            (0, 0) => self,
            (ms, 0) => Self {
                ms: ms - 1,
                seq: u64::MAX,
            },
        }
    }
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
    #[test]
    fn nothing_follows_the_last_id_there_can_be() {
        let max = u64::MAX;
        assert!(StreamId::to_follow(&format!("{max}-{max}")).is_err());
        assert!(StreamId::to_follow(&format!("{max}-{}", max - 1)).is_ok());
        assert!(StreamId::to_follow("0-0").is_ok());
    }

    #[test]
    fn before_an_id_is_the_next_lower_one() {
        let id = |ms, seq| StreamId { ms, seq };
        assert_eq!(id(7, 3).before(), id(7, 2));
        assert_eq!(id(7, 0).before(), id(6, u64::MAX));
        assert_eq!(id(0, 0).before(), id(0, 0));
    }
}
