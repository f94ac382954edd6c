//! This module is how an experiment gets a socket: what opens it, the connect, and what comes of it.
//!
//! **In:** one of its accounts and a [`ConnectRequest`]. **Out:** [`ConnectOutcome`]s and [`Talk`]s, each within a bound.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::client::TestClient;
use super::experiment::{ANSWER_TIMEOUT, Inconclusive};
use super::request::{ConnectOutcome, ConnectRequest};
use crate::client::connector::{ConnectError, Destination, Dialled, Opened, dial, open};
use crate::client::talk::{Entry, Heard, Talk};
use crate::failure::{Failure, FailureKind, StepProblem};
use crate::plan::{Credential, asks_token};
use crate::units;

/// As much of a token as a journal shows.
const TOKEN_CHARS_SHOWN: usize = 4;
/// A timer may be this late.
const TIMER_GRAIN: Duration = Duration::from_millis(2);

impl TestClient {
    pub(super) fn has_tokens(&self) -> bool {
        self.context.credential == Credential::ConnectionToken
    }

    /// What opens a socket of this server for one of its accounts.
    pub(super) async fn key(
        &mut self,
        who: usize,
        path: &str,
    ) -> Result<ConnectRequest, Inconclusive> {
        let credential = self.context.credential;
        let secret = if asks_token(self.dialect(), credential) {
            self.token(who).await?.secret
        } else if credential == Credential::None {
            String::new()
        } else {
            self.access(who).await?
        };
        Ok(ConnectRequest {
            cookies: self.cookies(who),
            ..self.made_up(who, path, &secret)
        })
    }

    /// The same with a secret of one's own.
    pub(super) fn made_up(&self, who: usize, path: &str, secret: &str) -> ConnectRequest {
        ConnectRequest {
            credential: self.context.credential,
            ..ConnectRequest::with_token(who, path, secret)
        }
    }

    fn destination<'a>(&'a self, request: &'a ConnectRequest) -> Destination<'a> {
        let target = &self.context.inputs.target;
        let addresses = &target.addresses;
        let account = self.first_user as usize + request.who;
        let origin = self.dialect().and_then(|d| d.socket.origin.as_deref());
        Destination {
            address: addresses[account % addresses.len()],
            tunnel: target.tunnel.as_deref(),
            tls: target.tls.as_ref(),
            host_header: &target.host_header,
            path: &request.path,
            origin: request.origin.or(origin),
            dialect: self.dialect(),
            credential: request.credential,
            secret: &request.secret,
            cookies: &request.cookies,
            source: None,
            receive_buffer_bytes: request.receive_buffer_bytes,
        }
    }

    /// A connection on which nothing is asked yet.
    pub(super) async fn dial(&self, request: &ConnectRequest) -> Result<Dialled, Inconclusive> {
        let dialled = timeout(ANSWER_TIMEOUT, dial(&self.destination(request))).await;
        match dialled {
            Ok(Ok(dialled)) => Ok(dialled),
            Ok(Err(_)) | Err(_) => Err(Inconclusive("no connection")),
        }
    }

    /// Asks to be let in on such a connection.
    pub(super) async fn enter_on(
        &self,
        line: Dialled,
        request: &ConnectRequest,
        name: &str,
        patience: Duration,
    ) -> ConnectOutcome {
        let destination = self.destination(request);
        let upgrade = timeout(patience, line.upgrade(&destination)).await;
        self.entered(upgrade.ok(), (request, name), patience).await
    }

    /// Asks to be let in and hangs up after that long; `true`: the answer was there by then.
    pub(super) async fn ask_and_hang_up(
        &mut self,
        request: &ConnectRequest,
        wait: Duration,
    ) -> Result<bool, Inconclusive> {
        let line = self.dial(request).await?;
        self.note(&format!(
            "a socket asks to be let in to {} and hangs up after {wait:?}",
            request.path
        ));
        let destination = self.destination(request);
        // A timer is too coarse for the last milliseconds.
        let over = async {
            let over_us = self.clock().now_us() + units::us(wait);
            if wait > TIMER_GRAIN {
                sleep(wait.saturating_sub(TIMER_GRAIN)).await;
            }
            while self.clock().now_us() < over_us {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = line.upgrade(&destination) => Ok(true),
            () = over => Ok(false),
        }
    }

    /// Connects and waits until the server says yes or no.
    pub(super) async fn enter(
        &mut self,
        request: &ConnectRequest,
        patience: Duration,
    ) -> ConnectOutcome {
        self.sockets += 1;
        let name = format!("socket {}", self.sockets);
        let opened = timeout(patience, open(self.destination(request))).await;
        let entry = self.entered(opened.ok(), (request, &name), patience).await;
        if entry.is_refusal() && request.credential != Credential::ConnectionToken {
            self.forget_access(request.who);
        }
        entry
    }

    async fn entered(
        &self,
        opened: Option<Result<Opened, ConnectError>>,
        (request, name): (&ConnectRequest, &str),
        patience: Duration,
    ) -> ConnectOutcome {
        let token: String = request.secret.chars().take(TOKEN_CHARS_SHOWN).collect();
        self.note(&format!(
            "{name} connects to {} with {token}…",
            request.path
        ));
        let entry = match opened {
            None => ConnectOutcome::Silent,
            Some(Err(ConnectError::Status { status, .. })) => ConnectOutcome::Status(status),
            Some(Err(ConnectError::Broken(_))) => ConnectOutcome::Cut,
            Some(Err(_)) => ConnectOutcome::Unreachable,
            Some(Ok(opened)) => {
                let dialect = self.context.inputs.target.dialect.clone();
                let speaker = self.speaker(request.who, &request.secret);
                let talk = Talk::new(opened.socket).speaking(dialect, speaker);
                let mut talk = talk.noted(&self.journal, name);
                match talk.enter(patience).await {
                    Entry::In => return ConnectOutcome::In(Box::new(talk)),
                    // On a disturbed network the close frame may be on its way.
                    Entry::Settled if !self.is_disturbed() => {
                        return ConnectOutcome::In(Box::new(talk));
                    }
                    Entry::Unopened(failure) => unopened(failure),
                    Entry::Not(Heard::Closed(code)) => ConnectOutcome::Out(code),
                    Entry::Not(Heard::Violated(failure)) => ConnectOutcome::Broke(failure),
                    Entry::Not(Heard::Cut) => ConnectOutcome::Cut,
                    Entry::Settled | Entry::Not(Heard::Nothing | Heard::Frame(_)) => {
                        ConnectOutcome::Silent
                    }
                }
            }
        };
        self.note(&format!("{name} is {}", entry.word()));
        entry
    }

    /// A socket of a client with a good token.
    pub(super) async fn join(&mut self, who: usize, path: &str) -> Result<Box<Talk>, Inconclusive> {
        let request = self.key(who, path).await?;
        self.join_with(&request).await
    }

    /// The same with whatever opens it.
    pub(super) async fn join_with(
        &mut self,
        request: &ConnectRequest,
    ) -> Result<Box<Talk>, Inconclusive> {
        match self.enter(request, ANSWER_TIMEOUT).await {
            ConnectOutcome::In(talk) => Ok(talk),
            _ => Err(Inconclusive("not let in")),
        }
    }
}

/// What it is that a step of the opening did not go on.
fn unopened(failure: Failure) -> ConnectOutcome {
    match failure.kind {
        FailureKind::Step {
            problem: StepProblem::Unanswered,
            ..
        } => ConnectOutcome::Silent,
        FailureKind::Step {
            problem: StepProblem::Refused,
            ..
        } => ConnectOutcome::Denied(failure),
        _ => ConnectOutcome::Broke(failure),
    }
}
