//! This module knows the server that is examined, and opens sockets there.
//!
//! **In:** an address, how the server is spoken to. **Out:** paths, sockets, and who asks for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client as Http, Url};

use crate::account::{self, Cells, Jar};
use crate::client::connector::{ConnectError, Destination, Opened, open};
use crate::client::talk::Talk;
use crate::client::template::{self, Held, Places, Speaker};
use crate::environment::Secret;
use crate::plan::{Credential, Dialect, asks_token};
use crate::route::Tunnel;
use crate::trust::Tls;

/// Longest wait for one answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// What the health page of the contract calls the store of tokens, and the layer that carries
/// answers.
pub(super) const NO_TOKENS: &str = "tokens";
pub(super) const NO_LAYER: &str = "channel_layer";
/// Where the doctor speaks.
pub(super) const CONVERSATION: &str = "harness-doctor";
const PATH: &str = "/ws/chat/harness-doctor/";

/// How a server is spoken to, and what opens its sockets.
#[derive(Debug)]
pub(crate) struct Protocol {
    /// `None`: by the contract.
    pub dialect: Option<Arc<Dialect>>,
    /// The `Host` that the headers of the dialect name.
    pub host: Option<String>,
    pub credential: Credential,
    /// Its clients write.
    pub writes: bool,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            dialect: None,
            host: None,
            credential: Credential::ConnectionToken,
            writes: true,
        }
    }
}

impl Protocol {
    /// Something is asked for over HTTP: a server of sockets alone may answer nothing there.
    pub(super) fn has_api(&self) -> bool {
        let tokens = asks_token(self.dialect.as_deref(), self.credential);
        tokens || account::login_path(self.dialect.as_deref()).is_some()
    }
}

/// Who logs in.
#[derive(Debug)]
pub(crate) struct Account {
    pub name: String,
    pub password: Secret,
}

/// The server, as far as it is known.
pub(super) struct Server<'a> {
    pub url: &'a Url,
    pub protocol: &'a Protocol,
    /// Who the doctor is.
    pub account: &'a str,
    /// What that account has beside its name.
    pub cells: Option<&'a Cells>,
    /// That of the server, or of the proxy on the way.
    pub address: SocketAddr,
    pub tunnel: Option<&'a Tunnel>,
    pub tls: Option<Tls>,
    /// The one `Host` of everything.
    pub host_header: String,
    pub http: Http,
}

impl Server<'_> {
    pub(super) fn path(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", authority(self.url))
    }

    /// What fills the templates of a dialect.
    pub(super) fn places(&self) -> Places<'_> {
        Places {
            conversation: CONVERSATION,
            client: 0,
            account: self.account,
            cells: self.cells,
            group: 0,
            held: None,
        }
    }

    /// Where connections begin, and what is asked of a proxy there.
    pub(super) fn way(&self) -> (SocketAddr, Option<&Tunnel>) {
        (self.address, self.tunnel)
    }

    /// A socket that this opened.
    pub(super) fn talk(&self, opened: Opened, credential: &str) -> Talk {
        let speaker = Speaker {
            conversation: CONVERSATION.to_owned(),
            client: 0,
            account: self.account.to_owned(),
            cells: self.cells.cloned(),
            group: 0,
            held: Held {
                credential: credential.into(),
                captured: Vec::new(),
            },
        };
        Talk::new(opened.socket).speaking(self.protocol.dialect.clone(), speaker)
    }

    /// Where sockets are opened.
    pub(super) fn socket_path(&self) -> String {
        match self.protocol.dialect.as_deref() {
            Some(dialect) => template::path(&dialect.socket.path, self.places()),
            None => PATH.to_owned(),
        }
    }

    /// Opens a socket without what the server has set; `None`: no answer in time.
    pub(super) async fn open(&self, token: &str) -> Option<Result<Opened, ConnectError>> {
        self.open_at(&self.socket_path(), token, &Jar::default())
            .await
    }

    pub(super) async fn open_at(
        &self,
        path: &str,
        token: &str,
        jar: &Jar,
    ) -> Option<Result<Opened, ConnectError>> {
        let dialect = self.protocol.dialect.as_deref();
        let cookies = jar.header().unwrap_or_default();
        let to = Destination {
            address: self.address,
            tunnel: self.tunnel,
            tls: self.tls.as_ref(),
            host_header: &self.host_header,
            path,
            origin: dialect.and_then(|dialect| dialect.socket.origin.as_deref()),
            dialect,
            credential: self.protocol.credential,
            secret: token,
            cookies: &cookies,
            source: None,
            receive_buffer_bytes: None,
        };
        tokio::time::timeout(TIMEOUT, open(to)).await.ok()
    }
}

pub(super) fn is_secure(url: &Url) -> bool {
    matches!(url.scheme(), "wss" | "https")
}

/// The port, where the URL leaves it out the usual one.
pub(super) fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(80)
}

/// Host and port, an IPv6 address without brackets.
pub(super) fn place(url: &Url) -> (&str, u16) {
    let host = url.host_str().unwrap_or_default();
    (host.trim_matches(['[', ']']), port(url))
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), port(url))
}

/// The same as a browser writes it: without the port that the scheme stands for.
pub(super) fn header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
