//! This module hands what clients need to know of the target to another process of the run.
//!
//! **In:** a [`TargetInfo`]. **Out:** a [`TargetHandover`], and from it the same in that process: nothing is looked up or
//! asked again. What holds secrets goes through a socket of
//! the run and nowhere else; without them it may lie in a folder.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::direct::{Asked, request_timeout, requests};
use super::{Accounts, Listed, TargetError, TargetInfo, mapping, trust, via};
use crate::account::Cells;
use crate::environment::EnvironmentError;
use crate::environment::secret::{self, Secret};
use crate::plan::{Dialect, Plan};
use crate::route::Tunnel;

/// A target on its way to another process. Not to be printed: it has no `Debug`.
#[derive(Serialize, Deserialize)]
pub(crate) struct TargetHandover {
    http_base: String,
    addresses: Vec<SocketAddr>,
    host_header: String,
    named: Option<(String, SocketAddr)>,
    tunnel: Passage,
    is_tls: bool,
    accounts: Clear,
    payloads: Vec<String>,
    dialect: Spoken,
    readyz_url: String,
    metrics_urls: Vec<String>,
}

/// How the target is spoken to.
#[derive(Serialize, Deserialize)]
enum Spoken {
    /// With the secrets in its headers; `None`: by the contract.
    Told(Option<Box<Dialect>>),
    /// As the plan has it: the other process finds the secrets itself.
    Untold,
}

/// The way through a proxy.
#[derive(Serialize, Deserialize)]
enum Passage {
    /// With its credentials.
    Told(Option<Tunnel>),
    /// As the plan has it: the other process finds the secrets itself.
    Untold(Tunnel),
}

/// Accounts with their passwords.
#[derive(Serialize, Deserialize)]
enum Clear {
    Numbered {
        prefix: String,
        password: String,
    },
    /// Names, passwords and what each has for the places of templates, whose names are the plan's columns.
    Listed(Vec<(String, String, Vec<String>)>),
    /// They stay where they are: the other process finds them itself, by the plan.
    Untold,
}

impl TargetHandover {
    /// With the passwords of the accounts or without; with the mapping, in whose headers secrets may be, or without.
    pub(crate) fn of(info: &TargetInfo, with_accounts: bool, with_mapping: bool) -> Self {
        let clear = |secret: &Secret| secret.expose().to_owned();
        Self {
            http_base: info.http_base.clone(),
            addresses: info.addresses.to_vec(),
            host_header: info.host_header.clone(),
            named: info.named.clone(),
            tunnel: match info.tunnel.as_deref() {
                Some(tunnel) if !with_mapping => Passage::Untold(tunnel.bare()),
                tunnel => Passage::Told(tunnel.cloned()),
            },
            is_tls: info.tls.is_some(),
            accounts: match &info.accounts {
                _ if !with_accounts => Clear::Untold,
                Accounts::Numbered { prefix, password } => Clear::Numbered {
                    prefix: prefix.clone(),
                    password: clear(password),
                },
                Accounts::Listed(listed) => {
                    let who = listed.who.iter().enumerate();
                    let one = |(nth, (name, own)): (usize, &(String, Secret))| {
                        let cells = listed.cells.get(nth).into_iter();
                        let cells = cells.flat_map(Cells::values).map(str::to_owned);
                        (name.clone(), clear(own), cells.collect())
                    };
                    Clear::Listed(who.map(one).collect())
                }
            },
            payloads: info.payloads.to_vec(),
            dialect: if with_mapping {
                Spoken::Told(info.dialect.as_deref().cloned().map(Box::new))
            } else {
                Spoken::Untold
            },
            readyz_url: info.readyz_url.clone(),
            metrics_urls: info.metrics_urls.clone(),
        }
    }

    /// The target in this process; `plan` is that of the run.
    ///
    /// # Errors
    ///
    /// The authorities that the plan names cannot be read here, or a secret is not to be found, or no client can be made.
    pub(crate) fn open(self, plan: &Plan) -> Result<TargetInfo, EnvironmentError> {
        let dialect = match self.dialect {
            Spoken::Told(told) => told.map(|dialect| *dialect),
            Spoken::Untold => mapping(plan)?.dialect,
        };
        let believed = self.is_tls.then(|| trust(&plan.environment.tls));
        let believed = believed.transpose()?;
        let host = self.named.as_ref().map_or("", |(host, _)| host);
        let tls = believed.as_ref().map(|believed| believed.tls(host));
        let tunnel = match self.tunnel {
            Passage::Told(told) => told,
            Passage::Untold(bare) => {
                via(plan.environment.via.as_deref())?.map(|via| bare.through(via))
            }
        };
        let asked = Asked {
            dialect: dialect.as_ref(),
            host_header: &self.host_header,
            named: self.named.as_ref(),
            trust: believed.as_ref(),
            tunnel: tunnel.as_ref(),
        };
        Ok(TargetInfo {
            requests: requests(&asked, request_timeout(plan))?,
            tls: tls.transpose().map_err(TargetError::NoTls)?,
            accounts: match self.accounts {
                Clear::Untold => Accounts::of(plan, &password(plan)?)?,
                Clear::Numbered { prefix, password } => Accounts::Numbered {
                    prefix,
                    password: Secret::new(password),
                },
                Clear::Listed(all) => {
                    let names: Arc<[String]> = plan.environment.users.columns.as_slice().into();
                    let mut listed = Listed::default();
                    for (name, own, cells) in all {
                        listed.who.push((name, Secret::new(own)));
                        if !cells.is_empty() {
                            let cells = cells.into_iter().map(String::into_boxed_str);
                            listed.cells.push(Cells::new(&names, cells.collect()));
                        }
                    }
                    Accounts::Listed(Arc::new(listed))
                }
            },
            http_base: self.http_base,
            addresses: self.addresses.into(),
            host_header: self.host_header,
            named: self.named,
            tunnel: tunnel.map(Arc::new),
            payloads: self.payloads.into(),
            dialect: dialect.map(Arc::new),
            readyz_url: self.readyz_url,
            metrics_urls: self.metrics_urls,
        })
    }
}

/// The password that the plan names, for all whose own is not known.
fn password(plan: &Plan) -> Result<Secret, EnvironmentError> {
    let named = plan.environment.users.password.as_deref();
    let text = named.map(|text| secret::resolve("environment.users.password", text));
    Ok(Secret::new(text.transpose()?.unwrap_or_default()))
}
