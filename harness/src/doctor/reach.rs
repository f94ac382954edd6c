//! This module finds out whether anything is there, and whether it speaks what the URL says.

use std::io;
use std::net::SocketAddr;

use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Known, PATIENCE, Server, Trouble, authority, is_secure, port};
use crate::client::http::{Answer, ask};
use crate::trust::{Tls, Trust, distrust, speaks_tls};

/// Looks the name up; finds its first address, IPv4 before IPv6.
pub(super) async fn dns(url: &Url) -> Result<(String, SocketAddr), Trouble> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    let cure = "correct the name, or the resolver of this machine";
    let looked_up = timeout(PATIENCE, tokio::net::lookup_host((bare, port(url)))).await;
    let mut addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            return Err(Trouble::new(
                format!("{host} has no address: {error}"),
                cure,
            ));
        }
        Err(_) => {
            return Err(Trouble::new(
                format!("no address within {PATIENCE:?}"),
                cure,
            ));
        }
    };
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let Some(first) = addresses.first().copied() else {
        return Err(Trouble::new(format!("{host} has no address"), cure));
    };
    let more = match addresses.len() {
        1 => String::new(),
        number => format!(" (of {number})"),
    };
    Ok((format!("{}{more}", first.ip()), first))
}

/// Connects, and no more.
pub(super) async fn tcp(url: &Url, address: SocketAddr) -> Result<(String, ()), Trouble> {
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok((format!("{} accepts", authority(url)), ())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let fact = format!("nothing listens on port {}", port(url));
            let cure = "start the server, or name the port it listens on; a client must not have it hard-coded";
            Err(Trouble::new(fact, cure).known(Known::WrongSchemeOrPort))
        }
        Ok(Err(error)) => Err(Trouble::new(
            error.to_string(),
            "look at the way there: address, route, firewall",
        )),
        Err(_) => Err(Trouble::new(
            format!("no answer within {PATIENCE:?}"),
            "look for a firewall in between, or a backlog that is full",
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
    let error = match tls.handshake(address, PATIENCE).await {
        Ok(()) => return Ok(("the certificate is believed".to_owned(), tls)),
        Err(error) => error,
    };
    if let Some(reason) = distrust(&error) {
        let cure = "name the authority with --ca FILE, or have the server show the right certificate with its whole chain";
        return Err(Trouble::new(
            format!("the certificate is not believed: {reason}"),
            cure,
        ));
    }
    Err(Trouble::new(
        format!("no TLS is spoken on port {}: {error}", port(url)),
        "use ws://, or the port on which the server speaks TLS",
    )
    .known(Known::WrongSchemeOrPort))
}

/// Something speaks HTTP there.
pub(super) async fn http(server: &Server<'_>) -> Result<(String, ()), Trouble> {
    let answer = ask(server.http.get(server.path("/healthz")), PATIENCE).await;
    let status = match &answer {
        Answer::Status { status, .. } => Some(*status),
        Answer::None | Answer::Broken(_) => None,
    };
    let host = server.url.host_str().unwrap_or_default();
    // A web server that expects TLS says 400 to plain requests.
    if !is_secure(server.url)
        && matches!(status, None | Some(400))
        && speaks_tls(server.address, host, PATIENCE).await
    {
        let fact = format!("port {} speaks TLS", port(server.url));
        let trouble = Trouble::new(fact, "use wss://");
        return Err(trouble.known(Known::WrongSchemeOrPort));
    }
    let wrong_port = "name the port of the chat server: this one may be another service's";
    match answer {
        Answer::Status { status, .. } => Ok((format!("/healthz answers {status}"), ())),
        Answer::None => Err(Trouble::new(
            format!("no answer to /healthz within {PATIENCE:?}"),
            "look whether the server is stopped or overloaded",
        )),
        Answer::Broken(error) => {
            let trouble = Trouble::new(
                format!("what listens there speaks no HTTP: {error}"),
                wrong_port,
            );
            Err(trouble.known(Known::WrongSchemeOrPort))
        }
    }
}
