//! This module reaches the target itself, before an edge proxy stands in front of it.
//!
//! **In:** a started server, or where one is to be attached. **Out:** [`DirectTarget`], and from it
//! [`TargetInfo`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client as Http;

use super::credential::CredentialCheck;
use super::{Accounts, Mapping, TargetError, TargetInfo, mapping, payloads};
use crate::account::{self, NotGranted};
use crate::environment::EnvironmentError;
use crate::environment::endpoint::{CONNECT_TIMEOUT, Endpoint};
use crate::environment::proxy::ProxyLink;
use crate::environment::secret::{self, Secret};
use crate::environment::settings::Settings;
use crate::plan::{Dialect, Link, Plan, READYZ};
use crate::route::{self, Requests, Tunnel};
use crate::trust::{Tls, Trust, speaks_tls, with_trust};

/// For one page of the target, asked by the run itself.
pub(crate) const WATCH_TIMEOUT: Duration = Duration::from_secs(2);
/// The password of a target that is not ours, where the plan names none.
const NO_PASSWORD: &str = "";

/// The target before an edge proxy stands in front of it.
pub(crate) struct DirectTarget {
    /// With what the target is spoken to, where that is TLS.
    pub tls: Option<Tls>,
    pub trust: Option<Trust>,
    pub http_base: String,
    pub place: Option<Endpoint>,
    /// One for every instance that was started; never empty.
    pub addresses: Vec<SocketAddr>,
    pub password: Secret,
    pub mapping: Mapping,
}

impl DirectTarget {
    /// A target of somebody else: it answers, and gives the first account what opens a socket.
    pub(crate) async fn attach(
        plan: &Plan,
        (place, trust): (&Endpoint, Option<&Trust>),
        settings: &Settings,
    ) -> Result<Self, EnvironmentError> {
        let tls = trust.map(|trust| trust.tls(&place.host));
        let tls = tls.transpose().map_err(TargetError::NoTls)?;
        if let Some(tls) = &tls {
            let shaken = tls.handshake(place.way(), CONNECT_TIMEOUT).await;
            shaken.map_err(|failure| TargetError::NotShaken {
                address: place.host_and_port(),
                failure,
            })?;
        }
        let password = plan.environment.users.password.as_deref();
        let password = secret::resolve(
            "environment.users.password",
            password.unwrap_or(NO_PASSWORD),
        )?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let reached = Self {
            tls,
            trust: trust.cloned(),
            http_base: format!("{scheme}://{}", place.host_and_port()),
            place: Some(place.clone()),
            addresses: vec![place.address()],
            password: Secret::new(password),
            mapping: mapping(plan)?,
        };
        reached.admit(plan, (place, settings)).await?;
        Ok(reached)
    }

    /// # Errors
    ///
    /// The first account gets nothing that opens a socket.
    async fn admit(
        &self,
        plan: &Plan,
        (place, settings): (&Endpoint, &Settings),
    ) -> Result<(), EnvironmentError> {
        // A kept connection may be closed as it is used again: that would be told as a failure.
        let http = self.requests(request_timeout(plan))?.fresh;
        let check = CredentialCheck {
            http: &http,
            base: &self.http_base,
            host_header: &self.host_header(),
            dialect: self.mapping.dialect.as_ref(),
            accounts: &Accounts::of(plan, &self.password)?,
            credential: plan.load.session.credential,
            say: settings.say,
        };
        let Err(problem) = check.check().await else {
            return Ok(());
        };
        // A web server that expects TLS says 400 to plain requests, or hangs up.
        let maybe_tls = match &problem {
            TargetError::NoCredential { .. } => true,
            TargetError::CredentialRefused(refused) => {
                matches!(refused.why, NotGranted::Refused { status: 400, .. })
            }
            _ => false,
        };
        if maybe_tls
            && self.tls.is_none()
            && speaks_tls(place.way(), &place.host, CONNECT_TIMEOUT).await
        {
            let address = place.host_and_port();
            return Err(TargetError::SpeaksTls { address }.into());
        }
        Err(problem.into())
    }

    /// The one `Host` of everything.
    pub(crate) fn host_header(&self) -> String {
        match (&self.mapping.host, &self.place) {
            (Some(named), _) => named.clone(),
            (None, Some(place)) => place.host_header(),
            (None, None) => self.first().to_string(),
        }
    }

    /// Requests over HTTP to the target, and to nobody else.
    fn requests(&self, timeout: Duration) -> Result<Requests, TargetError> {
        let (host_header, named) = (self.host_header(), self.named());
        let asked = Asked {
            dialect: self.mapping.dialect.as_ref(),
            host_header: &host_header,
            named: named.as_ref(),
            trust: self.trust.as_ref(),
            tunnel: self.tunnel().map(Arc::as_ref),
        };
        requests(&asked, timeout)
    }

    /// The way there through a proxy.
    fn tunnel(&self) -> Option<&Arc<Tunnel>> {
        self.place.as_ref()?.tunnel.as_ref()
    }

    fn named(&self) -> Option<(String, SocketAddr)> {
        let place = self.place.as_ref()?;
        Some((place.host.clone(), place.address()))
    }

    /// Requests that watch the target.
    pub(crate) fn watcher(&self) -> Result<Http, TargetError> {
        Ok(self.requests(WATCH_TIMEOUT)?.kept)
    }

    pub(crate) fn first(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it listens on this machine itself, and no proxy of somebody else's in its place.
    pub(crate) fn listens(&self, plan: &Plan) -> Vec<SocketAddr> {
        let is_behind = self.tunnel().is_some();
        if is_behind || plan.environment.links.contains_key(&Link::Edge) {
            return Vec::new();
        }
        let is_here = |address: &&SocketAddr| address.ip().to_canonical().is_loopback();
        self.addresses.iter().filter(is_here).copied().collect()
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
    /// A file of the plan cannot be read any more.
    pub(crate) fn info(&self, plan: &Plan, edge: &[ProxyLink]) -> Result<TargetInfo, TargetError> {
        let direct = &self.http_base;
        let (addresses, http_base): (Arc<[SocketAddr]>, String) = match edge.first() {
            Some(first) => (
                edge.iter().map(|proxy| proxy.listen).collect(),
                format!("http://{}", first.listen),
            ),
            None => (self.addresses.clone().into(), direct.clone()),
        };
        Ok(TargetInfo {
            http_base,
            addresses,
            host_header: self.host_header(),
            named: self.named(),
            tunnel: self.tunnel().cloned(),
            tls: self.tls.clone(),
            requests: self.requests(request_timeout(plan))?,
            accounts: Accounts::of(plan, &self.password)?,
            payloads: payloads(plan)?.into(),
            readyz_url: {
                let dialect = self.mapping.dialect.as_ref();
                let health = dialect.and_then(|dialect| dialect.health.as_deref());
                format!("{direct}{}", health.unwrap_or(READYZ))
            },
            metrics_urls: self.metrics_urls(),
            dialect: self.mapping.dialect.clone().map(Arc::new),
        })
    }
}

/// What requests over HTTP say and whom they believe.
pub(super) struct Asked<'a> {
    pub dialect: Option<&'a Dialect>,
    pub host_header: &'a str,
    pub named: Option<&'a (String, SocketAddr)>,
    pub trust: Option<&'a Trust>,
    /// There is a `named` too.
    pub tunnel: Option<&'a Tunnel>,
}

/// Requests over HTTP to a target, and to nobody else.
pub(super) fn requests(asked: &Asked<'_>, timeout: Duration) -> Result<Requests, TargetError> {
    let builder = || {
        let headers = account::headers(asked.dialect, Some(asked.host_header));
        let builder = route::http().timeout(timeout).default_headers(headers);
        let builder = match (asked.named, asked.tunnel) {
            (Some((_, address)), Some(tunnel)) => tunnel.carry(builder, *address)?,
            (Some((host, address)), None) => builder.resolve(host, *address),
            (None, _) => builder,
        };
        Ok(with_trust(builder, asked.trust))
    };
    Requests::build(builder).map_err(TargetError::Http)
}

/// How long one request of a client may take.
pub(super) fn request_timeout(plan: &Plan) -> Duration {
    Duration::from_micros(plan.load.session.connect_timeout_us)
}
