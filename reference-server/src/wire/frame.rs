//! Frames ready to be written: header and payload in one shared buffer.
//!
//! A server frame is not masked, so its bytes are the same for every receiver: it is built once and
//! written by whoever has it. **Source:** RFC 6455 §5.2, §5.5.

use bytes::{BufMut as _, Bytes, BytesMut};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
/// What stands for the code of a close frame without one.
pub(crate) const NO_CODE: u16 = 1005;
/// A control frame carries 125 bytes at most, two of which are the close code.
const CLOSE_REASON_BYTES: usize = 123;

/// One frame, as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Frame(Bytes);

impl Frame {
    /// A text frame.
    pub(crate) fn text(payload: &str) -> Self {
        Self::build(TEXT, payload.as_bytes())
    }

    /// A ping without payload.
    pub(crate) fn ping() -> Self {
        Self(Bytes::from_static(&[PING, 0]))
    }

    /// A close frame; `reason` is cut at a character where it is too long.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES)];
        let mut payload = Vec::with_capacity(2 + reason.len());
        payload.put_u16(code);
        payload.put_slice(reason.as_bytes());
        Self::build(CLOSE, &payload)
    }

    /// Bytes that already are frames, such as a pong made by the protocol library.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// The code of a close frame, where it is one; [`NO_CODE`] where it has none.
    pub(crate) fn closes_with(&self) -> Option<u16> {
        let (first, payload) = (self.0.first()?, self.0.get(2..)?);
        let code = payload.first_chunk();
        (*first == CLOSE).then(|| code.map_or(NO_CODE, |code| u16::from_be_bytes(*code)))
    }

    /// The bytes to write.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is left after `written` bytes.
    pub(crate) fn rest(&self, written: usize) -> Self {
        Self(self.0.slice(written..))
    }

    fn build(first: u8, payload: &[u8]) -> Self {
        let mut frame = BytesMut::with_capacity(payload.len() + 10);
        frame.put_u8(first);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short), _) if short < 126 => frame.put_u8(short),
            (_, Ok(medium)) => {
                frame.put_u8(126);
                frame.put_u16(medium);
            }
            _ => {
                frame.put_u8(127);
                frame.put_u64(payload.len() as u64);
            }
        }
        frame.put_slice(payload);
        Self(frame.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::protocol::frame::FrameSocket;

    fn check(payload_bytes: usize) {
        let payload = "x".repeat(payload_bytes);
        let frame = Frame::text(&payload);
        let mut peer = FrameSocket::new(std::io::Cursor::new(frame.bytes().to_vec()));
        let seen = peer.read(None).unwrap().unwrap();
        assert_eq!(seen.payload().len(), payload_bytes);
        assert!(peer.read(None).unwrap().is_none(), "nothing is left over");
    }

    #[test]
    fn lengths_around_the_three_forms_are_read_back() {
        for bytes in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            check(bytes);
        }
    }

    #[test]
    fn a_close_frame_says_its_code() {
        let empty = Frame::raw(&[CLOSE, 0]);
        assert_eq!(empty.closes_with(), Some(1005));
        assert_eq!(Frame::close(1001, "off").closes_with(), Some(1001));
        assert_eq!(Frame::ping().closes_with(), None);
    }

    #[test]
    fn a_long_close_reason_is_cut_between_characters() {
        let frame = Frame::close(4001, &"ä".repeat(100));
        assert_eq!(
            frame.bytes()[1],
            124,
            "61 characters of two bytes, and the code"
        );
        assert_eq!(&frame.bytes()[2..4], 4001_u16.to_be_bytes());
    }
}
