//! This module examines one server as one client would, step by step, and names the known failure
//! that it meets.
//!
//! **In:** an address, whom to believe, an account, how the server is spoken to. **Out:** a
//! [`Report`]: every step with its time, and for one that failed what it looks like and what cures
//! it.
//!
//! A handful of connections, one after the other; every wait has a bound ([`TIMEOUT`]), the one for
//! an idle socket the length asked for.

mod answer;
mod api;
mod door;
mod reach;
mod report;
mod server;
mod session;

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client as Http, Url};

use self::report::{Chart, Trouble};
pub(crate) use self::report::{Entry, Outcome, Report, Step};
pub(crate) use self::server::{Account, Protocol};
use self::server::{Server, TIMEOUT, header, is_secure};
use crate::account::{self, Cells, Jar};
use crate::known::Known;
use crate::plan::{Credential, asks_token};
use crate::route::{self, Pin, Tunnel, Via};
use crate::trust::{Trust, with_trust};

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
pub(crate) struct Examination {
    /// `ws://`, `wss://`, `http://` or `https://`, a host, a port where it is not the usual one.
    pub url: Url,
    /// Addresses that a user named for hosts.
    pub pins: Vec<Pin>,
    /// The proxy on the way.
    pub via: Option<Via>,
    /// `None` where nothing is encrypted.
    pub trust: Option<Trust>,
    /// Who the doctor is.
    pub user: String,
    /// What that account has beside its name, for the places of templates.
    pub cells: Option<Cells>,
    /// Without it nothing behind the login is tried.
    pub account: Option<Account>,
    /// How the server is spoken to.
    pub protocol: Protocol,
    /// How long to watch a socket on which nothing is said; `None`: not at all.
    pub idle: Option<Duration>,
}

/// Examines; does not fail: what cannot be found out is a finding.
pub(crate) async fn examine(wanted: &Examination) -> Report {
    let mut chart = Chart::default();
    // The first step that others stand on and that fails ends the walk: the chart knows.
    let _: Option<()> = walk(wanted, &mut chart).await;
    chart.report(&wanted.url)
}

async fn walk(wanted: &Examination, chart: &mut Chart) -> Option<()> {
    let dns = reach::dns(&wanted.url, wanted.via.as_ref(), &wanted.pins);
    let addresses = chart.step(Step::Dns, dns).await?;
    let tunnel = wanted.via.clone();
    let tunnel = tunnel.map(|via| Tunnel::new(via, server::place(&wanted.url)));
    let tunnel = tunnel.as_ref();
    let tcp = reach::tcp(&wanted.url, &addresses, tunnel);
    let address = chart.step(Step::Tcp, tcp).await?;
    let tls = if let Some(trust) = wanted.trust.as_ref().filter(|_| is_secure(&wanted.url)) {
        let tls = reach::tls(&wanted.url, (address, tunnel), trust);
        Some(chart.step(Step::Tls, tls).await?)
    } else {
        chart.skip(Step::Tls, "not wanted by the URL");
        None
    };
    let host = wanted.protocol.host.clone();
    let host_header = host.unwrap_or_else(|| header(&wanted.url));
    let Some(http) = http(wanted, (address, tunnel), &host_header) else {
        let none = Trouble::new(
            "no HTTP requests can be made here",
            "look at the headers of [target]",
        );
        let failed = async { Err::<(String, ()), _>(none) };
        chart.step(Step::Http, failed).await?;
        return None;
    };
    let server = Server {
        url: &wanted.url,
        protocol: &wanted.protocol,
        account: &wanted.user,
        cells: wanted.cells.as_ref(),
        address,
        tunnel,
        tls,
        http,
        host_header,
    };
    let has_api = wanted.protocol.has_api();
    if has_api {
        chart.step(Step::Http, reach::http(&server)).await?;
    } else {
        chart.skip(Step::Http, NO_API);
    }
    let door = chart.step(Step::Upgrade, door::knock(&server)).await;
    if let Some(door) = door {
        if wanted.protocol.credential == Credential::None {
            chart.skip(Step::Refusal, "sockets open without a credential");
        } else {
            chart
                .step(Step::Refusal, door::refusal(&server, door))
                .await;
        }
    } else if chart.is_over() {
        return None;
    }
    match api::health_path(&server) {
        Some(path) => drop(chart.step(Step::Health, api::health(&server, path)).await),
        None => chart.skip(Step::Health, "the scenario names no target.health"),
    }
    inside(wanted, &server, chart).await
}

/// What only somebody who is let in can see.
async fn inside(wanted: &Examination, server: &Server<'_>, chart: &mut Chart) -> Option<()> {
    let mut jar = Jar::default();
    let secret = match (wanted.protocol.credential, &wanted.account) {
        (Credential::None, _) => {
            chart.skip(Step::Login, "sockets open without a credential");
            chart.skip(Step::Token, "sockets open without a credential");
            String::new()
        }
        (_, Some(account)) => credential(server, account, (chart, &mut jar)).await?,
        (_, None) => {
            for step in BEHIND_LOGIN {
                chart.skip(step, "needs --password");
            }
            return Some(());
        }
    };
    let mut session = chart
        .step(Step::Connected, session::connect(server, &secret, &jar))
        .await?;
    if wanted.protocol.credential != Credential::None {
        // Who has a right to it gets in, so it is the refusal that was silent.
        chart.confirm(Known::Silent1006);
    }
    if session::beats(&wanted.protocol) {
        chart.step(Step::Heartbeat, session.heartbeat(server)).await;
    } else {
        chart.skip(
            Step::Heartbeat,
            "the scenario names no heartbeat with an answer",
        );
    }
    if wanted.protocol.writes {
        chart.step(Step::Message, session.message(server)).await;
    } else {
        chart.skip(Step::Message, "the scenario's clients say nothing");
    }
    match wanted.idle {
        Some(length) => chart.step(Step::Idle, session.idle(server, length)).await?,
        None => chart.skip(Step::Idle, "takes its time: ask for it with --idle 30s"),
    }
    session.close();
    Some(())
}

/// What opens a socket.
async fn credential(
    server: &Server<'_>,
    account: &Account,
    (chart, jar): (&mut Chart, &mut Jar),
) -> Option<String> {
    let dialect = server.protocol.dialect.as_deref();
    let access = if account::login_path(dialect).is_some() {
        let login = api::login(server, account, jar);
        chart.step(Step::Login, login).await?
    } else {
        chart.skip(Step::Login, "there is none: the password is the credential");
        account.password.expose().to_owned()
    };
    if !asks_token(dialect, server.protocol.credential) {
        chart.skip(Step::Token, "sockets open with the access token");
        return Some(access);
    }
    chart
        .step(Step::Token, api::token(server, &access, jar))
        .await
}

/// A client that goes nowhere but to the server, at the address that accepts.
fn http(
    wanted: &Examination,
    (address, tunnel): (SocketAddr, Option<&Tunnel>),
    host_header: &str,
) -> Option<Http> {
    let headers = account::headers(wanted.protocol.dialect.as_deref(), Some(host_header));
    let builder = route::http()
        .default_headers(headers)
        // A kept connection may be closed as it is used again: that is no finding.
        .pool_max_idle_per_host(0)
        .timeout(TIMEOUT);
    let builder = match tunnel {
        Some(tunnel) => tunnel.carry(builder, address).ok()?,
        None => builder.resolve(wanted.url.host_str().unwrap_or_default(), address),
    };
    with_trust(builder, wanted.trust.as_ref()).build().ok()
}
