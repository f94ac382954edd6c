//! This module finds out whether anything is there, and whether it speaks what the URL says.

use std::net::SocketAddr;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::Trouble;
use super::server::{Server, TIMEOUT, authority, is_secure, port};
use crate::client::http::{Answer, ask};
use crate::known::Known;
use crate::route::{self, Pin};
use crate::trust::{Tls, TlsFailure, Trust, speaks_tls};

/// Understood by every HTTP server, and answered by most others too.
const PLAIN_QUESTION: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
/// As much of the answer as tells what it is.
const FIRST_BYTES: usize = 16;

/// Looks the name up; finds its addresses.
pub(super) async fn dns(url: &Url, pins: &[Pin]) -> Result<(String, Vec<SocketAddr>), Trouble> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    let cure = "correct the name, or the resolver of this machine";
    let addresses = route::addresses((bare, port(url)), pins, TIMEOUT).await;
    let addresses =
        addresses.map_err(|error| Trouble::new(format!("{host} has no address: {error}"), cure))?;
    let ips: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    Ok((ips.join(", "), addresses))
}

/// Connects to the first address that accepts, and no more.
pub(super) async fn tcp(
    url: &Url,
    addresses: &[SocketAddr],
) -> Result<(String, SocketAddr), Trouble> {
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

/// The handshake, as the socket will do it.
pub(super) async fn tls(
    url: &Url,
    address: SocketAddr,
    trust: &Trust,
) -> Result<(String, Tls), Trouble> {
    let host = url.host_str().unwrap_or_default();
    let tls = trust.tls(host).map_err(|error| {
        Trouble::new(
            error.to_string(),
            "name a host that a certificate can be for",
        )
    })?;
    let failure = match tls.handshake(address, TIMEOUT).await {
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
            first_bytes(address).await.starts_with(b"HTTP/")
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
async fn first_bytes(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
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
        && speaks_tls(server.address, host, TIMEOUT).await
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
                first_bytes(server.address).await
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
