//! This module opens a socket: TCP, the way through a proxy and TLS where they are wanted, then the HTTP upgrade.
//!
//! **In:** where to, and with which credential. **Out:** a [`ChatSocket`] and the moments of each
//! step, or a [`ConnectError`] that names the step.
//!
//! **Units:** moments are nanoseconds on the monotonic clock.

use std::io;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

pub(crate) use super::destination::Destination;
use super::problem::{dial_problem, tls_problem, tunnel_problem};
use super::socket::ChatSocket;
use super::upgrade::{NotUpgraded, SPEAKS_TLS, offers_protocol, request, response};
use crate::account::masked;
use crate::clock::monotonic_ns;
use crate::failure::{DialProblem, Failure, FailureKind, TunnelProblem, UpgradeProblem};
use crate::plan::MESSAGE_BYTES_MAX;
use crate::route::TunnelError;
use crate::trust::{Tls, TlsFailure, innermost};

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
    #[error("no connection to the proxy: {0}")]
    Proxy(#[source] io::Error),
    #[error("no way through the proxy: {0}")]
    Tunnel(#[source] TunnelError),
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    #[error("the connection broke during the upgrade: {0}")]
    Broken(#[source] io::Error),
    /// The first line of the body, or where it sends us; and how long the server asks to wait.
    #[error("the upgrade was answered with status {status}{}", colon(words))]
    Status {
        status: u16,
        words: String,
        retry_after_us: Option<u64>,
    },
    #[error("the answer to the upgrade is no WebSocket handshake: {0}")]
    NotWebSocket(String),
    #[error("the answer to the upgrade is no HTTP: {0}")]
    NotHttp(String),
    #[error("the head of the answer to the upgrade is longer than the harness takes: {0}")]
    TooLong(String),
}

fn colon(words: &str) -> String {
    if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    }
}

/// What the system says of a connection, where its kind does not say it.
fn dial_words(error: &io::Error) -> (DialProblem, String) {
    let problem = dial_problem(error);
    let words = match problem {
        DialProblem::Refused | DialProblem::Reset | DialProblem::Timeout => String::new(),
        DialProblem::Local(_) | DialProblem::Unreachable | DialProblem::System(_) => {
            error.to_string()
        }
    };
    (problem, words)
}

impl From<NotUpgraded> for ConnectError {
    fn from(error: NotUpgraded) -> Self {
        match error {
            NotUpgraded::Broken(error) => Self::Broken(error),
            NotUpgraded::Status {
                status,
                words,
                retry_after_us,
            } => Self::Status {
                status,
                words,
                retry_after_us,
            },
            NotUpgraded::Handshake(why) => Self::NotWebSocket(why),
            NotUpgraded::NotHttp(why) => Self::NotHttp(why),
            NotUpgraded::TooLong(most) => Self::TooLong(most),
        }
    }
}

impl ConnectError {
    /// As the load counts it.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Local(error) => {
                let number = error.raw_os_error().unwrap_or(0);
                let kind = FailureKind::Dial(DialProblem::Local(number));
                Failure::said(kind, &error.to_string())
            }
            Self::Tcp(error) => {
                let (problem, words) = dial_words(error);
                Failure::said(FailureKind::Dial(problem), &words)
            }
            Self::Proxy(error) => {
                let (problem, words) = dial_words(error);
                let kind = FailureKind::Tunnel(TunnelProblem::Dial(problem));
                Failure::said(kind, &words)
            }
            Self::Tunnel(error) => {
                let words = match error {
                    TunnelError::Status { reason, .. } => reason.as_str(),
                    _ => "",
                };
                Failure::said(FailureKind::Tunnel(tunnel_problem(error)), words)
            }
            Self::Tls(error) => {
                Failure::said(FailureKind::Tls(tls_problem(error)), &innermost(error))
            }
            Self::Broken(error) if TlsFailure::of(error).is_some() => {
                Failure::said(FailureKind::Tls(tls_problem(error)), &innermost(error))
            }
            Self::Broken(error) => {
                let problem = match error.kind() {
                    io::ErrorKind::UnexpectedEof => UpgradeProblem::Closed,
                    _ => UpgradeProblem::Reset,
                };
                FailureKind::Upgrade(problem).into()
            }
            Self::Status { status, words, .. } => {
                Failure::said(FailureKind::Upgrade(UpgradeProblem::Status(*status)), words)
            }
            Self::NotWebSocket(why) => {
                Failure::said(FailureKind::Upgrade(UpgradeProblem::Handshake), why)
            }
            Self::NotHttp(why) if why == SPEAKS_TLS => {
                FailureKind::Upgrade(UpgradeProblem::SpeaksTls).into()
            }
            Self::NotHttp(why) => Failure::said(FailureKind::Upgrade(UpgradeProblem::NotHttp), why),
            Self::TooLong(most) => {
                let words = format!("at most {most} are taken");
                Failure::said(FailureKind::Upgrade(UpgradeProblem::TooLong), &words)
            }
        }
    }

    /// How long the server asks to wait.
    pub(crate) const fn retry_after_us(&self) -> Option<u64> {
        if let Self::Status { retry_after_us, .. } = self {
            *retry_after_us
        } else {
            None
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
    transport: Transport,
    tcp_begun_ns: u64,
    tcp_done_ns: u64,
    tls_done_ns: u64,
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// TCP, a way through a proxy and TLS where they are wanted: everything before the upgrade.
pub(crate) async fn dial(to: &Destination<'_>) -> Result<Dialled, ConnectError> {
    let tcp_begun_ns = monotonic_ns();
    let stream = connect(to).await?;
    let tcp_done_ns = monotonic_ns();
    let (transport, tls_done_ns) = if let Some(Tls {
        connector, name, ..
    }) = to.tls
    {
        let secure = connector.connect(name.clone(), stream).await;
        let secure = secure.map_err(ConnectError::Tls)?;
        (Transport::Secure(Box::new(secure)), monotonic_ns())
    } else {
        (Transport::Plain(stream), tcp_done_ns)
    };
    Ok(Dialled {
        transport,
        tcp_begun_ns,
        tcp_done_ns,
        tls_done_ns,
    })
}

impl Dialled {
    /// The rest.
    pub(crate) async fn upgrade(self, to: &Destination<'_>) -> Result<Opened, ConnectError> {
        let message_bytes_max = to
            .dialect
            .map_or(MESSAGE_BYTES_MAX, |dialect| dialect.limits.message_bytes);
        let socket = match self.transport {
            Transport::Plain(mut stream) => {
                let left_over = upgrade(&mut stream, to).await?;
                ChatSocket::new(stream, left_over, message_bytes_max)
            }
            Transport::Secure(mut secure) => {
                let left_over = upgrade(&mut secure, to).await?;
                let (stream, tls) = secure.into_inner();
                ChatSocket::secure(stream, tls, left_over, message_bytes_max)
            }
        };
        Ok(Opened {
            socket: socket.speaking(to.dialect),
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
    let request = request(to, &key);
    let written = stream.write_all(request.as_bytes()).await;
    written.map_err(ConnectError::Broken)?;
    stream.flush().await.map_err(ConnectError::Broken)?;
    response(stream, &key, offers_protocol(to))
        .await
        .map_err(|error| match error {
            NotUpgraded::Status {
                status,
                words,
                retry_after_us,
            } => ConnectError::Status {
                status,
                words: masked(&words, &secrets(to)),
                retry_after_us,
            },
            other => other.into(),
        })
}

/// What an answer may repeat and nobody else may.
fn secrets<'a>(to: &Destination<'a>) -> Vec<&'a str> {
    let cookies = to.cookies.split("; ");
    let values = cookies.filter_map(|cookie| Some(cookie.split_once('=')?.1));
    values.chain([to.secret]).collect()
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
    let mut stream = stream.map_err(|error| {
        if matches!(dial_problem(&error), DialProblem::Local(_)) {
            ConnectError::Local(error)
        } else if to.tunnel.is_some() {
            ConnectError::Proxy(error)
        } else {
            ConnectError::Tcp(error)
        }
    })?;
    if let Some(tunnel) = to.tunnel {
        let opened = tunnel.open(&mut stream).await;
        opened.map_err(ConnectError::Tunnel)?;
    }
    Ok(stream)
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
