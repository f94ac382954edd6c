//! This module says where the target is, to those who drive and watch it.
//!
//! **In:** a started server, or where one is to be attached. **Out:** [`TargetInfo`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client as Http;

use super::accounts::{Accounts, payloads};
use super::error::EnvironmentError;
use super::host::Place;
use super::preflight::Found;
use super::proxy::ProxyLink;
use super::secret::{self, Secret};
use super::server::{self, CONNECT_PATIENCE};
use crate::account;
use crate::plan::{Credential, Dialect, Plan};
use crate::trust::{Tls, Trust, distrust, speaks_tls};

/// The password of a target that is not ours, where the plan names none.
const NO_PASSWORD: &str = "";

/// Everything a client needs to know of the target.
#[derive(Clone, Debug)]
pub(crate) struct TargetInfo {
    /// `http://127.0.0.1:41234`, without a slash at the end: where clients send requests, through
    /// the edge proxy where there is one.
    pub http_base: String,
    /// Where sockets are opened, resolved once: the address behind `http_base`, and those of the
    /// other processes that carry the edge link, if several do. Then clients are spread over them,
    /// with their HTTP requests. Never empty.
    pub addresses: Arc<[SocketAddr]>,
    /// Host header and TLS server name: `127.0.0.1:41234`.
    pub host_header: String,
    /// How connections speak TLS; `None`: they are plain.
    pub tls: Option<Tls>,
    /// Requests over HTTP that believe whom the sockets believe; `None` without TLS.
    pub requests: Option<Http>,
    pub accounts: Accounts,
    /// What clients write, as it stands within a JSON string; empty: filler.
    pub payloads: Arc<[String]>,
    /// How it is spoken to, its secrets in place; `None`: by the contract.
    pub dialect: Option<Arc<Dialect>>,
    /// Readiness, asked directly and never through an edge proxy of this run.
    pub readyz_url: String,
    /// The target's own counters, asked directly: one page for every instance.
    pub metrics_urls: Vec<String>,
}

/// The target before an edge proxy stands in front of it.
pub(super) struct Reached {
    /// With what the target is spoken to, where that is TLS.
    pub tls: Option<Tls>,
    pub requests: Option<Http>,
    pub http_base: String,
    pub place: Option<Place>,
    /// One for every instance that was started; never empty.
    pub addresses: Vec<SocketAddr>,
    pub password: Secret,
}

impl Reached {
    /// A target of somebody else: it answers, and lets the first account in.
    pub(super) async fn attach(
        plan: &Plan,
        (place, found): (&Place, &Found),
        http: &Http,
    ) -> Result<Self, EnvironmentError> {
        server::check_target(place).await?;
        let tls = found.trust.as_ref().map(|trust| trust.tls(&place.host));
        let tls = tls.transpose().map_err(EnvironmentError::NoTls)?;
        if let Some(tls) = &tls {
            check_tls(place, tls).await?;
        }
        let password = plan.environment.users.password.as_deref();
        let password = secret::resolve(
            "environment.users.password",
            password.unwrap_or(NO_PASSWORD),
        )?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let http_base = format!("{scheme}://{}", place.host_and_port());
        let password = Secret::new(password);
        let accounts = Accounts::of(plan, &password)?;
        let dialect = spoken(plan)?;
        let account = accounts.name(0);
        let who = (account.as_str(), accounts.password(0));
        let asked = plan.load.session.credential != Credential::None;
        let login = match account::login_path(dialect.as_ref()).filter(|_| asked) {
            Some(path) => {
                server::check_login(http, (&http_base, path), dialect.as_ref(), who).await
            }
            None => Ok(()),
        };
        if let (Err(EnvironmentError::NoLogin { .. }), None) = (&login, &tls)
            && speaks_tls(place.address(), &place.host, CONNECT_PATIENCE).await
        {
            let address = place.host_and_port();
            return Err(EnvironmentError::SpeaksTls { address });
        }
        login?;
        let requests = found.trust.as_ref().map(|trust| requests(plan, trust));
        Ok(Self {
            tls,
            requests: requests.transpose()?,
            http_base,
            place: Some(place.clone()),
            addresses: vec![place.address()],
            password,
        })
    }

    pub(super) fn first(&self) -> SocketAddr {
        self.addresses[0]
    }

    fn metrics_urls(&self) -> Vec<String> {
        let direct = &self.http_base;
        let others = self.addresses.iter().skip(1);
        let others = others.map(|address| format!("http://{address}/metrics"));
        std::iter::once(format!("{direct}/metrics"))
            .chain(others)
            .collect()
    }

    /// The target as clients see it: through the edge proxies where there are some.
    ///
    /// # Errors
    ///
    /// A header names a variable that is not set.
    pub(super) fn info(
        &self,
        plan: &Plan,
        edge: &[ProxyLink],
    ) -> Result<TargetInfo, EnvironmentError> {
        let direct = &self.http_base;
        let (addresses, http_base): (Arc<[SocketAddr]>, String) = match edge.first() {
            Some(first) => (
                edge.iter().map(|proxy| proxy.listen).collect(),
                format!("http://{}", first.listen),
            ),
            None => (self.addresses.clone().into(), direct.clone()),
        };
        let host_header = match (&self.place, edge.first()) {
            (Some(place), None) => place.host_and_port(),
            (_, Some(first)) => first.listen.to_string(),
            (None, None) => self.first().to_string(),
        };
        Ok(TargetInfo {
            http_base,
            addresses,
            host_header,
            tls: self.tls.clone(),
            requests: self.requests.clone(),
            accounts: Accounts::of(plan, &self.password)?,
            payloads: payloads(plan)?.into(),
            readyz_url: format!("{direct}/readyz"),
            metrics_urls: self.metrics_urls(),
            dialect: spoken(plan)?.map(Arc::new),
        })
    }
}

/// The dialect with the secrets that its headers name.
pub(crate) fn spoken(plan: &Plan) -> Result<Option<Dialect>, EnvironmentError> {
    let Some(mut dialect) = plan.environment.dialect.as_deref().cloned() else {
        return Ok(None);
    };
    for value in dialect.headers.values_mut() {
        *value = secret::resolve("target.headers", value)?;
    }
    Ok(Some(dialect))
}

/// What clients ask over HTTP, with TLS.
fn requests(plan: &Plan, trust: &Trust) -> Result<Http, EnvironmentError> {
    let patience = Duration::from_micros(plan.load.session.connect_timeout_us);
    let builder = Http::builder().no_proxy().timeout(patience);
    trust.http(builder).build().map_err(EnvironmentError::Http)
}

/// # Errors
///
/// The target does not speak TLS, or with a certificate that is not believed.
async fn check_tls(place: &Place, tls: &Tls) -> Result<(), EnvironmentError> {
    let Err(error) = tls.handshake(place.address(), CONNECT_PATIENCE).await else {
        return Ok(());
    };
    let address = place.host_and_port();
    Err(match distrust(&error) {
        Some(reason) => EnvironmentError::Untrusted { address, reason },
        None => EnvironmentError::NotTls {
            address,
            reason: error.to_string(),
        },
    })
}
