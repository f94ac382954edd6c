//! This module is a proxy of HTTP on the way to a target: what it is asked, and what it answers.
//!
//! **In:** `http://[user:password@]host:port`. **Out:** [`Via`]; and a [`Tunnel`], by which a TCP connection to the proxy
//! becomes one to the target.
//!
//! As browsers do it: sockets and requests with TLS are asked for with `CONNECT`, requests without TLS are sent to the
//! proxy as they are. The proxy looks the target's name up.
//!
//! **Source:** RFC 9110, sections 9.3.6 (`CONNECT`) and 11.7 (`Proxy-Authorization`); RFC 7617 (`Basic`).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{ClientBuilder, Proxy};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::USER_AGENT;

/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 100;
/// Longest wait for an answer. A proxy answers once it has reached the target.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest reason that is repeated, in characters.
const REASON_CHARS_MAX: usize = 80;
const SCHEME: &str = "http://";

/// A proxy. Not to be repeated with its credentials: `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Via {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl Via {
    /// Reads it; what stands in `${…}` stays as it is. `Err`: what is wrong, as a clause that repeats nothing of it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or("it does not begin with http://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (who, place) = match rest.rsplit_once('@') {
            Some((who, place)) => (Some(who), place),
            None => (None, rest),
        };
        let (host, port) = place.rsplit_once(':').ok_or("it names no port")?;
        let port: u16 = port
            .parse()
            .map_err(|_no_number| "the port is no number up to 65535")?;
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or("a bracket is not closed")?,
            None => host,
        };
        let of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let of_address = |c: char| c.is_ascii_hexdigit() || ".:".contains(c);
        let is_host = match host.strip_prefix('[') {
            Some(_) => bare.chars().all(of_address),
            None => bare.chars().all(of_name),
        };
        if bare.is_empty() || !is_host || port == 0 {
            return Err("it names no host and port");
        }
        Ok(Self {
            host: bare.to_owned(),
            port,
            credentials: who.map(credentials).transpose()?,
        })
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn place(&self) -> String {
        authority(&self.host, self.port)
    }

    fn authorization(&self) -> Option<String> {
        let (user, password) = self.credentials.as_ref()?;
        let told = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Some(format!("Basic {told}"))
    }
}

/// User and password; the colon between them is none within `${…}`.
fn credentials(who: &str) -> Result<(String, String), &'static str> {
    let mut depth = 0_u32;
    let colon = who.char_indices().find(|(_, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *c == ':' && depth == 0
    });
    let (at, _) = colon.ok_or("a user stands there without a password")?;
    Ok((who[..at].to_owned(), who[at + 1..].to_owned()))
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The way through a proxy to one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tunnel {
    pub via: Via,
    /// `host:port` of the target.
    target: String,
}

/// Why a proxy opened no way.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    #[error("the proxy answers {status}{}", spaced(reason))]
    Status { status: u16, reason: String },
    #[error("what the proxy answers is no HTTP")]
    NotHttp,
    #[error("the head of the proxy's answer is longer than {HEAD_BYTES_MAX} bytes")]
    TooLong,
    #[error("the proxy closed the connection without an answer")]
    Closed,
    #[error("the connection to the proxy broke: {0}")]
    Broken(#[source] io::Error),
    #[error("the proxy did not answer in time")]
    Silent,
    #[error("something came through the proxy before anything was said")]
    Early,
}

fn spaced(reason: &str) -> String {
    match reason {
        "" => String::new(),
        reason => format!(" {reason}"),
    }
}

impl TunnelError {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Status {
                status: 401 | 407, ..
            } => {
                "it wants credentials, or other ones: --via 'http://USER:${env:PROXY_PASSWORD}@HOST:PORT'"
            }
            Self::Status { status: 403, .. } => {
                "it does not let that host or port through: look at what it allows for CONNECT"
            }
            Self::Status {
                status: 500..=504, ..
            } => "the proxy does not reach the target: does it know its name, and is it running?",
            Self::Status { .. } | Self::NotHttp | Self::TooLong => {
                "is this a proxy that knows CONNECT, and the right port?"
            }
            Self::Closed | Self::Broken(_) | Self::Silent | Self::Early => {
                "look at the proxy's log"
            }
        }
    }
}

impl Tunnel {
    /// To `host`, without brackets.
    pub(crate) fn new(via: Via, (host, port): (&str, u16)) -> Self {
        Self {
            via,
            target: authority(host, port),
        }
    }

    /// Without credentials.
    pub(crate) fn bare(&self) -> Self {
        let mut bare = self.clone();
        bare.via.credentials = None;
        bare
    }

    /// The same with this proxy.
    pub(crate) fn through(self, via: Via) -> Self {
        Self { via, ..self }
    }

    /// Asks for it on a connection to the proxy.
    ///
    /// # Errors
    ///
    /// The proxy does not open it.
    pub(crate) async fn open(&self, stream: &mut TcpStream) -> Result<(), TunnelError> {
        let asked = timeout(PATIENCE, self.ask(stream)).await;
        asked.unwrap_or(Err(TunnelError::Silent))
    }

    async fn ask(&self, stream: &mut TcpStream) -> Result<(), TunnelError> {
        let written = stream.write_all(self.request().as_bytes()).await;
        written.map_err(TunnelError::Broken)?;
        let mut bytes = Vec::with_capacity(512);
        loop {
            let read = stream.read_buf(&mut bytes).await;
            if read.map_err(TunnelError::Broken)? == 0 {
                return Err(if bytes.is_empty() {
                    TunnelError::Closed
                } else {
                    TunnelError::NotHttp
                });
            }
            if let Some(length) = answer(&bytes)? {
                return if length == bytes.len() {
                    Ok(())
                } else {
                    Err(TunnelError::Early)
                };
            }
            if bytes.len() > HEAD_BYTES_MAX {
                return Err(TunnelError::TooLong);
            }
        }
    }

    fn request(&self) -> String {
        let authorization = self.via.authorization();
        let authorization = authorization.map_or_else(String::new, |told| {
            format!("Proxy-Authorization: {told}\r\n")
        });
        format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {USER_AGENT}\r\n{authorization}\r\n",
            target = self.target,
        )
    }

    /// Has requests go there; `address`: where the proxy is.
    ///
    /// # Errors
    ///
    /// The credentials cannot stand in a header.
    pub(crate) fn carry(
        &self,
        builder: ClientBuilder,
        address: SocketAddr,
    ) -> Result<ClientBuilder, reqwest::Error> {
        let mut proxy = Proxy::all(format!("{SCHEME}{}", self.via.place()))?;
        let told = self.via.authorization();
        // Base64 can always stand in one.
        if let Some(mut told) = told.and_then(|told| HeaderValue::try_from(told).ok()) {
            told.set_sensitive(true);
            proxy = proxy.custom_http_auth(told);
        }
        Ok(builder.proxy(proxy).resolve(&self.via.host, address))
    }
}

/// The length of the head of a good answer; `None`: it is not whole yet.
fn answer(bytes: &[u8]) -> Result<Option<usize>, TunnelError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| match error {
        httparse::Error::TooManyHeaders => TunnelError::TooLong,
        _ => TunnelError::NotHttp,
    })?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    match response.code.unwrap_or_default() {
        200..=299 => Ok(Some(length)),
        status => {
            let reason = response.reason.unwrap_or_default().trim();
            let plain = |c: &char| !c.is_control();
            let reason = reason.chars().filter(plain).take(REASON_CHARS_MAX);
            Err(TunnelError::Status {
                status,
                reason: reason.collect(),
            })
        }
    }
}

/// A connection to an address, or through the proxy that is there.
///
/// # Errors
///
/// There is none; a [`TunnelError`] stands within the error.
pub(crate) async fn connect(address: SocketAddr, tunnel: Option<&Tunnel>) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    if let Some(tunnel) = tunnel {
        tunnel.open(&mut stream).await.map_err(io::Error::other)?;
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_proxy_has_a_host_a_port_and_maybe_credentials() {
        let via = Via::parse("http://squid.example.org:3128").unwrap();
        assert_eq!(
            (via.place().as_str(), via.credentials),
            ("squid.example.org:3128", None)
        );
        let via = Via::parse("http://${env:U}:${env:P}@[::1]:3128/").unwrap();
        assert_eq!(via.place(), "[::1]:3128");
        let named = ("${env:U}".to_owned(), "${env:P}".to_owned());
        assert_eq!(via.credentials, Some(named));
        for (text, why) in [
            ("squid:3128", "http://"),
            ("https://squid:3128", "http://"),
            ("http://squid", "no port"),
            ("http://squid:0", "no host and port"),
            ("http://squid:70000", "no number"),
            ("http://:3128", "no host and port"),
            ("http://squid/x:3128", "no host and port"),
            ("http://[::1:3128", "bracket"),
            ("http://hunter2@squid:3128", "without a password"),
        ] {
            let told = Via::parse(text).unwrap_err();
            assert!(
                told.contains(why) && !told.contains("hunter2"),
                "{text}: {told}"
            );
        }
    }

    #[test]
    fn credentials_go_to_the_proxy_and_nowhere_else() {
        let via = Via::parse("http://Aladdin:open sesame@squid:3128").unwrap();
        let tunnel = Tunnel::new(via, ("::1", 443));
        let request = tunnel.request();
        assert!(request.starts_with("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"));
        // The example of RFC 7617, section 2.
        let told = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
        assert!(request.ends_with(told), "{request}");
        assert!(!format!("{tunnel:?}").contains("sesame"));
    }

    /// What comes of an answer.
    async fn answered(answer: &str) -> Result<(), TunnelError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let via = Via::parse(&format!("http://{address}")).unwrap();
        let tunnel = Tunnel::new(via, ("chat.test", 80));
        let asking = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            tunnel.open(&mut stream).await
        };
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            // Who has heard enough hangs up.
            drop(stream.write_all(answer.as_bytes()).await);
        };
        tokio::join!(asking, serving).0
    }

    #[tokio::test]
    async fn a_way_is_open_after_a_good_answer_and_what_else_comes_has_a_name() {
        answered("HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .unwrap();
        answered("HTTP/1.0 200 OK\r\nVia: 1.0 x\r\n\r\n")
            .await
            .unwrap();
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        for (answer, told) in [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                "answers 407 Proxy",
            ),
            ("HTTP/1.1 403 \u{1b}[31mFiltered\r\n\r\n<html>", "no HTTP"),
            (
                "HTTP/1.1 502 Bad Gateway\r\n\r\n",
                "answers 502 Bad Gateway",
            ),
            ("SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
            ("HTTP/1.1 200", "no HTTP"),
            ("", "without an answer"),
            (
                "HTTP/1.1 200 OK\r\n\r\n220 smtp",
                "before anything was said",
            ),
            (&long, "longer than"),
        ] {
            let error = answered(answer).await.unwrap_err().to_string();
            assert!(error.contains(told), "{answer:?}: {error}");
        }
        let wants = answered("HTTP/1.1 407 No\r\n\r\n").await.unwrap_err();
        assert!(wants.hint().contains("credentials"));
    }
}
