//! This module is how an experiment gets a socket: what opens it, the connect, and what comes of it.
//!
//! **In:** one of the crew and a [`Door`]. **Out:** [`Entry`]s and [`Talk`]s, each within a bound.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::timeout;

use super::crew::Crew;
use super::door::{Door, Entry};
use super::{Missed, PATIENCE};
use crate::client::connector::{ConnectError, Destination, Dialled, Opened, dial, open};
use crate::client::dialect;
use crate::client::talk::{Heard, Talk};
use crate::client::wire::ServerFrame;
use crate::plan::Credential;
use crate::units;

/// Where a server says nothing to who is let in, it is let in who is not thrown out within this.
const SETTLING: Duration = Duration::from_secs(2);
/// As much of a token as a journal shows.
const TOKEN_CHARS_SHOWN: usize = 4;

impl Crew {
    pub(super) fn has_tokens(&self) -> bool {
        self.scene.credential == Credential::ConnectionToken
    }

    /// What opens a socket of this server for one of the crew.
    pub(super) async fn key(&mut self, who: usize, path: &str) -> Result<Door, Missed> {
        let secret = match self.scene.credential {
            Credential::ConnectionToken => self.token(who).await?.secret,
            Credential::None => String::new(),
            _ => self.access(who).await?,
        };
        Ok(self.made_up(who, path, &secret))
    }

    /// The same with a secret of one's own.
    pub(super) fn made_up(&self, who: usize, path: &str, secret: &str) -> Door {
        Door {
            credential: self.scene.credential,
            ..Door::with_token(who, path, secret)
        }
    }

    fn destination<'a>(&'a self, door: &'a Door) -> Destination<'a> {
        let target = &self.scene.ground.target;
        let addresses = &target.addresses;
        let account = self.first_user as usize + door.who;
        let origin = self.dialect().and_then(|d| d.socket.origin.as_deref());
        Destination {
            address: addresses[account % addresses.len()],
            tls: target.tls.as_ref(),
            host_header: &target.host_header,
            path: &door.path,
            origin: door.origin.or(origin),
            dialect: self.dialect(),
            credential: door.credential,
            secret: &door.secret,
            source: None,
            receive_buffer_bytes: door.receive_buffer_bytes,
        }
    }

    /// A connection on which nothing is asked yet.
    pub(super) async fn dial(&self, door: &Door) -> Result<Dialled, Missed> {
        let dialled = timeout(PATIENCE, dial(&self.destination(door))).await;
        match dialled {
            Ok(Ok(dialled)) => Ok(dialled),
            Ok(Err(_)) | Err(_) => Err(Missed("no connection")),
        }
    }

    /// Asks to be let in on such a connection.
    pub(super) async fn enter_on(
        &self,
        line: Dialled,
        door: &Door,
        name: &str,
        patience: Duration,
    ) -> Entry {
        let destination = self.destination(door);
        let upgrade = timeout(patience, line.upgrade(&destination)).await;
        self.entered(upgrade.ok(), (door, name), patience).await
    }

    /// Asks to be let in and hangs up after that long; `true`: the answer was there by then.
    pub(super) async fn ask_and_hang_up(
        &mut self,
        door: &Door,
        wait: Duration,
    ) -> Result<bool, Missed> {
        let line = self.dial(door).await?;
        self.note(&format!(
            "a socket asks to be let in to {} and hangs up after {wait:?}",
            door.path
        ));
        let destination = self.destination(door);
        // A timer is too coarse for what takes less than a millisecond.
        let over = async {
            let over_us = self.clock().now_us() + units::us(wait);
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
    pub(super) async fn enter(&mut self, door: &Door, patience: Duration) -> Entry {
        self.sockets += 1;
        let name = format!("socket {}", self.sockets);
        let opened = timeout(patience, open(self.destination(door))).await;
        let entry = self.entered(opened.ok(), (door, &name), patience).await;
        if entry.is_refusal() && door.credential != Credential::ConnectionToken {
            self.forget_access(door.who);
        }
        entry
    }

    async fn entered(
        &self,
        opened: Option<Result<Opened, ConnectError>>,
        (door, name): (&Door, &str),
        patience: Duration,
    ) -> Entry {
        let token: String = door.secret.chars().take(TOKEN_CHARS_SHOWN).collect();
        self.note(&format!("{name} connects to {} with {token}…", door.path));
        let entry = match opened {
            None => Entry::Silent,
            Some(Err(ConnectError::Status { status, .. })) => Entry::Status(status),
            Some(Err(ConnectError::Broken(_))) => Entry::Cut,
            Some(Err(_)) => Entry::Unreachable,
            Some(Ok(opened)) => {
                let dialect = self.scene.ground.target.dialect.clone();
                let at_once = dialect::is_ready_at_once(dialect.as_deref());
                let talk = Talk::new(opened.socket).speaking(dialect);
                let mut talk = talk.noted(&self.journal, name);
                let connected = |frame: &ServerFrame<'_>| matches!(frame, ServerFrame::Connected);
                let patience = if at_once { SETTLING } else { patience };
                match talk.hear(patience, connected).await {
                    Heard::Frame(_) => return Entry::In(Box::new(talk)),
                    // On a disturbed network the close frame may be on its way.
                    Heard::Nothing if at_once && !self.is_disturbed() => {
                        return Entry::In(Box::new(talk));
                    }
                    Heard::Closed(code) => Entry::Out(code),
                    Heard::Cut => Entry::Cut,
                    Heard::Violated(failure) => Entry::Broke(failure),
                    Heard::Nothing => Entry::Silent,
                }
            }
        };
        self.note(&format!("{name} is {}", entry.word()));
        entry
    }

    /// A socket of a client with a good token.
    pub(super) async fn join(&mut self, who: usize, path: &str) -> Result<Box<Talk>, Missed> {
        let door = self.key(who, path).await?;
        self.join_with(&door).await
    }

    /// The same with whatever opens it.
    pub(super) async fn join_with(&mut self, door: &Door) -> Result<Box<Talk>, Missed> {
        match self.enter(door, PATIENCE).await {
            Entry::In(talk) => Ok(talk),
            _ => Err(Missed("not let in")),
        }
    }
}
