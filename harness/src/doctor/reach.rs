//! This module finds out whether anything is there, and whether it speaks what the URL says.

use std::net::SocketAddr;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::Trouble;
use super::server::{Server, TIMEOUT, authority, is_secure, place, port};
use crate::client::http::{Answer, ask};
use crate::known::Known;
use crate::route::{self, Pin, Tunnel, TunnelError, Via};
use crate::trust::{Tls, TlsFailure, Trust, speaks_tls};

/// Understood by every HTTP server, and answered by most others too.
const PLAIN_QUESTION: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
/// As much of the answer as tells what it is.
const FIRST_BYTES: usize = 16;

/// Looks the name up, that of the proxy where there is one; finds its addresses.
pub(super) async fn dns(
    url: &Url,
    via: Option<&Via>,
    pins: &[Pin],
) -> Result<(String, Vec<SocketAddr>), Trouble> {
    let (host, port) = match via {
        Some(via) => (via.host.as_str(), via.port),
        None => place(url),
    };
    let cure = "correct the name, or the resolver of this machine";
    let addresses = route::addresses((host, port), pins, TIMEOUT).await;
    let addresses =
        addresses.map_err(|error| Trouble::new(format!("{host} has no address: {error}"), cure))?;
    let ips: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    let ips = ips.join(", ");
    let told = match via {
        Some(_) => format!("left to the proxy, which is at {ips}"),
        None => ips,
    };
    Ok((told, addresses))
}

/// Connects to the first address that accepts, and no more; through the proxy there, where it is one.
pub(super) async fn tcp(
    url: &Url,
    addresses: &[SocketAddr],
    tunnel: Option<&Tunnel>,
) -> Result<(String, SocketAddr), Trouble> {
    if let Some(tunnel) = tunnel {
        return through(url, addresses, tunnel).await;
    }
    match route::first_to_accept(addresses, TIMEOUT).await {
        Ok(address) => {
            let at = match addresses.len() {
                1 => String::new(),
                _ => format!(" at {}", address.ip()),
            };
            Ok((format!("{} accepts{at}", authority(url)), address))
        }
        Err(none) if none.is_refused() => {
            let fact = format!(
                "nothing listens on port {} of {}",
                port(url),
                none.addresses()
            );
            let cure = "start the server, or name the port it listens on; a client must not have it hard-coded";
            Err(Trouble::new(fact, cure).known(Known::WrongSchemeOrPort))
        }
        Err(none) => Err(Trouble::new(
            none.to_string(),
            "look at the way there: address, route, a firewall in between, a backlog that is full",
        )),
    }
}

/// Connects to the proxy, and has it open a way.
async fn through(
    url: &Url,
    addresses: &[SocketAddr],
    tunnel: &Tunnel,
) -> Result<(String, SocketAddr), Trouble> {
    let proxy = tunnel.via.place();
    let reached = route::first_to_accept(addresses, TIMEOUT).await;
    let address = reached.map_err(|none| {
        let cure = "name the port that the proxy listens on: --via http://HOST:PORT";
        Trouble::new(format!("the proxy {proxy}: {none}"), cure)
    })?;
    let trying = async {
        let connected = TcpStream::connect(address).await;
        let mut stream = connected.map_err(TunnelError::Broken)?;
        tunnel.open(&mut stream).await
    };
    let tried = timeout(TIMEOUT, trying).await;
    match tried.unwrap_or(Err(TunnelError::Silent)) {
        Ok(()) => {
            let told = format!("{proxy} opens a way to {}", authority(url));
            Ok((told, address))
        }
        Err(error) => {
            let fact = format!("{proxy} opens no way to {}: {error}", authority(url));
            Err(Trouble::new(fact, error.hint()))
        }
    }
}

/// The handshake, as the socket will do it.
pub(super) async fn tls(
    url: &Url,
    way: (SocketAddr, Option<&Tunnel>),
    trust: &Trust,
) -> Result<(String, Tls), Trouble> {
    let host = url.host_str().unwrap_or_default();
    let tls = trust.tls(host).map_err(|error| {
        Trouble::new(
            error.to_string(),
            "name a host that a certificate can be for",
        )
    })?;
    let failure = match tls.handshake(way, TIMEOUT).await {
        Ok(()) => return Ok(("the certificate is believed".to_owned(), tls)),
        Err(failure) => failure,
    };
    let fact = match &failure {
        TlsFailure::Certificate(why) => format!("the certificate is not believed: {why}"),
        TlsFailure::NotTls => format!("no TLS is spoken on port {}: {failure}", port(url)),
        other => other.to_string(),
    };
    // Who hangs up may be one that expects plain text, and whoever is stopped may not.
    let plain = match &failure {
        TlsFailure::NotTls => true,
        TlsFailure::Ended | TlsFailure::Reset | TlsFailure::Silent => {
            first_bytes(way).await.starts_with(b"HTTP/")
        }
        _ => false,
    };
    if plain {
        let cure = "use ws://, or the port on which the server speaks TLS";
        return Err(Trouble::new(fact, cure).known(Known::WrongSchemeOrPort));
    }
    Err(Trouble::new(fact, failure.hint()))
}

/// How an answer to plain HTTP begins; nothing, where there is none.
async fn first_bytes((address, tunnel): (SocketAddr, Option<&Tunnel>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let asking = async {
        let mut stream = route::connect(address, tunnel).await?;
        stream.write_all(PLAIN_QUESTION).await?;
        let mut answer = stream.take(FIRST_BYTES as u64);
        answer.read_to_end(&mut bytes).await
    };
    // What came is what counts, however it ended.
    drop(timeout(TIMEOUT, asking).await);
    bytes
}

/// Something speaks HTTP there.
pub(super) async fn http(server: &Server<'_>) -> Result<(String, ()), Trouble> {
    let answer = ask(server.http.get(server.path("/healthz")), TIMEOUT).await;
    let status = match &answer {
        Answer::Status { status, .. } => Some(*status),
        Answer::None | Answer::Broken(_) => None,
    };
    let host = server.url.host_str().unwrap_or_default();
    // A web server that expects TLS says 400 to plain requests.
    if !is_secure(server.url)
        && matches!(status, None | Some(400))
        && speaks_tls(server.way(), host, TIMEOUT).await
    {
        let fact = format!("port {} speaks TLS", port(server.url));
        let trouble = Trouble::new(fact, "use wss://");
        return Err(trouble.known(Known::WrongSchemeOrPort));
    }
    match answer {
        Answer::Status { status, .. } => Ok((format!("/healthz answers {status}"), ())),
        Answer::None => Err(Trouble::new(
            format!("no answer to /healthz within {TIMEOUT:?}"),
            "look whether the server is stopped or overloaded",
        )),
        Answer::Broken(error) => {
            let spoken = if is_secure(server.url) {
                Vec::new()
            } else {
                first_bytes(server.way()).await
            };
            if spoken.is_empty() || spoken.starts_with(b"HTTP/") {
                let fact = format!("/healthz is not answered: {error}");
                return Err(Trouble::new(fact, "look at the server's log"));
            }
            let fact = format!("what listens there speaks no HTTP: {error}");
            let cure = "name the port of the chat server: this one is another service's";
            Err(Trouble::new(fact, cure).known(Known::WrongSchemeOrPort))
        }
    }
}
