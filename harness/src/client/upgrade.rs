//! This module is the HTTP upgrade of a socket: the request, and what the answer says.
//!
//! **In:** a [`Destination`], then bytes of the server. **Out:** what came after the handshake, or
//! [`NotUpgraded`].
//!
//! Both are written and read here because a client library's handshake keeps kilobytes per connection that are
//! never used again. A credential is percent-encoded by where it goes. Interim answers (103, RFC 8297) are passed
//! by. Of an answer that is no upgrade the first words are kept: they say why.
//!
//! **Source:** RFC 6455, section 4; RFC 9110, sections 10.2.3 and 15.

use std::io;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::destination::Destination;
use super::http::retry_after_us;
use crate::account::{self, RESERVED, quoted};
use crate::format::append;
use crate::plan::Credential;

/// Longest head of an answer, interim ones included.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 128;
/// As much of the body of a refusal as is looked at, and how long it is waited for.
const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_WAIT: Duration = Duration::from_millis(200);
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What does not stand for itself in a cookie (RFC 6265, cookie-octet, and `%`).
const COOKIE: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b'/')
    .remove(b':')
    .remove(b'<')
    .remove(b'=')
    .remove(b'>')
    .remove(b'?')
    .remove(b'@')
    .remove(b'[')
    .remove(b']')
    .remove(b'^')
    .remove(b'`')
    .remove(b'{')
    .remove(b'|')
    .remove(b'}');
/// The same in the name of a sub-protocol (RFC 9110, token, and `%`).
const PROTOCOL: &AsciiSet = &RESERVED
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'^')
    .remove(b'`')
    .remove(b'|');

/// The head of a record of TLS: an alert of version 3.
const TLS_ALERT: &[u8] = &[0x15, 0x03];
/// What is said of such an answer.
pub(super) const SPEAKS_TLS: &str = "it is TLS";

/// Why there is no WebSocket.
#[derive(Debug)]
pub(super) enum NotUpgraded {
    Broken(io::Error),
    Status {
        status: u16,
        words: String,
        retry_after_us: Option<u64>,
    },
    /// A 101, and what is wrong with it.
    Handshake(String),
    NotHttp(String),
    /// The head is longer than this.
    TooLong(String),
}

/// The request.
pub(super) fn request(to: &Destination<'_>, key: &str) -> String {
    let named = to.dialect.map(|dialect| &dialect.socket);
    let query = named.map_or("connection_token", |socket| &socket.query);
    let token = named.map_or("token", |socket| &socket.query);
    let cookie = named.map_or("access_token", |socket| &socket.cookie);
    let mark = if to.path.contains('?') { '&' } else { '?' };
    let encoded = |set| utf8_percent_encode(to.secret, set);
    let cookies = |own: &str| match (own, to.cookies) {
        ("", "") => String::new(),
        (own, "") | ("", own) => format!("Cookie: {own}\r\n"),
        (own, kept) => format!("Cookie: {kept}; {own}\r\n"),
    };
    let (query, header) = match to.credential {
        Credential::ConnectionToken => {
            (format!("{mark}{query}={}", encoded(RESERVED)), cookies(""))
        }
        Credential::QueryToken => (format!("{mark}{token}={}", encoded(RESERVED)), cookies("")),
        // The cookies of the login are all there is.
        Credential::Cookie if to.secret.is_empty() => (String::new(), cookies("")),
        Credential::Cookie => {
            let own = format!("{cookie}={}", encoded(COOKIE));
            (String::new(), cookies(&own))
        }
        Credential::Bearer => {
            let header = format!("Sec-WebSocket-Protocol: Bearer, {}\r\n", encoded(PROTOCOL));
            (String::new(), header + &cookies(""))
        }
        Credential::Authorization => {
            let header = format!("Authorization: Bearer {}\r\n", encoded(CONTROLS));
            (String::new(), header + &cookies(""))
        }
        Credential::FirstFrame | Credential::None => (String::new(), cookies("")),
    };
    let mut further = String::new();
    for (name, value) in to.dialect.iter().flat_map(|dialect| &dialect.headers) {
        // The destination knows it, and one goes out.
        if !name.eq_ignore_ascii_case("host") {
            append(&mut further, format_args!("{name}: {value}\r\n"));
        }
    }
    let origin = to
        .origin
        .map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
    format!(
        "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{origin}{header}{further}\r\n",
        path = to.path,
        host = to.host_header,
    )
}

/// Whether the request offers a sub-protocol.
pub(super) fn offers_protocol(to: &Destination<'_>) -> bool {
    let mut headers = to.dialect.iter().flat_map(|dialect| dialect.headers.keys());
    to.credential == Credential::Bearer
        || headers.any(|name| name.eq_ignore_ascii_case("sec-websocket-protocol"))
}

/// Reads the answer to a request with that key, which offered a sub-protocol or not; returns what came after it.
pub(super) async fn response(
    stream: &mut (impl AsyncRead + Unpin),
    key: &str,
    offers: bool,
) -> Result<Vec<u8>, NotUpgraded> {
    let mut bytes = Vec::with_capacity(512);
    let mut passed = 0;
    loop {
        if stream
            .read_buf(&mut bytes)
            .await
            .map_err(NotUpgraded::Broken)?
            == 0
        {
            let unknown = !bytes.is_empty() && !bytes.starts_with(b"HTTP/");
            return Err(if unknown {
                NotUpgraded::NotHttp(unreadable(&bytes))
            } else {
                NotUpgraded::Broken(io::ErrorKind::UnexpectedEof.into())
            });
        }
        while let Some((head, length)) = Head::parse(&bytes)? {
            let rest = bytes.split_off(length);
            match head.status {
                101 => {
                    head.check(key, offers).map_err(NotUpgraded::Handshake)?;
                    return Ok(rest);
                }
                100..=199 => {
                    passed += length;
                    bytes = rest;
                }
                _ => return Err(head.refusal(stream, rest).await),
            }
        }
        if passed + bytes.len() > HEAD_BYTES_MAX {
            return Err(NotUpgraded::TooLong(format!("{HEAD_BYTES_MAX} bytes")));
        }
    }
}

/// What came instead of HTTP.
fn unreadable(bytes: &[u8]) -> String {
    if bytes.starts_with(TLS_ALERT) {
        SPEAKS_TLS.to_owned()
    } else {
        quoted(bytes)
    }
}

/// What counts of the head of an answer.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    version: u8,
    upgrade: Option<String>,
    connection: Option<String>,
    protocol: Option<String>,
    accept: Option<String>,
    extensions: Option<String>,
    location: Option<String>,
    retry_after: Option<String>,
    content_length: Option<usize>,
    is_chunked: bool,
}

impl Head {
    /// `None`: it is not whole yet.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, NotUpgraded> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes).map_err(|error| match error {
            httparse::Error::TooManyHeaders => {
                NotUpgraded::TooLong(format!("{HEADERS_MAX} headers"))
            }
            _ => NotUpgraded::NotHttp(unreadable(bytes)),
        })?;
        let httparse::Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let header = |name: &str| {
            let mut headers = response.headers.iter();
            let header = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(String::from_utf8_lossy(header.value).trim().to_owned())
        };
        let head = Self {
            status: response.code.unwrap_or_default(),
            version: response.version.unwrap_or_default(),
            upgrade: header("upgrade"),
            connection: header("connection"),
            protocol: header("sec-websocket-protocol"),
            accept: header("sec-websocket-accept"),
            extensions: header("sec-websocket-extensions"),
            location: header("location"),
            retry_after: header("retry-after"),
            content_length: header("content-length").and_then(|length| length.parse().ok()),
            is_chunked: header("transfer-encoding")
                .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked")),
        };
        Ok(Some((head, length)))
    }

    /// What is wrong with a 101.
    fn check(&self, key: &str, offers: bool) -> Result<(), String> {
        let says = |header: &Option<String>, word: &str| {
            let header = header.as_deref().unwrap_or_default().to_ascii_lowercase();
            header.split(',').any(|one| one.trim() == word)
        };
        if self.version == 0 {
            return Err("it is HTTP/1.0".to_owned());
        }
        if !says(&self.upgrade, "websocket") {
            return Err("no `Upgrade: websocket`".to_owned());
        }
        if !says(&self.connection, "upgrade") {
            return Err("no `Connection: Upgrade`".to_owned());
        }
        if let Some(protocol) = self.protocol.as_ref().filter(|_| !offers) {
            let protocol = quoted(protocol.as_bytes());
            return Err(format!(
                "a sub-protocol is chosen that was not offered: {protocol}"
            ));
        }
        match &self.accept {
            None => return Err("no Sec-WebSocket-Accept".to_owned()),
            Some(accept) if *accept != derive_accept_key(key.as_bytes()) => {
                return Err("Sec-WebSocket-Accept does not answer the key".to_owned());
            }
            Some(_) => {}
        }
        match &self.extensions {
            Some(extensions) if !extensions.is_empty() => Err(format!(
                "an extension is agreed that was not offered: {}",
                quoted(extensions.as_bytes())
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// An answer that is no upgrade, with its first words.
    async fn refusal(self, stream: &mut (impl AsyncRead + Unpin), body: Vec<u8>) -> NotUpgraded {
        let mut words = quoted(&self.body(stream, body).await);
        if let Some(location) = &self.location {
            let location = account::location(location);
            words = match &*words {
                "" => format!("Location: {location}"),
                words => format!("Location: {location}; {words}"),
            };
        }
        if let Some(retry_after) = &self.retry_after {
            append(&mut words, format_args!(" (Retry-After: {retry_after})"));
        }
        NotUpgraded::Status {
            status: self.status,
            words: words.trim_start().to_owned(),
            retry_after_us: self.retry_after.as_deref().and_then(retry_after_us),
        }
    }

    /// The beginning of the body, as far as it comes in time.
    async fn body(&self, stream: &mut (impl AsyncRead + Unpin), mut body: Vec<u8>) -> Vec<u8> {
        let whole = match (self.status, self.content_length) {
            (204 | 304, _) => 0,
            (_, Some(length)) => length.min(BODY_BYTES_MAX),
            (_, None) => BODY_BYTES_MAX,
        };
        let reading = async {
            while body.len() < whole && !(self.is_chunked && body.ends_with(LAST_CHUNK)) {
                match stream.read_buf(&mut body).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        // What is there by then has to do.
        drop(tokio::time::timeout(BODY_WAIT, reading).await);
        body.truncate(whole);
        if self.is_chunked { joined(&body) } else { body }
    }
}

/// The chunks of a body, as far as they are there, without their sizes.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = memchr::memchr(b'\n', chunked) {
        let size = String::from_utf8_lossy(&chunked[..end]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else {
            break;
        };
        let rest = &chunked[end + 1..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        // The chunk, and the end of its line.
        chunked = rest.get(size.saturating_add(2)..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// The key and its answer from RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nsec-websocket-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    async fn answered(text: &str) -> Result<Vec<u8>, NotUpgraded> {
        response(&mut text.as_bytes(), KEY, false).await
    }

    async fn words(text: &str) -> (u16, String, Option<u64>) {
        match answered(text).await {
            Err(NotUpgraded::Status {
                status,
                words,
                retry_after_us,
            }) => (status, words, retry_after_us),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn only_the_right_answer_to_our_key_is_a_handshake() {
        assert_eq!(answered(GOOD).await.unwrap(), b"");
        let bad = [
            GOOD.replace("s3pP", "xxxx"),
            GOOD.replace("sec-websocket-ACCEPT", "x"),
            GOOD.replace(
                "\r\n\r\n",
                "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            ),
        ];
        for bad in bad {
            let answer = answered(&bad).await;
            assert!(
                matches!(answer, Err(NotUpgraded::Handshake(_))),
                "{answer:?}"
            );
        }
        let answer = answered("SSH-2.0-OpenSSH\r\n\r\n").await;
        assert!(matches!(answer, Err(NotUpgraded::NotHttp(why)) if why == "SSH-2.0-OpenSSH"));
        let answer = answered("HTTP/1.1 101 x\r\n").await;
        assert!(matches!(answer, Err(NotUpgraded::Broken(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn an_interim_answer_is_passed_by_and_what_follows_is_kept() {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let text = format!("{early}{early}{GOOD}frame");
        assert_eq!(answered(&text).await.unwrap(), b"frame");
        let endless = early.repeat(1_000);
        let answer = answered(&endless).await;
        assert!(matches!(answer, Err(NotUpgraded::TooLong(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_refusal_says_why_and_when_to_come_back() {
        let json = "HTTP/1.1 503 Away\r\nContent-Length: 17\r\nRetry-After: 3\r\n\r\n{\"detail\":\"full\"}more";
        let why = "{\"detail\":\"full\"} (Retry-After: 3)".to_owned();
        assert_eq!(words(json).await, (503, why, Some(3_000_000)));
        let moved = "HTTP/1.0 302 Found\r\nLocation: https://chat.test/ws\r\n\r\n";
        let why = "Location: https://chat.test/ws".to_owned();
        assert_eq!(words(moved).await, (302, why, None));
        let html = "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2f\r\n<html>\n<head><title>502 Bad Gateway</title>\r\n0\r\n\r\n";
        assert_eq!(words(html).await, (502, "502 Bad Gateway".to_owned(), None));
    }

    fn to(credential: Credential, secret: &str) -> Destination<'_> {
        Destination {
            address: SocketAddr::from(([127, 0, 0, 1], 80)),
            tunnel: None,
            tls: None,
            host_header: "chat.test",
            path: "/ws/chat/c-1/",
            origin: None,
            dialect: None,
            credential,
            secret,
            cookies: "",
            source: None,
            receive_buffer_bytes: None,
        }
    }

    #[test]
    fn every_credential_travels_where_the_contract_says() {
        let request = |credential| request(&to(credential, "S"), KEY);
        assert!(
            request(Credential::ConnectionToken).starts_with(
                "GET /ws/chat/c-1/?connection_token=S HTTP/1.1\r\nHost: chat.test\r\n"
            )
        );
        assert!(request(Credential::QueryToken).contains("/?token=S HTTP"));
        assert!(request(Credential::Cookie).contains("\r\nCookie: access_token=S\r\n"));
        assert!(request(Credential::Bearer).contains("\r\nSec-WebSocket-Protocol: Bearer, S\r\n"));
        let header = "\r\nAuthorization: Bearer S\r\n";
        assert!(request(Credential::Authorization).contains(header));
        let first = request(Credential::FirstFrame);
        assert!(!first.contains('?') && !first.contains("S\r\n"), "{first}");
    }

    #[test]
    fn what_the_server_has_set_goes_back_as_it_came() {
        let shown = |credential, secret, cookies| {
            let to = Destination {
                cookies,
                ..to(credential, secret)
            };
            request(&to, KEY)
        };
        let kept = "\r\nCookie: sid=s%3A1\r\n";
        assert!(shown(Credential::QueryToken, "S", "sid=s%3A1").contains(kept));
        assert!(shown(Credential::Cookie, "", "sid=s%3A1").contains(kept));
        let both = "\r\nCookie: sid=s%3A1; access_token=S\r\n";
        assert!(shown(Credential::Cookie, "S", "sid=s%3A1").contains(both));
        assert!(!shown(Credential::None, "", "").contains("Cookie"));
    }

    #[test]
    fn a_credential_is_encoded_by_where_it_goes() {
        let shown = |credential| request(&to(credential, "a+/=;,\" é%"), KEY);
        let query = "?token=a%2B%2F%3D%3B%2C%22%20%C3%A9%25 HTTP";
        assert!(shown(Credential::QueryToken).contains(query));
        let cookie = "Cookie: access_token=a+/=%3B%2C%22%20%C3%A9%25\r\n";
        assert!(shown(Credential::Cookie).contains(cookie));
        let protocol = "Bearer, a+%2F%3D%3B%2C%22%20%C3%A9%25\r\n";
        assert!(shown(Credential::Bearer).contains(protocol));
        let to = to(Credential::Authorization, "a+/= b\r\nX: é");
        let injected = request(&to, KEY);
        assert!(
            injected.contains("Bearer a+/= b%0D%0AX: %C3%A9\r\n"),
            "{injected}"
        );
    }
}
