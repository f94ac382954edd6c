//! This module says where the target is, to those who drive and watch it.
//!
//! **In:** a started server, or where one is to be attached. **Out:** [`TargetInfo`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client as Http;

use super::accounts::{Accounts, payloads};
use super::admission::Admission;
use super::error::EnvironmentError;
use super::host::{CONNECT_PATIENCE, Place};
use super::preflight::Found;
use super::proxy::ProxyLink;
use super::secret::{self, Secret};
use super::{HTTP_PATIENCE, Settings};
use crate::account::{self, NotGranted};
use crate::plan::{Dialect, Plan};
use crate::route::{self, Requests};
use crate::scenario::header;
use crate::trust::{Tls, Trust, speaks_tls, with_trust};

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
    /// The one `Host` of everything that is asked: that of the `[target]`'s headers, or else the target's own,
    /// `127.0.0.1:41234`, whatever proxy stands in front of it.
    pub host_header: String,
    /// How connections speak TLS; `None`: they are plain.
    pub tls: Option<Tls>,
    /// Requests over HTTP that go where the sockets go, believe whom they believe, and carry the headers of
    /// the `[target]`.
    pub requests: Requests,
    pub accounts: Accounts,
    /// What clients write; empty: filler.
    pub payloads: Arc<[String]>,
    /// How it is spoken to, its secrets in place and `Host` taken out; `None`: by the contract.
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
    pub trust: Option<Trust>,
    pub http_base: String,
    pub place: Option<Place>,
    /// One for every instance that was started; never empty.
    pub addresses: Vec<SocketAddr>,
    pub password: Secret,
    pub spoken: Spoken,
}

/// How a plan has its target spoken to.
pub(crate) struct Spoken {
    /// With the secrets that its headers name, and without a `Host` among them.
    pub dialect: Option<Dialect>,
    /// The `Host` that stood there.
    pub host: Option<String>,
}

impl Reached {
    /// A target of somebody else: it answers, and gives the first account what opens a socket.
    pub(super) async fn attach(
        plan: &Plan,
        (place, found): (&Place, &Found),
        settings: &Settings,
    ) -> Result<Self, EnvironmentError> {
        let tls = found.trust.as_ref().map(|trust| trust.tls(&place.host));
        let tls = tls.transpose().map_err(EnvironmentError::NoTls)?;
        if let Some(tls) = &tls {
            let shaken = tls.handshake(place.address(), CONNECT_PATIENCE).await;
            shaken.map_err(|failure| EnvironmentError::NotShaken {
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
            trust: found.trust.clone(),
            http_base: format!("{scheme}://{}", place.host_and_port()),
            place: Some(place.clone()),
            addresses: vec![place.address()],
            password: Secret::new(password),
            spoken: spoken(plan)?,
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
        (place, settings): (&Place, &Settings),
    ) -> Result<(), EnvironmentError> {
        // A kept connection may be closed as it is used again: that would be told as a failure.
        let http = self.requests(patience(plan))?.fresh;
        let admission = Admission {
            http: &http,
            base: &self.http_base,
            dialect: self.spoken.dialect.as_ref(),
            accounts: &Accounts::of(plan, &self.password)?,
            credential: plan.load.session.credential,
            say: settings.say,
        };
        let Err(problem) = admission.check().await else {
            return Ok(());
        };
        // A web server that expects TLS says 400 to plain requests, or hangs up.
        let maybe_tls = match &problem {
            EnvironmentError::NoAdmission { .. } => true,
            EnvironmentError::NotAdmitted(not) => {
                matches!(not.why, NotGranted::Refused { status: 400, .. })
            }
            _ => false,
        };
        if maybe_tls
            && self.tls.is_none()
            && speaks_tls(place.address(), &place.host, CONNECT_PATIENCE).await
        {
            let address = place.host_and_port();
            return Err(EnvironmentError::SpeaksTls { address });
        }
        Err(problem)
    }

    /// The one `Host` of everything.
    pub(super) fn host_header(&self) -> String {
        match (&self.spoken.host, &self.place) {
            (Some(named), _) => named.clone(),
            (None, Some(place)) => place.host_header(),
            (None, None) => self.first().to_string(),
        }
    }

    /// Requests over HTTP to the target, and to nobody else.
    fn requests(&self, patience: Duration) -> Result<Requests, EnvironmentError> {
        let host = self.host_header();
        let builder = || {
            let headers = account::headers(self.spoken.dialect.as_ref(), Some(&host));
            let builder = route::http().timeout(patience).default_headers(headers);
            let builder = match &self.place {
                Some(place) => builder.resolve(&place.host, place.address()),
                None => builder,
            };
            with_trust(builder, self.trust.as_ref())
        };
        Requests::build(builder).map_err(EnvironmentError::Http)
    }

    /// Requests that watch the target.
    pub(super) fn watcher(&self) -> Result<Http, EnvironmentError> {
        Ok(self.requests(HTTP_PATIENCE)?.kept)
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
    /// A file of the plan cannot be read any more.
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
        Ok(TargetInfo {
            http_base,
            addresses,
            host_header: self.host_header(),
            tls: self.tls.clone(),
            requests: self.requests(patience(plan))?,
            accounts: Accounts::of(plan, &self.password)?,
            payloads: payloads(plan)?.into(),
            readyz_url: format!("{direct}/readyz"),
            metrics_urls: self.metrics_urls(),
            dialect: self.spoken.dialect.clone().map(Arc::new),
        })
    }
}

/// How long one request of a client may take.
fn patience(plan: &Plan) -> Duration {
    Duration::from_micros(plan.load.session.connect_timeout_us)
}

/// How the plan has its target spoken to.
///
/// # Errors
///
/// A header names a variable that is not set, or that holds what no header may.
pub(crate) fn spoken(plan: &Plan) -> Result<Spoken, EnvironmentError> {
    const PLACE: &str = "target.headers";
    let Some(mut dialect) = plan.environment.dialect.as_deref().cloned() else {
        return Ok(Spoken {
            dialect: None,
            host: None,
        });
    };
    for (name, value) in &mut dialect.headers {
        *value = secret::resolve(PLACE, value)?;
        // The value may be a secret: it is not shown.
        if let Some(what) = header::fault(value) {
            return Err(EnvironmentError::Header {
                place: PLACE,
                header: name.clone(),
                what,
            });
        }
    }
    let mut names = dialect.headers.keys();
    let name = names
        .find(|name| name.eq_ignore_ascii_case("host"))
        .cloned();
    let host = name.and_then(|name| dialect.headers.remove(&name));
    Ok(Spoken {
        dialect: Some(dialect),
        host,
    })
}
