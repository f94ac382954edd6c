//! This module opens a socket: TCP, TLS where it is wanted, then the HTTP upgrade.
//!
//! **In:** where to, and with which credential. **Out:** a [`ChatSocket`] and the moments of each
//! step, or a [`ConnectError`] that names the step.
//!
//! The upgrade is written and read here, by hand, because a client library's keeps kilobytes per
//! connection that are never used again.
//!
//! **Units:** moments are nanoseconds on the monotonic clock.
//! **Source:** RFC 6455, section 4.

use std::io;
use std::net::SocketAddr;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::socket::ChatSocket;
use crate::clock::monotonic_ns;
use crate::format::append;
use crate::plan::{Credential, Dialect};
use crate::trust::Tls;

/// Longest answer to an upgrade.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Where and as whom to connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    pub address: SocketAddr,
    /// `None`: the connection is plain.
    pub tls: Option<&'a Tls>,
    pub host_header: &'a str,
    /// `/ws/chat/NAME/`.
    pub path: &'a str,
    /// What a browser says of the page that connects; `None`: no browser.
    pub origin: Option<&'a str>,
    /// Where the credential goes, and further headers; `None`: as the contract has it.
    pub dialect: Option<&'a Dialect>,
    pub credential: Credential,
    /// The connection token, or the access token for every other credential.
    pub secret: &'a str,
    /// Local address to come from.
    pub source: Option<SocketAddr>,
    /// Bytes the kernel keeps for a reader that does not read; `None`: as usual.
    pub receive_buffer_bytes: Option<u32>,
}

/// An open socket, not yet told `connected`.
#[derive(Debug)]
pub(crate) struct Opened {
    pub socket: ChatSocket,
    pub tcp_begun_ns: u64,
    pub tcp_done_ns: u64,
    /// The same as `tcp_done_ns` where there is no TLS.
    pub tls_done_ns: u64,
    pub upgrade_done_ns: u64,
}

/// Which step of opening a socket failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no local socket: {0}")]
    Local(#[source] io::Error),
    #[error("TCP connection refused, reset or unreachable: {0}")]
    Tcp(#[source] io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    #[error("the connection broke during the upgrade: {0}")]
    Broken(#[source] io::Error),
    #[error("the upgrade was answered with status {status}")]
    Status { status: u16 },
    #[error("the answer to the upgrade is no WebSocket handshake")]
    NotWebSocket,
}

impl ConnectError {
    /// A label from a small fixed set, for counting.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Local(_) => "connect: no local socket",
            Self::Tcp(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "connect refused",
                io::ErrorKind::ConnectionReset => "connect reset",
                io::ErrorKind::TimedOut => "connect timeout",
                _ => "connect failed",
            },
            Self::Tls(_) => "TLS handshake failed",
            Self::Broken(_) => "upgrade broken",
            Self::Status { status } => match status {
                401 => "upgrade 401",
                403 => "upgrade 403",
                404 => "upgrade 404",
                426 => "upgrade 426",
                429 => "upgrade 429",
                502 => "upgrade 502",
                503 => "upgrade 503",
                _ => "upgrade: other status",
            },
            Self::NotWebSocket => "upgrade: no WebSocket",
        }
    }
}

/// Opens a socket. Has no deadline of its own: the caller's covers the whole session opening.
pub(crate) async fn open(to: Destination<'_>) -> Result<Opened, ConnectError> {
    dial(&to).await?.upgrade(&to).await
}

/// A connection on which nothing was asked yet.
#[derive(Debug)]
pub(crate) struct Dialled {
    line: Line,
    tcp_begun_ns: u64,
    tcp_done_ns: u64,
    tls_done_ns: u64,
}

#[derive(Debug)]
enum Line {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// TCP, and TLS where it is wanted: everything before the upgrade.
pub(crate) async fn dial(to: &Destination<'_>) -> Result<Dialled, ConnectError> {
    let tcp_begun_ns = monotonic_ns();
    let stream = connect(to).await?;
    let tcp_done_ns = monotonic_ns();
    let (line, tls_done_ns) = if let Some(Tls {
        connector, name, ..
    }) = to.tls
    {
        let secure = connector.connect(name.clone(), stream).await;
        let secure = secure.map_err(ConnectError::Tls)?;
        (Line::Secure(Box::new(secure)), monotonic_ns())
    } else {
        (Line::Plain(stream), tcp_done_ns)
    };
    Ok(Dialled {
        line,
        tcp_begun_ns,
        tcp_done_ns,
        tls_done_ns,
    })
}

impl Dialled {
    /// The rest.
    pub(crate) async fn upgrade(self, to: &Destination<'_>) -> Result<Opened, ConnectError> {
        let socket = match self.line {
            Line::Plain(mut stream) => {
                let left_over = upgrade(&mut stream, to).await?;
                ChatSocket::new(stream, left_over)
            }
            Line::Secure(mut secure) => {
                let left_over = upgrade(&mut secure, to).await?;
                let (stream, tls) = secure.into_inner();
                ChatSocket::secure(stream, tls, left_over)
            }
        };
        Ok(Opened {
            socket,
            tcp_begun_ns: self.tcp_begun_ns,
            tcp_done_ns: self.tcp_done_ns,
            tls_done_ns: self.tls_done_ns,
            upgrade_done_ns: monotonic_ns(),
        })
    }
}

/// Asks for the upgrade; returns what came together with the answer.
async fn upgrade(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    to: &Destination<'_>,
) -> Result<Vec<u8>, ConnectError> {
    let key = generate_key();
    let request = upgrade_request(to, &key);
    let written = stream.write_all(request.as_bytes()).await;
    written.map_err(ConnectError::Broken)?;
    stream.flush().await.map_err(ConnectError::Broken)?;
    upgrade_answer(stream, &key).await
}

async fn connect(to: &Destination<'_>) -> Result<TcpStream, ConnectError> {
    let local = if to.address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let local = local.map_err(ConnectError::Local)?;
    prepare(&local, to).map_err(ConnectError::Local)?;
    let stream = local.connect(to.address).await;
    stream.map_err(ConnectError::Tcp)
}

fn prepare(socket: &TcpSocket, to: &Destination<'_>) -> Result<(), io::Error> {
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    socket.set_nodelay(true)?;
    // A closed socket gives its port back at once: a reconnect storm must not run out of them.
    socket.set_zero_linger()?;
    if let Some(bytes) = to.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(source) = to.source {
        // The port is chosen at connect, for this destination only.
        setsockopt(socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(source)?;
    }
    Ok(())
}

fn upgrade_request(to: &Destination<'_>, key: &str) -> String {
    let secret = to.secret;
    let named = to.dialect.map(|dialect| &dialect.socket);
    let query = named.map_or("connection_token", |socket| &socket.query);
    let token = named.map_or("token", |socket| &socket.query);
    let cookie = named.map_or("access_token", |socket| &socket.cookie);
    let mark = if to.path.contains('?') { '&' } else { '?' };
    let (query, header) = match to.credential {
        Credential::ConnectionToken => (format!("{mark}{query}={secret}"), String::new()),
        Credential::QueryToken => (format!("{mark}{token}={secret}"), String::new()),
        Credential::Cookie => (String::new(), format!("Cookie: {cookie}={secret}\r\n")),
        Credential::Bearer => (
            String::new(),
            format!("Sec-WebSocket-Protocol: Bearer, {secret}\r\n"),
        ),
        Credential::None => (String::new(), String::new()),
    };
    let mut further = String::new();
    for (name, value) in to.dialect.iter().flat_map(|dialect| &dialect.headers) {
        append(&mut further, format_args!("{name}: {value}\r\n"));
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

/// Reads up to the end of the head; returns what came after it.
async fn upgrade_answer(
    stream: &mut (impl AsyncRead + Unpin),
    key: &str,
) -> Result<Vec<u8>, ConnectError> {
    let mut head = Vec::with_capacity(512);
    loop {
        let read = stream.read_buf(&mut head).await;
        if read.map_err(ConnectError::Broken)? == 0 {
            return Err(ConnectError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(end) = memchr::memmem::find(&head, HEAD_END) {
            let left_over = head.split_off(end + HEAD_END.len());
            check_head(&head, key)?;
            return Ok(left_over);
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(ConnectError::NotWebSocket);
        }
    }
}

fn check_head(head: &[u8], key: &str) -> Result<(), ConnectError> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .filter(|line| line.starts_with("HTTP/1.1 "))
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse::<u16>().ok())
        .ok_or(ConnectError::NotWebSocket)?;
    if status != 101 {
        return Err(ConnectError::Status { status });
    }
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"))
        .map(|(_, value)| value.trim());
    if accept == Some(&*derive_accept_key(key.as_bytes())) {
        Ok(())
    } else {
        Err(ConnectError::NotWebSocket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and its answer from RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    #[track_caller]
    fn label(head: &str) -> Option<&'static str> {
        check_head(head.as_bytes(), KEY)
            .err()
            .map(|error| error.label())
    }

    #[test]
    fn only_the_right_answer_to_our_key_is_a_handshake() {
        let good = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(label(good), None);
        assert_eq!(
            label(&good.replace("s3pP", "xxxx")),
            Some("upgrade: no WebSocket")
        );
        assert_eq!(label("HTTP/1.1 503 x\r\n\r\n"), Some("upgrade 503"));
        assert_eq!(
            label("SSH-2.0-OpenSSH\r\n\r\n"),
            Some("upgrade: no WebSocket")
        );
    }

    #[test]
    fn every_credential_travels_where_the_contract_says() {
        let request = |credential| {
            let to = Destination {
                address: SocketAddr::from(([127, 0, 0, 1], 80)),
                tls: None,
                host_header: "chat.test",
                path: "/ws/chat/c-1/",
                origin: None,
                dialect: None,
                credential,
                secret: "S",
                source: None,
                receive_buffer_bytes: None,
            };
            upgrade_request(&to, KEY)
        };
        assert!(
            request(Credential::ConnectionToken).starts_with(
                "GET /ws/chat/c-1/?connection_token=S HTTP/1.1\r\nHost: chat.test\r\n"
            )
        );
        assert!(request(Credential::QueryToken).contains("/?token=S HTTP"));
        assert!(request(Credential::Cookie).contains("\r\nCookie: access_token=S\r\n"));
        assert!(request(Credential::Bearer).contains("\r\nSec-WebSocket-Protocol: Bearer, S\r\n"));
    }
}
