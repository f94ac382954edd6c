//! This module examines one server as one client would, step by step, and names the known failure
//! that it meets.
//!
//! **In:** an address, whom to believe, an account, how the server is spoken to. **Out:** a [`Report`]: every step with its time,
//! and for one that failed what it looks like and what cures it.
//!
//! A handful of connections, one after the other; every wait has a bound ([`PATIENCE`]), the one for an
//! idle socket the length asked for.

mod api;
mod door;
mod reach;
mod report;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client as Http, Url};

use self::report::{Chart, Step, Trouble};
pub(crate) use self::report::{Entry, Outcome, Report};
use crate::account;
use crate::client::connector::{ConnectError, Destination, Opened, open};
use crate::client::dialect::{self, Places};
use crate::environment::Secret;
use crate::known::Known;
use crate::plan::{Credential, Dialect};
use crate::route;
use crate::trust::{Tls, Trust, with_trust};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the health page of the contract calls the store of tokens, and the layer that carries answers.
const NO_TOKENS: &str = "tokens";
const NO_LAYER: &str = "channel_layer";
const NO_API: &str = "the scenario asks for nothing over HTTP";
const BEHIND_LOGIN: [Step; 6] = [
    Step::Login,
    Step::Token,
    Step::Connected,
    Step::Heartbeat,
    Step::Message,
    Step::Idle,
];

/// What to examine.
#[derive(Debug)]
pub(crate) struct Order {
    /// `ws://`, `wss://`, `http://` or `https://`, a host, a port where it is not the usual one.
    pub url: Url,
    /// `None` where nothing is encrypted.
    pub trust: Option<Trust>,
    /// Who the doctor is.
    pub user: String,
    /// Without it nothing behind the login is tried.
    pub account: Option<Account>,
    /// How the server is spoken to.
    pub manners: Manners,
    /// How long to watch a socket on which nothing is said; `None`: not at all.
    pub idle: Option<Duration>,
}

/// How a server is spoken to, and what opens its sockets.
#[derive(Debug)]
pub(crate) struct Manners {
    /// `None`: by the contract.
    pub dialect: Option<Arc<Dialect>>,
    /// The `Host` that the headers of the dialect name.
    pub host: Option<String>,
    pub credential: Credential,
    /// Its clients write.
    pub writes: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            dialect: None,
            host: None,
            credential: Credential::ConnectionToken,
            writes: true,
        }
    }
}

impl Manners {
    /// Something is asked for over HTTP: a server of sockets alone may answer nothing there.
    fn has_api(&self) -> bool {
        let tokens = self.credential == Credential::ConnectionToken;
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
struct Server<'a> {
    url: &'a Url,
    manners: &'a Manners,
    /// Who the doctor is.
    account: &'a str,
    address: SocketAddr,
    tls: Option<Tls>,
    /// The one `Host` of everything.
    host_header: String,
    http: Http,
}

/// Examines; does not fail: what cannot be found out is a finding.
pub(crate) async fn examine(order: &Order) -> Report {
    let mut chart = Chart::default();
    // The first step that others stand on and that fails ends the walk: the chart knows.
    let _: Option<()> = walk(order, &mut chart).await;
    chart.report(&order.url)
}

async fn walk(order: &Order, chart: &mut Chart) -> Option<()> {
    let addresses = chart.step(Step::Dns, reach::dns(&order.url)).await?;
    let tcp = reach::tcp(&order.url, &addresses);
    let address = chart.step(Step::Tcp, tcp).await?;
    let tls = if let Some(trust) = order.trust.as_ref().filter(|_| is_secure(&order.url)) {
        let tls = reach::tls(&order.url, address, trust);
        Some(chart.step(Step::Tls, tls).await?)
    } else {
        chart.skip(Step::Tls, "not wanted by the URL");
        None
    };
    let host = order.manners.host.clone();
    let host_header = host.unwrap_or_else(|| header(&order.url));
    let Some(http) = http(order, (address, &host_header)) else {
        let none = Trouble::new(
            "no HTTP requests can be made here",
            "look at the headers of [target]",
        );
        let failed = async { Err::<(String, ()), _>(none) };
        chart.step(Step::Http, failed).await?;
        return None;
    };
    let server = Server {
        url: &order.url,
        manners: &order.manners,
        account: &order.user,
        address,
        tls,
        http,
        host_header,
    };
    let has_api = order.manners.has_api();
    if has_api {
        chart.step(Step::Http, reach::http(&server)).await?;
    } else {
        chart.skip(Step::Http, NO_API);
    }
    let door = chart.step(Step::Upgrade, door::knock(&server)).await;
    if let Some(door) = door {
        if order.manners.credential == Credential::None {
            chart.skip(Step::Refusal, "sockets open without a credential");
        } else {
            chart
                .step(Step::Refusal, door::refusal(&server, door))
                .await;
        }
    } else if chart.is_over() {
        return None;
    }
    if order.manners.dialect.is_none() {
        chart.step(Step::Health, api::health(&server)).await;
    } else {
        chart.skip(
            Step::Health,
            "the contract's own, and the scenario maps another server",
        );
    }
    inside(order, &server, chart).await
}

/// What only somebody who is let in can see.
async fn inside(order: &Order, server: &Server<'_>, chart: &mut Chart) -> Option<()> {
    let secret = match (order.manners.credential, &order.account) {
        (Credential::None, _) => {
            chart.skip(Step::Login, "sockets open without a credential");
            chart.skip(Step::Token, "sockets open without a credential");
            String::new()
        }
        (_, Some(account)) => credential(server, account, chart).await?,
        (_, None) => {
            for step in BEHIND_LOGIN {
                chart.skip(step, "needs --password");
            }
            return Some(());
        }
    };
    let mut session = chart
        .step(Step::Connected, session::connect(server, &secret))
        .await?;
    if order.manners.credential != Credential::None {
        // Who has a right to it gets in, so it is the refusal that was silent.
        chart.confirm(Known::Silent1006);
    }
    if session::beats(&order.manners) {
        chart.step(Step::Heartbeat, session.heartbeat(server)).await;
    } else {
        chart.skip(
            Step::Heartbeat,
            "the scenario names no heartbeat with an answer",
        );
    }
    if order.manners.writes {
        chart.step(Step::Message, session.message(server)).await;
    } else {
        chart.skip(Step::Message, "the scenario's clients say nothing");
    }
    match order.idle {
        Some(length) => chart.step(Step::Idle, session.idle(server, length)).await?,
        None => chart.skip(Step::Idle, "takes its time: ask for it with --idle 30s"),
    }
    session.close();
    Some(())
}

/// What opens a socket.
async fn credential(server: &Server<'_>, account: &Account, chart: &mut Chart) -> Option<String> {
    let dialect = server.manners.dialect.as_deref();
    let access = if account::login_path(dialect).is_some() {
        let login = api::login(server, account);
        chart.step(Step::Login, login).await?
    } else {
        chart.skip(Step::Login, "there is none: the password is the credential");
        account.password.expose().to_owned()
    };
    if server.manners.credential != Credential::ConnectionToken {
        chart.skip(Step::Token, "sockets open with the access token");
        return Some(access);
    }
    chart.step(Step::Token, api::token(server, &access)).await
}

fn is_secure(url: &Url) -> bool {
    matches!(url.scheme(), "wss" | "https")
}

/// The port, where the URL leaves it out the usual one.
fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(80)
}

/// `host:port`, an IPv6 address in brackets.
fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), port(url))
}

/// The same as a browser writes it: without the port that the scheme stands for.
fn header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A client that goes nowhere but to the server, at the address that accepts.
fn http(order: &Order, (address, host_header): (SocketAddr, &str)) -> Option<Http> {
    let headers = account::headers(order.manners.dialect.as_deref(), Some(host_header));
    let builder = route::http()
        .default_headers(headers)
        // A kept connection may be closed as it is used again: that is no finding.
        .pool_max_idle_per_host(0)
        .resolve(order.url.host_str().unwrap_or_default(), address)
        .timeout(PATIENCE);
    with_trust(builder, order.trust.as_ref()).build().ok()
}

impl Server<'_> {
    fn path(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", authority(self.url))
    }

    /// What fills the templates of a dialect.
    fn places(&self) -> Places<'_> {
        Places {
            conversation: CONVERSATION,
            client: 0,
            account: self.account,
        }
    }

    /// Where sockets are opened.
    fn socket_path(&self) -> String {
        match self.manners.dialect.as_deref() {
            Some(dialect) => dialect::path(&dialect.socket.path, self.places()),
            None => PATH.to_owned(),
        }
    }

    /// Opens a socket; `None`: no answer in time.
    async fn open(&self, token: &str) -> Option<Result<Opened, ConnectError>> {
        self.open_at(&self.socket_path(), token).await
    }

    async fn open_at(&self, path: &str, token: &str) -> Option<Result<Opened, ConnectError>> {
        let dialect = self.manners.dialect.as_deref();
        let to = Destination {
            address: self.address,
            tls: self.tls.as_ref(),
            host_header: &self.host_header,
            path,
            origin: dialect.and_then(|dialect| dialect.socket.origin.as_deref()),
            dialect,
            credential: self.manners.credential,
            secret: token,
            source: None,
            receive_buffer_bytes: None,
        };
        tokio::time::timeout(PATIENCE, open(to)).await.ok()
    }
}

/// Where the doctor speaks.
const CONVERSATION: &str = "harness-doctor";
const PATH: &str = "/ws/chat/harness-doctor/";
