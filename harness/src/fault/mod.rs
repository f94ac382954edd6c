//! This module makes things go wrong, on time, and sees to it that they are right again.
//!
//! **In:** the plan's faults and the means to cause them
//! ([`FaultAccess`](crate::environment::FaultAccess)). **Out:** the stamps of every fault, and a
//! [`FaultEvent`] for each as it happens.
//!
//! Every fault is injected, confirmed by a probe through the faulted path, healed and confirmed
//! healed; it is healed on every way out, cancellation included. What a kind does is said where it is declared
//! (`scenario/fault/kind`); here is one implementation of [`Fault`] for each [`Mechanism`](crate::plan::Mechanism).
//!
//! **Units:** microseconds since load start.
//!
//! **Source:** the steps are those of Chaos Toolkit experiments, with a probe for each of them.

mod down;
mod driver;
mod event;
mod flush;
mod lifecycle;
mod process;
mod readiness;
mod reset_now;
#[cfg(test)]
mod tests;
mod toxic;

use std::time::Duration;

use fault_proxy::client::{Client, ClientError};
use tokio::task::JoinSet;

use crate::environment::{Answer, EnvironmentError, ProxyLink, api_client};

pub(crate) use driver::drive;
pub(crate) use event::{FaultEvent, FaultMoment};

/// Why a fault could not be caused or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FaultError {
    #[error(transparent)]
    Proxy(#[from] ClientError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("this environment has no proxy on the link {link}")]
    NoProxy { link: &'static str },
    #[error("it names no link")]
    NoLink,
    #[error("it names no process")]
    NoProcess,
    #[error("this environment has no Redis of its own")]
    NoRedis,
    #[error("this environment has no server of its own")]
    NoServer,
    #[error("the task of one link failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// One fault that can be in force. `Err` of a probe is what it saw instead, in one clause.
pub(super) trait Fault {
    /// Gets everything ready, so that [`Fault::inject`] is one quick call.
    async fn prepare(&self) -> Result<(), FaultError>;
    /// Returns once the fault was acknowledged.
    async fn inject(&self) -> Result<(), FaultError>;
    /// A probe through the faulted path meets the fault.
    async fn is_met(&self) -> Result<(), String>;
    /// Ends the fault; harmless where it is not in force, so that it can be repeated.
    async fn heal(&self) -> Result<(), FaultError>;
    /// A probe through the path finds it working again.
    async fn is_well(&self) -> Result<(), String>;
}

/// What becomes of an act whose task was lost.
pub(super) trait FromLost {
    fn from_lost(error: tokio::task::JoinError) -> Self;
}

impl FromLost for FaultError {
    fn from_lost(error: tokio::task::JoinError) -> Self {
        Self::Task(error)
    }
}

impl FromLost for String {
    fn from_lost(error: tokio::task::JoinError) -> Self {
        error.to_string()
    }
}

/// The links one fault acts on, and the clients of their proxies.
#[derive(Clone, Debug)]
pub(super) struct Links(Vec<(ProxyLink, Client)>);

impl Links {
    /// Several links may run through one proxy: it is named once.
    pub(super) fn new(mut links: Vec<ProxyLink>) -> Result<Self, FaultError> {
        let place = |link: &ProxyLink| (link.api.clone(), link.name.clone());
        links.sort_by_key(place);
        links.dedup_by_key(|link| place(link));
        let with_client = |link: ProxyLink| Ok((link.clone(), api_client(&link.api)?));
        links
            .into_iter()
            .map(with_client)
            .collect::<Result<_, FaultError>>()
            .map(Self)
    }

    /// Does the same to every link, at the same time; the first error is reported, the rest is
    /// done all the same.
    pub(super) async fn each<Done, Problem>(
        &self,
        act: impl Fn(ProxyLink, Client) -> Done,
    ) -> Result<(), Problem>
    where
        Done: Future<Output = Result<(), Problem>> + Send + 'static,
        Problem: Send + FromLost + 'static,
    {
        let mut acts = JoinSet::new();
        for (link, client) in &self.0 {
            acts.spawn(act(link.clone(), client.clone()));
        }
        let mut first = Ok(());
        while let Some(done) = acts.join_next().await {
            let done = done.map_err(Problem::from_lost).and_then(|done| done);
            first = first.and(done);
        }
        first
    }

    /// The proxies are there; opens the connections that the next calls use.
    pub(super) async fn look(&self) -> Result<(), FaultError> {
        self.each(|link, client| async move { Ok(client.proxy(&link.name).await.map(|_| ())?) })
            .await
    }

    /// Asks through every link at the same time; `judge` says what is wrong with an answer.
    pub(super) async fn ask(
        &self,
        patience: Duration,
        judge: impl Fn(&Answer) -> bool,
    ) -> Result<(), String> {
        let mut asking = JoinSet::new();
        for (link, _) in self.0.clone() {
            asking.spawn(async move { (link.name, link.probe.ask(patience).await) });
        }
        let mut first = Ok(());
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((_, answer)) if judge(&answer) => {}
                Ok((name, answer)) => first = Err(format!("{name}: {}", answer.describe())),
                Err(error) => first = Err(error.to_string()),
            }
        }
        first
    }
}
