//! This module is requests and frames as bytes: as much of HTTP and RFC 6455 as the harness's clients say.
//!
//! **In:** bytes that were received. **Out:** requests and frames, taken from their front; frames to be written.

use std::io::{self, Cursor};

use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

const HEADERS_MAX: usize = 32;

/// A request, whose body says nothing that matters here.
pub(crate) struct Request {
    pub path: String,
    /// `Sec-WebSocket-Key` of an upgrade.
    pub key: Option<String>,
}

impl Request {
    /// Takes a whole request from the front; `None` while it is not whole.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let parsed = head.parse(bytes).map_err(io::Error::other)?;
        let httparse::Status::Complete(end) = parsed else {
            return Ok(None);
        };
        let header = |name: &str| {
            let mut all = head.headers.iter();
            let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
            str::from_utf8(found.value).ok().map(str::trim)
        };
        let body = header("content-length").and_then(|length| length.parse().ok());
        let end = end + body.unwrap_or(0_usize);
        if bytes.len() < end {
            return Ok(None);
        }
        let request = Self {
            path: head.path.unwrap_or_default().to_owned(),
            key: header("sec-websocket-key").map(str::to_owned),
        };
        bytes.drain(..end);
        Ok(Some(request))
    }
}

/// Takes a whole frame of a client from the front: its kind and what it says.
pub(crate) fn take_frame(bytes: &mut Vec<u8>) -> io::Result<Option<(OpCode, Vec<u8>)>> {
    let mut cursor = Cursor::new(&*bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(io::Error::other)?;
    let Some((header, length)) = parsed else {
        return Ok(None);
    };
    let begin = usize::try_from(cursor.position()).map_err(io::Error::other)?;
    let end = begin.saturating_add(usize::try_from(length).map_err(io::Error::other)?);
    let Some(payload) = bytes.get(begin..end) else {
        return Ok(None);
    };
    let mask = header.mask.unwrap_or_default();
    let payload = payload.iter().zip(mask.iter().cycle());
    let payload = payload.map(|(byte, mask)| byte ^ mask).collect();
    bytes.drain(..end);
    Ok(Some((header.opcode, payload)))
}

/// A text frame as a server writes it.
pub(crate) fn text(payload: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    let frame = Frame::message(payload.to_owned(), OpCode::Data(Data::Text), true);
    frame.format(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}
