//! This module is what an experiment can do without a socket: log in, fetch a token, ask, write down.
//!
//! **In:** the accounts of one worker. **Out:** answers, each within a bound; and the journal of the experiment.
//! Sockets are opened in `entrance`.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::context::{Context, Inputs};
use super::experiment::{ANSWER_TIMEOUT, Inconclusive};
use super::request::{Access, Token};
use crate::account::{self, Ask, Cells, Jar, Trail, Who, granted};
use crate::client::http::{Answer, ask};
use crate::client::journal::{Journal, Line};
use crate::client::template::{self, Held, Places, Speaker};
use crate::clock::{RunClock, wall_ns};
use crate::plan::{CREW_SIZE, Dialect, IdKind};
use crate::record::trial::{Showing, ShowingLine};
use crate::units;

/// Where the ids of experiments begin on servers whose ids are numbers: after those of any load that can be carried, and
/// within 31 bits, which is what an integer has on some.
const FIRST_NUMBER: u64 = 1 << 30;
/// Ids of one worker.
const NUMBERS: u64 = 1 << 20;
const WORKERS_MAX: u64 = 1 << 10;

/// The accounts of one worker, a people chat full of them.
pub(super) struct TestClient {
    pub context: Arc<Context>,
    /// Accounts are the numbers after this.
    pub first_user: u32,
    /// Names its conversations and messages.
    tag: String,
    access: Vec<Option<String>>,
    /// When another one is to follow it.
    renew_us: Vec<u64>,
    /// What the server has set, by account.
    jars: Vec<Jar>,
    pub journal: Journal,
    begun_us: u64,
    /// The one that tokens are asked for.
    conversation: String,
    /// Conversations and sockets so far.
    named: u64,
    pub sockets: u64,
}

impl TestClient {
    pub(super) fn new(context: Arc<Context>, first_user: u32, tag: String) -> Self {
        Self {
            context,
            first_user,
            access: vec![None; CREW_SIZE as usize],
            renew_us: vec![u64::MAX; CREW_SIZE as usize],
            jars: vec![Jar::default(); CREW_SIZE as usize],
            journal: Journal::default(),
            conversation: tag.clone(),
            tag,
            begun_us: 0,
            named: 0,
            sockets: 0,
        }
    }

    pub(super) fn inputs(&self) -> &Inputs {
        &self.context.inputs
    }

    pub(super) fn clock(&self) -> RunClock {
        self.context.inputs.clock
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

    /// An access token that is refused is not kept.
    pub(super) fn forget_access(&mut self, who: usize) {
        self.access[who] = None;
    }

    pub(super) fn note(&self, text: &str) {
        self.journal.note(text);
    }

    /// A fault of the run between clients and server was in force since the experiment began.
    pub(super) fn is_disturbed(&self) -> bool {
        self.context.is_disturbed_since(self.begun_us)
    }

    /// No fault of the run was in force since then.
    pub(super) fn is_calm_since(&self, from_us: u64) -> bool {
        self.context.is_calm_since(from_us)
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
        self.context.inputs.target.accounts.name(self.number(who))
    }

    /// What the account has beside its name.
    fn cells(&self, who: usize) -> Option<&Cells> {
        self.context.inputs.target.accounts.cells(self.number(who))
    }

    /// A conversation nobody was in before.
    pub(super) fn new_conversation(&mut self) -> String {
        self.named += 1;
        self.conversation = format!("{}-{}", self.tag, self.named);
        self.path(0)
    }

    /// Where one of the accounts enters the conversation.
    pub(super) fn path(&self, who: usize) -> String {
        let conversation = &self.conversation;
        let Some(dialect) = self.dialect() else {
            return format!("/ws/chat/{conversation}/");
        };
        let places = Places {
            conversation,
            client: self.number(who),
            account: &self.account(who),
            cells: self.cells(who),
            group: self.group(),
            held: None,
        };
        template::path(&dialect.socket.path, places)
    }

    /// That of all its accounts, who talk with each other.
    fn group(&self) -> u32 {
        self.first_user / self.context.group
    }

    /// Who speaks on a socket of one of the accounts that this opens.
    pub(super) fn speaker(&self, who: usize, credential: &str) -> Speaker {
        Speaker {
            conversation: self.conversation.clone(),
            client: self.number(who),
            account: self.account(who),
            cells: self.cells(who).cloned(),
            group: self.group(),
            held: Held {
                credential: credential.into(),
                captured: Vec::new(),
            },
        }
    }

    /// How the server is spoken to; `None`: by the contract.
    pub(super) fn dialect(&self) -> Option<&Dialect> {
        self.context.inputs.target.dialect.as_deref()
    }

    /// An id no message had before.
    pub(super) fn new_message_id(&mut self) -> String {
        self.named += 1;
        let numbered = self
            .dialect()
            .is_some_and(|dialect| dialect.ids == IdKind::Number);
        if numbered {
            let worker = u64::from(self.first_user / CREW_SIZE) % WORKERS_MAX;
            return (FIRST_NUMBER + worker * NUMBERS + self.named % NUMBERS).to_string();
        }
        format!("{}-m{}", self.tag, self.named)
    }

    /// The number of the chat whose participants this client is.
    pub(super) const fn chat(&self) -> u32 {
        self.first_user / CREW_SIZE
    }

    /// An access token, kept until it is refused.
    pub(super) async fn access(&mut self, who: usize) -> Result<String, Inconclusive> {
        let is_good = self.clock().now_us() < self.renew_us[who];
        if let Some(access) = self.access[who].as_ref().filter(|_| is_good) {
            return Ok(access.clone());
        }
        Ok(self.login(who).await?.secret)
    }

    /// A new access token, the one that is kept from now on.
    pub(super) async fn login(&mut self, who: usize) -> Result<Access, Inconclusive> {
        let target = &self.context.inputs.target;
        let account = self.account(who);
        let password = target.accounts.password(self.number(who));
        let dialect = self.dialect();
        let Some(path) = account::login_path(dialect) else {
            return Ok(Access {
                secret: password.to_owned(),
                ends_us: None,
            });
        };
        let mut jar = self.jars[who].clone();
        let asked_us = self.clock().now_us();
        let captured = self.page(&mut jar).await?;
        let url = format!("{}{path}", target.http_base);
        let method = account::login_method(dialect);
        let request = self.context.http.request(method, url);
        let asking = Who {
            account: &account,
            password,
            cells: self.cells(who),
        };
        let request = account::with_login(request, dialect, asking, &captured);
        let request = account::with_cookies(request, &jar);
        let answer = ask(request, ANSWER_TIMEOUT).await;
        let answer = self.followed((path, answer), &mut jar).await?;
        self.note(&format!("{account} logs in: {}", status(&answer)));
        let secret = credential(&answer, Ask::Login, dialect).ok_or(Inconclusive("no login"))?;
        let body = match &answer {
            Answer::Status { body, .. } => &body[..],
            Answer::None | Answer::Broken(_) => &[],
        };
        let renewed = account::renewed_after(dialect, body);
        let ends = account::text(body, "expires_at");
        self.jars[who] = jar;
        self.access[who] = Some(secret.clone());
        self.renew_us[who] = renewed.map_or(u64::MAX, |after| asked_us + units::us(after));
        let ends = ends.and_then(|ends| humantime::parse_rfc3339_weak(&ends).ok());
        let now = UNIX_EPOCH + Duration::from_nanos(wall_ns());
        let left = ends.map(|ends| ends.duration_since(now).unwrap_or_default());
        let ends_us = left.map(|left| self.clock().now_us() + units::us(left));
        Ok(Access { secret, ends_us })
    }

    /// The last answer to a login: where it leads on, and the scenario follows, the one at the end.
    async fn followed(
        &self,
        (path, mut answer): (&str, Answer),
        jar: &mut Jar,
    ) -> Result<Answer, Inconclusive> {
        let target = &self.context.inputs.target;
        let place = (target.http_base.as_str(), target.host_header.as_str());
        let mut trail = Trail::new(self.dialect(), place, path);
        while let Answer::Status {
            status, headers, ..
        } = &answer
        {
            account::keep(self.dialect(), jar, headers);
            let lead = trail.next(*status, headers);
            let lead = lead.map_err(|_astray| Inconclusive("no login"))?;
            let Some(path) = lead else { break };
            let url = format!("{}{path}", target.http_base);
            let request = account::with_cookies(self.context.http.get(url), jar);
            answer = ask(request, ANSWER_TIMEOUT).await;
        }
        Ok(answer)
    }

    /// What a login repeats of the page before it, where there is one.
    async fn page(&self, jar: &mut Jar) -> Result<Vec<(String, String)>, Inconclusive> {
        let dialect = self.dialect();
        let Some(path) = account::page_path(dialect) else {
            return Ok(Vec::new());
        };
        let url = format!("{}{path}", self.context.inputs.target.http_base);
        let request = account::with_cookies(self.context.http.get(url), jar);
        let answer = ask(request, ANSWER_TIMEOUT).await;
        keep(dialect, jar, &answer);
        let body = match &answer {
            Answer::Status { body, .. } => &body[..],
            Answer::None | Answer::Broken(_) => &[],
        };
        let captured = account::captured_of_page(dialect, body, jar);
        captured.map_err(|_absent| Inconclusive("no login page"))
    }

    /// What the server has set, as it goes back.
    pub(super) fn cookies(&self, who: usize) -> String {
        self.jars[who].header().unwrap_or_default()
    }

    /// Asks for a connection token, once.
    pub(super) async fn ask_token(
        &mut self,
        who: usize,
        patience: Duration,
    ) -> Result<(Answer, u64, u64), Inconclusive> {
        let access = self.access(who).await?;
        let target = &self.context.inputs.target;
        let dialect = target.dialect.clone();
        let dialect = dialect.as_deref();
        let url = format!("{}{}", target.http_base, account::token_path(dialect));
        let request = account::with_access(self.context.http.post(url), &access);
        let request = account::with_cookies(request, &self.jars[who]);
        let request = account::with_token_wish(request, dialect, &self.conversation);
        let asked_us = self.clock().now_us();
        let answer = ask(request, patience).await;
        let given_us = self.clock().now_us();
        keep(dialect, &mut self.jars[who], &answer);
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
    pub(super) async fn token(&mut self, who: usize) -> Result<Token, Inconclusive> {
        let (answer, asked_us, given_us) = self.ask_token(who, ANSWER_TIMEOUT).await?;
        let secret = self.token_in(&answer).ok_or(Inconclusive("no token"))?;
        Ok(Token {
            secret,
            asked_us,
            given_us,
        })
    }

    /// The connection token in an answer.
    pub(super) fn token_in(&self, answer: &Answer) -> Option<String> {
        credential(answer, Ask::Token, self.dialect())
    }

    /// Asks for what lies at that path, as one of the accounts.
    pub(super) async fn get(&mut self, who: usize, path: &str) -> Result<Answer, Inconclusive> {
        let access = self.access(who).await?;
        let url = format!("{}{path}", self.context.inputs.target.http_base);
        let request = self.context.http.get(url).bearer_auth(access);
        let answer = ask(request, ANSWER_TIMEOUT).await;
        let account = self.account(who);
        self.note(&format!("{account} asks for {path}: {}", status(&answer)));
        if matches!(answer, Answer::Status { status: 401, .. }) {
            self.access[who] = None;
        }
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

/// The credential in an answer, if any.
fn credential(answer: &Answer, ask: Ask, dialect: Option<&Dialect>) -> Option<String> {
    match answer {
        Answer::Status { status, body, .. } => granted(dialect, ask, *status, body).ok(),
        Answer::None | Answer::Broken(_) => None,
    }
}

/// Keeps what an answer sets, where cookies are kept.
fn keep(dialect: Option<&Dialect>, jar: &mut Jar, answer: &Answer) {
    if let Answer::Status { headers, .. } = answer {
        account::keep(dialect, jar, headers);
    }
}
