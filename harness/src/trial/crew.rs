//! This module is what an experiment can do: log in, fetch a token, open a socket, speak on it.
//!
//! **In:** the accounts of one worker. **Out:** answers, [`Entry`]s and [`Talk`]s, each within a bound; and
//! the journal of the experiment.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use reqwest::Client as Http;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::door::{Access, Door, Entry, Token};
use super::{Ground, Missed, PATIENCE};
use crate::account::{LOGIN_PATH, TOKEN_PATH};
use crate::client::connector::{ConnectError, Destination, Dialled, Opened, dial, open};
use crate::client::http::{Answer, ask};
use crate::client::journal::{Journal, Line};
use crate::client::talk::{Heard, Talk};
use crate::client::wire::ServerFrame;
use crate::clock::{RunClock, wall_ns};
use crate::plan::{CREW_SIZE, Link, Plan, PlannedFault};
use crate::record::trial::{Showing, ShowingLine};
use crate::units;

/// As much of a token as a journal shows.
const TOKEN_CHARS_SHOWN: usize = 4;

/// What all workers of a run share.
pub(super) struct Scene {
    pub ground: Ground,
    http: Http,
    /// Places in the plan of the faults between clients and server, and of the server itself.
    on_edge: Vec<usize>,
    /// Conditions are on no board: from when each is in force, and whether it is between the two.
    conditions: Vec<(u64, bool)>,
}

impl Scene {
    pub(super) fn new(plan: &Plan, ground: Ground) -> Self {
        let between = |fault: &PlannedFault| {
            fault.kind.link() == Some(Link::Edge) || fault.kind.is_of_server()
        };
        let faults = plan.faults.iter().enumerate();
        let on_edge = faults.filter(|(_, fault)| between(fault));
        let on_edge = on_edge.map(|(place, _)| place).collect();
        let conditions = plan.faults.iter().filter(|fault| fault.condition);
        let conditions = conditions
            .map(|fault| (fault.at_us, between(fault)))
            .collect();
        let requests = ground.target.requests.clone();
        let plain = || Http::builder().no_proxy().build().unwrap_or_default();
        Self {
            http: requests.unwrap_or_else(plain),
            ground,
            on_edge,
            conditions,
        }
    }
}

/// The accounts of one worker, a people chat full of them.
pub(super) struct Crew {
    scene: Arc<Scene>,
    /// Accounts are the numbers after this.
    first_user: u32,
    /// Names its conversations and messages.
    tag: String,
    access: Vec<Option<String>>,
    journal: Journal,
    begun_us: u64,
    /// Conversations and sockets so far.
    named: u64,
    sockets: u64,
}

impl Crew {
    pub(super) fn new(scene: Arc<Scene>, first_user: u32, tag: String) -> Self {
        Self {
            scene,
            first_user,
            tag,
            access: vec![None; CREW_SIZE as usize],
            journal: Journal::default(),
            begun_us: 0,
            named: 0,
            sockets: 0,
        }
    }

    pub(super) fn ground(&self) -> &Ground {
        &self.scene.ground
    }

    pub(super) fn clock(&self) -> RunClock {
        self.scene.ground.clock
    }

    /// A new experiment: its journal is empty.
    pub(super) fn begin(&mut self) {
        self.journal.take();
        self.begun_us = self.clock().now_us();
        self.sockets = 0;
    }

    /// The experiment from its beginning to now.
    pub(super) fn showing(&mut self, what: String) -> Showing {
        let clock = self.clock();
        let line = |line: Line| ShowingLine {
            at_us: clock.at_us(line.at_ns),
            text: line.text,
        };
        Showing {
            at_us: clock.now_us(),
            account: self.account(0),
            what,
            lines: self.journal.take().into_iter().map(line).collect(),
        }
    }

    pub(super) fn note(&self, text: &str) {
        self.journal.note(text);
    }

    /// A fault of the run between clients and server was in force since the experiment began, so that what
    /// the network does says nothing of the server.
    pub(super) fn is_disturbed(&self) -> bool {
        let (board, now_us) = (&self.scene.ground.board, self.clock().now_us());
        let mut faults = self.scene.on_edge.iter();
        let mut conditions = self.scene.conditions.iter();
        faults.any(|&fault| board.touches(fault, self.begun_us, now_us))
            || conditions.any(|&(from_us, between)| between && from_us <= now_us)
    }

    /// No fault of the run was in force since then.
    pub(super) fn is_calm_since(&self, from_us: u64) -> bool {
        let (board, now_us) = (&self.scene.ground.board, self.clock().now_us());
        let mut conditions = self.scene.conditions.iter();
        board.touched(from_us, now_us).is_none()
            && !conditions.any(|&(since_us, _)| since_us <= now_us)
    }

    /// No fault of the run was in force since the experiment began.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm_since(self.begun_us)
    }

    /// Of all accounts, from 0.
    fn number(&self, who: usize) -> u32 {
        self.first_user + u32::try_from(who).unwrap_or(0)
    }

    fn account(&self, who: usize) -> String {
        self.scene.ground.target.accounts.name(self.number(who))
    }

    /// A conversation nobody was in before.
    pub(super) fn new_conversation(&mut self) -> String {
        self.named += 1;
        format!("/ws/chat/{}-{}/", self.tag, self.named)
    }

    /// An id no message had before.
    pub(super) fn new_message_id(&mut self) -> String {
        self.named += 1;
        format!("{}-m{}", self.tag, self.named)
    }

    /// The number of the chat whose participants this crew is.
    pub(super) const fn chat(&self) -> u32 {
        self.first_user / CREW_SIZE
    }

    /// An access token, kept until it is refused.
    pub(super) async fn access(&mut self, who: usize) -> Result<String, Missed> {
        if let Some(access) = &self.access[who] {
            return Ok(access.clone());
        }
        Ok(self.login(who).await?.secret)
    }

    /// A new access token, the one that is kept from now on.
    pub(super) async fn login(&mut self, who: usize) -> Result<Access, Missed> {
        let target = &self.scene.ground.target;
        let account = self.account(who);
        let body =
            json!({ "email": account, "password": target.accounts.password(self.number(who)) });
        let url = format!("{}{LOGIN_PATH}", target.http_base);
        let answer = ask(self.scene.http.post(url).json(&body), PATIENCE).await;
        self.note(&format!("{account} logs in: {}", status(&answer)));
        let secret = found(&answer, "token").ok_or(Missed("no login"))?;
        self.access[who] = Some(secret.clone());
        let ends = found(&answer, "expires_at");
        let ends = ends.and_then(|ends| humantime::parse_rfc3339_weak(&ends).ok());
        let now = UNIX_EPOCH + Duration::from_nanos(wall_ns());
        let left = ends.map(|ends| ends.duration_since(now).unwrap_or_default());
        let ends_us = left.map(|left| self.clock().now_us() + units::us(left));
        Ok(Access { secret, ends_us })
    }

    /// Asks for a connection token, once.
    pub(super) async fn ask_token(
        &mut self,
        who: usize,
        patience: Duration,
    ) -> Result<(Answer, u64, u64), Missed> {
        let access = self.access(who).await?;
        let target = &self.scene.ground.target;
        let url = format!("{}{TOKEN_PATH}", target.http_base);
        let body = json!({ "connection_id": self.tag });
        let request = self.scene.http.post(url).bearer_auth(access).json(&body);
        let asked_us = self.clock().now_us();
        let answer = ask(request, patience).await;
        let given_us = self.clock().now_us();
        self.note(&format!(
            "{} asks for a token: {}",
            self.account(who),
            status(&answer)
        ));
        if matches!(answer, Answer::Status { status: 401, .. }) {
            self.access[who] = None;
        }
        Ok((answer, asked_us, given_us))
    }

    /// A connection token.
    pub(super) async fn token(&mut self, who: usize) -> Result<Token, Missed> {
        let (answer, asked_us, given_us) = self.ask_token(who, PATIENCE).await?;
        let secret = found(&answer, "connection_token").ok_or(Missed("no token"))?;
        Ok(Token {
            secret,
            asked_us,
            given_us,
        })
    }

    fn destination<'a>(&'a self, door: &'a Door) -> Destination<'a> {
        let target = &self.scene.ground.target;
        let addresses = &target.addresses;
        let account = self.first_user as usize + door.who;
        Destination {
            address: addresses[account % addresses.len()],
            tls: target.tls.as_ref(),
            host_header: &target.host_header,
            path: &door.path,
            origin: door.origin,
            dialect: None,
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
        self.entered(opened.ok(), (door, &name), patience).await
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
            Some(Err(ConnectError::Status { status })) => Entry::Status(status),
            Some(Err(ConnectError::Broken(_))) => Entry::Cut,
            Some(Err(_)) => Entry::Unreachable,
            Some(Ok(opened)) => {
                let mut talk = Talk::noted(opened.socket, &self.journal, name);
                let connected = |frame: &ServerFrame<'_>| matches!(frame, ServerFrame::Connected);
                match talk.hear(patience, connected).await {
                    Heard::Frame(_) => return Entry::In(Box::new(talk)),
                    Heard::Closed(code) => Entry::Out(code),
                    Heard::Cut => Entry::Cut,
                    Heard::Nothing => Entry::Silent,
                }
            }
        };
        self.note(&format!("{name} is {}", entry.word()));
        entry
    }

    /// A socket of a client with a good token.
    pub(super) async fn join(&mut self, who: usize, path: &str) -> Result<Box<Talk>, Missed> {
        let token = self.token(who).await?;
        let door = Door::with_token(who, path, &token.secret);
        self.join_with(&door).await
    }

    /// The same with whatever opens it.
    pub(super) async fn join_with(&mut self, door: &Door) -> Result<Box<Talk>, Missed> {
        match self.enter(door, PATIENCE).await {
            Entry::In(talk) => Ok(talk),
            _ => Err(Missed("not let in")),
        }
    }

    /// Asks for what lies at that path, as one of the crew.
    pub(super) async fn get(&mut self, who: usize, path: &str) -> Result<Answer, Missed> {
        let access = self.access(who).await?;
        let url = format!("{}{path}", self.scene.ground.target.http_base);
        let request = self.scene.http.get(url).bearer_auth(access);
        let answer = ask(request, PATIENCE).await;
        let account = self.account(who);
        self.note(&format!("{account} asks for {path}: {}", status(&answer)));
        Ok(answer)
    }
}

/// How a question was answered, in words.
fn status(answer: &Answer) -> String {
    match answer {
        Answer::Status { status, .. } => status.to_string(),
        Answer::None => "no answer".to_owned(),
        Answer::Broken(reason) => reason.clone(),
    }
}

/// A text in the JSON of a good answer.
pub(super) fn found(answer: &Answer, key: &str) -> Option<String> {
    let Answer::Status { status: 200, body } = answer else {
        return None;
    };
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get(key)?.as_str().map(str::to_owned)
}
