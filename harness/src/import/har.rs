//! This module reads an HTTP archive, as browsers write it: requests, and the frames of sockets.
//!
//! **In:** the bytes of a file. **Out:** a [`Recording`], in the order of the file. What is longer than is looked at is left
//! out, and that is kept in mind; what is no archive is refused with line and column.
//!
//! **Units:** milliseconds, of any beginning.

use std::fmt;
use std::marker::PhantomData;

use reqwest::Url;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Most requests of an archive.
const ENTRIES_MAX: usize = 50_000;
/// Most frames of a socket that are looked at.
pub(super) const FRAMES_MAX: usize = 5_000;
/// Longest body, and longest frame, that is looked at.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;
/// So a binary frame says it.
const BINARY: f64 = 2.0;
/// Times past it are milliseconds already: browsers count seconds, other recorders milliseconds.
const MILLISECONDS_FROM: f64 = 1e11;

/// What a browser did.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub(super) requests: Vec<Request>,
    pub(super) sockets: Vec<Socket>,
    /// Entries past [`ENTRIES_MAX`].
    pub(super) left_out: usize,
}

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Request {
    /// Its number in the file, from 1.
    pub(super) entry: usize,
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) headers: Headers,
    /// What was sent, and as what.
    pub(super) body: Option<(String, String)>,
    pub(super) status: u16,
    pub(super) answer_headers: Headers,
    /// `None`: there is none, it is no text, or it is longer than [`TEXT_BYTES_MAX`].
    pub(super) answer: Option<String>,
}

/// A WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    /// Its number in the file, from 1.
    pub(super) entry: usize,
    pub(super) url: Url,
    pub(super) headers: Headers,
    pub(super) frames: Vec<Frame>,
    /// Of frames past [`FRAMES_MAX`], longer than [`TEXT_BYTES_MAX`], or of no kind that is known.
    pub(super) left_out: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) is_client: bool,
    pub(super) at_ms: f64,
    /// `None`: binary.
    pub(super) text: Option<String>,
}

/// Names and values.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let named = |(header, _): &&(String, String)| header.eq_ignore_ascii_case(name);
        self.0.iter().find(named).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let named = move |(header, _): &&(String, String)| header.eq_ignore_ascii_case(name);
        self.0.iter().filter(named).map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads it.
///
/// # Errors
///
/// If it is no JSON, or JSON of another kind.
pub(super) fn read(bytes: &[u8]) -> Result<Recording, serde_json::Error> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let file: File<'_> = serde_json::from_slice(bytes)?;
    let mut recording = Recording {
        left_out: file.log.entries.left_out,
        ..Recording::default()
    };
    for (index, entry) in file.log.entries.kept.into_iter().enumerate() {
        // One that is written otherwise is left out, not the others with it.
        let Ok(mut entry) = serde_json::from_str::<Entry>(entry.get()) else {
            recording.left_out += 1;
            continue;
        };
        let Ok(url) = Url::parse(&entry.request.url) else {
            continue;
        };
        let number = index + 1;
        let headers = entry.request.headers();
        if entry.frames.is_some() || matches!(url.scheme(), "ws" | "wss") {
            recording
                .sockets
                .push(socket(number, url, headers, entry.frames));
        } else if matches!(url.scheme(), "http" | "https") {
            let answer = entry.response.content;
            let is_text = answer.encoding.is_none_or(|encoding| encoding.is_empty())
                && !is_of_a_page(&answer.kind);
            recording.requests.push(Request {
                entry: number,
                method: entry.request.method,
                url,
                headers,
                body: entry.request.body.and_then(Body::into_text),
                status: u16::try_from(entry.response.status).unwrap_or(0),
                answer_headers: headers_of(entry.response.headers),
                answer: answer.text.0.filter(|_| is_text),
            });
        }
    }
    Ok(recording)
}

/// Scripts, styles and pictures, in which nothing is looked for.
fn is_of_a_page(kind: &str) -> bool {
    let parts = ["javascript", "css", "image/", "font", "video/", "audio/"];
    parts.iter().any(|part| kind.contains(part))
}

fn socket(
    entry: usize,
    url: Url,
    headers: Headers,
    frames: Option<First<Message, FRAMES_MAX>>,
) -> Socket {
    let frames = frames.unwrap_or_default();
    let mut left_out = frames.left_out;
    let mut kept = Vec::new();
    for message in frames.kept {
        let is_client = match message.direction.0.as_deref() {
            Some("send") => true,
            Some("receive") => false,
            _ => {
                left_out += 1;
                continue;
            }
        };
        let is_binary = message.opcode.0 == BINARY;
        if message.data.0.is_none() && !is_binary {
            left_out += 1;
            continue;
        }
        let at = message.time.0;
        let at_ms = if at > MILLISECONDS_FROM { at } else { at * 1e3 };
        let text = message.data.0.filter(|_| !is_binary);
        kept.push(Frame {
            is_client,
            at_ms,
            text,
        });
    }
    Socket {
        entry,
        url,
        headers,
        frames: kept,
        left_out,
    }
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    log: Log<'a>,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow)]
    entries: First<&'a RawValue, ENTRIES_MAX>,
}

#[derive(Deserialize)]
struct Entry {
    request: Asked,
    #[serde(default, deserialize_with = "or_default")]
    response: Answered,
    #[serde(default, rename = "_webSocketMessages", alias = "webSocketMessages")]
    frames: Option<First<Message, FRAMES_MAX>>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    url: String,
    #[serde(default, deserialize_with = "or_default")]
    headers: Vec<Pair>,
    #[serde(default, deserialize_with = "or_default")]
    cookies: Vec<Pair>,
    #[serde(default, rename = "postData", deserialize_with = "or_default")]
    body: Option<Body>,
}

impl Asked {
    /// Its headers; cookies that stand beside them only are one.
    fn headers(&mut self) -> Headers {
        let mut headers = headers_of(std::mem::take(&mut self.headers));
        if headers.get("cookie").is_none() && !self.cookies.is_empty() {
            let cookies = self.cookies.iter();
            let cookies = cookies.map(|cookie| format!("{}={}", cookie.name, cookie.value));
            let cookies = cookies.collect::<Vec<_>>().join("; ");
            headers.0.push(("Cookie".to_owned(), cookies));
        }
        headers
    }
}

fn headers_of(pairs: Vec<Pair>) -> Headers {
    let pairs = pairs.into_iter();
    Headers(pairs.map(|pair| (pair.name, pair.value)).collect())
}

#[derive(Default, Deserialize)]
struct Answered {
    #[serde(default, deserialize_with = "or_default")]
    status: i64,
    #[serde(default, deserialize_with = "or_default")]
    headers: Vec<Pair>,
    #[serde(default, deserialize_with = "or_default")]
    content: Content,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default, rename = "mimeType", deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    text: Bounded,
    #[serde(default, deserialize_with = "or_default")]
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default, rename = "mimeType", deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    text: Bounded,
    #[serde(default, deserialize_with = "or_default")]
    params: Vec<Pair>,
}

impl Body {
    /// What was sent; a form that is given by its fields only is written out.
    fn into_text(self) -> Option<(String, String)> {
        let text = self.text.0.filter(|text| !text.is_empty());
        let text = text.or_else(|| {
            let mut form = Url::parse("form:").ok()?;
            let pairs = self.params.iter();
            let pairs = pairs.map(|pair| (&pair.name, &pair.value));
            form.query_pairs_mut().extend_pairs(pairs);
            form.query().map(str::to_owned)
        });
        Some((self.kind, text?))
    }
}

#[derive(Deserialize)]
struct Pair {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    direction: Bounded,
    #[serde(default, deserialize_with = "or_default")]
    time: Loose,
    #[serde(default, deserialize_with = "or_default")]
    opcode: Loose,
    #[serde(default, deserialize_with = "or_default")]
    data: Bounded,
}

/// A number, also as a text; 0 for what is none.
#[derive(Default)]
struct Loose(f64);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let number = match &value {
            serde_json::Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        Ok(Self(number.unwrap_or_default()))
    }
}

/// A value; where it is null, none.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text, unless it is too long.
#[derive(Default)]
struct Bounded(Option<String>);

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bounded;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Bounded, E> {
                let is_short = text.len() <= TEXT_BYTES_MAX;
                Ok(Bounded(is_short.then(|| text.to_owned())))
            }
            fn visit_unit<E: Error>(self) -> Result<Bounded, E> {
                Ok(Bounded(None))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// The first of a list, and how many more there are.
struct First<T, const MAX: usize> {
    kept: Vec<T>,
    left_out: usize,
}

impl<T, const MAX: usize> Default for First<T, MAX> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            left_out: 0,
        }
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for First<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = First<T, MAX>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut first = First::default();
                while first.kept.len() < MAX {
                    let Some(item) = list.next_element()? else {
                        return Ok(first);
                    };
                    first.kept.push(item);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    first.left_out += 1;
                }
                Ok(first)
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_milliseconds_are_told_apart_and_what_is_too_long_is_left_out() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        let text = format!(
            r#"{{"log":{{"entries":[
                {{"request":{{"method":"GET","url":"wss://a.test/x","cookies":[{{"name":"a","value":"b"}}]}},
                  "response":{{"status":101}},
                  "_webSocketMessages":[
                    {{"type":"send","time":1700000000.5,"opcode":1,"data":"a"}},
                    {{"type":"receive","time":1700000000500,"opcode":1,"data":"{long}"}},
                    {{"type":"receive","time":1700000000501,"opcode":2,"data":"{long}"}},
                    {{"type":"error","time":1,"opcode":-1,"data":"gone"}}]}},
                {{"request":{{"method":"POST","url":"https://a.test/y","postData":{{"mimeType":"f","params":[{{"name":"p q","value":"a&b"}}]}}}},
                  "response":{{"status":200,"content":{{"mimeType":"text/html","text":"{long}"}}}}}},
                {{"request":{{"method":"GET","url":"chrome-extension://x"}},"response":{{"status":-1}}}}]}}}}"#
        );
        let recording = read(text.as_bytes()).unwrap();
        let socket = &recording.sockets[0];
        assert_eq!(socket.headers.get("cookie"), Some("a=b"));
        assert_eq!((socket.frames.len(), socket.left_out), (2, 2));
        assert!((socket.frames[0].at_ms - 1_700_000_000_500.0).abs() < 1e-3);
        assert_eq!(socket.frames[1].text, None, "binary");
        let request = &recording.requests[0];
        assert_eq!(request.entry, 2);
        assert_eq!(request.body.as_ref().unwrap().1, "p+q=a%26b");
        assert_eq!((request.status, &request.answer), (200, &None));
    }

    #[test]
    fn what_is_no_archive_is_refused_where_it_is_none() {
        let error = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert!(error("{\n\"log\": 7}").contains("line 2"));
        assert!(error("<html>").contains("line 1 column 1"));
    }
}
