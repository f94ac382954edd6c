//! This module says where a socket leads, and with which credential it is opened.

use std::net::SocketAddr;

use crate::plan::{Credential, Dialect};
use crate::route::Tunnel;
use crate::trust::Tls;

/// Where and as whom to connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    /// That of the target, or of the proxy on the way.
    pub address: SocketAddr,
    /// What is asked of the proxy there; `None`: there is none.
    pub tunnel: Option<&'a Tunnel>,
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
    /// What the server has set, as it goes back; empty: nothing.
    pub cookies: &'a str,
    /// Local address to come from.
    pub source: Option<SocketAddr>,
    /// Bytes the kernel keeps for a reader that does not read; `None`: as usual.
    pub receive_buffer_bytes: Option<u32>,
}
