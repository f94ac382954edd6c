//! This module examines one server as one client would, step by step, and names the known failure
//! that it meets.
//!
//! **In:** an address, whom to believe, an account. **Out:** a [`Report`]: every step with its time,
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
use std::time::Duration;

use reqwest::{Client as Http, Url};

use self::report::{Chart, Step, Trouble};
pub(crate) use self::report::{Entry, Outcome, Report};
use crate::client::connector::{ConnectError, Destination, Opened, open};
use crate::environment::Secret;
use crate::known::Known;
use crate::plan::Credential;
use crate::trust::{Tls, Trust};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
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
    pub trust: Trust,
    /// Without it nothing behind the login is tried.
    pub account: Option<Account>,
    /// How long to watch a socket on which nothing is said; `None`: not at all.
    pub idle: Option<Duration>,
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
    address: SocketAddr,
    tls: Option<Tls>,
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
    let address = chart.step(Step::Dns, reach::dns(&order.url)).await?;
    chart
        .step(Step::Tcp, reach::tcp(&order.url, address))
        .await?;
    let tls = if is_secure(&order.url) {
        let tls = reach::tls(&order.url, address, &order.trust);
        Some(chart.step(Step::Tls, tls).await?)
    } else {
        chart.skip(Step::Tls, "not wanted by the URL");
        None
    };
    let server = Server {
        url: &order.url,
        address,
        tls,
        host_header: authority(&order.url),
        http: http(order)?,
    };
    chart.step(Step::Http, reach::http(&server)).await?;
    let door = chart.step(Step::Upgrade, door::knock(&server)).await;
    if let Some(door) = door {
        chart.step(Step::Refusal, door::refusal(door)).await;
    } else if chart.met(Known::WrongServer) {
        return None;
    }
    chart.step(Step::Health, api::health(&server)).await;
    let Some(account) = &order.account else {
        for step in BEHIND_LOGIN {
            chart.skip(step, "needs --password");
        }
        return Some(());
    };
    let access = chart
        .step(Step::Login, api::login(&server, account))
        .await?;
    let token = chart
        .step(Step::Token, api::token(&server, &access))
        .await?;
    let mut session = chart
        .step(Step::Connected, session::connect(&server, &token))
        .await?;
    chart.step(Step::Heartbeat, session.heartbeat()).await;
    chart.step(Step::Message, session.message()).await;
    match order.idle {
        Some(length) => chart.step(Step::Idle, session.idle(length)).await?,
        None => chart.skip(Step::Idle, "takes its time: ask for it with --idle 30s"),
    }
    session.close();
    Some(())
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

/// A client that goes nowhere but to the server.
fn http(order: &Order) -> Option<Http> {
    let builder = Http::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE);
    order.trust.http(builder).build().ok()
}

impl Server<'_> {
    fn path(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.host_header)
    }

    /// Opens a socket; `None`: no answer in time.
    async fn open(&self, token: &str) -> Option<Result<Opened, ConnectError>> {
        let to = Destination {
            address: self.address,
            tls: self.tls.as_ref(),
            host_header: &self.host_header,
            path: PATH,
            origin: None,
            dialect: None,
            credential: Credential::ConnectionToken,
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
