//! From a chat message to an acknowledged task: rate limit, queue, `task_queued`.
//!
//! All sockets hand their messages to tasks that work one after the other, the limit and then the queue (or `post`,
//! for people chats): each takes everything that is waiting and does it in one round trip. The busier the server, the larger the batches and the cheaper
//! the message. The order of one socket's messages is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::route::Kind;
use crate::shared::Shared;
use crate::socket::{Conn, code};
use crate::store::{LinkError, script};
use crate::stream_id::StreamId;
use crate::{post, route, wire};

/// Messages waiting for either step.
const WAITING: usize = 16_384;
/// Messages in one round trip.
pub(crate) const BATCH: usize = 1024;
/// After which a client may try again while Redis is away or the queue is full, in seconds.
const RETRY_S: f64 = 1.0;

/// A message somebody sent.
pub(crate) struct Ask {
    /// From whom.
    pub(crate) conn: Arc<Conn>,
    /// What.
    pub(crate) text: Box<str>,
    /// The client's id for it.
    pub(crate) client_message_id: Option<Box<str>>,
}

impl Ask {
    fn refuse(&self, shared: &Shared, code: &str, error: &str, retry_after: f64) {
        shared.metrics.messages.refused.inc();
        let id = self.client_message_id.as_deref();
        self.conn
            .send(&wire::refusal(code, error, Some(retry_after), id));
    }

    /// Says that the message may be sent again later.
    pub(crate) fn unavailable(&self, shared: &Shared) {
        self.refuse(shared, "unavailable", "the message store is away", RETRY_S);
    }
}

/// Where sockets put messages.
pub(crate) struct Intake {
    offered: mpsc::Sender<Ask>,
}

/// The other end, for [`limit`].
pub(crate) struct Offered(mpsc::Receiver<Ask>);

/// A queue between the sockets and [`limit`].
pub(crate) fn queue() -> (Intake, Offered) {
    let (offered, waiting) = mpsc::channel(WAITING);
    (Intake { offered }, Offered(waiting))
}

impl Intake {
    /// Takes a message, or gives it back because too many are waiting.
    fn offer(&self, ask: Ask) -> Result<(), Ask> {
        self.offered.try_send(ask).map_err(TrySendError::into_inner)
    }
}

/// Takes a message, or refuses it because too many are waiting.
pub(crate) fn take(shared: &Shared, ask: Ask) {
    if let Err(ask) = shared.intake.offer(ask) {
        ask.refuse(shared, "busy", "too many messages at once", RETRY_S);
    }
}

/// All steps, until `shared.stopping`.
pub(crate) async fn run(shared: Arc<Shared>, offered: Offered) {
    let (tasks, questions) = mpsc::channel(WAITING);
    let (posts, broadcasts) = mpsc::channel(WAITING);
    // Dropping them is safe: what was not queued was not acknowledged.
    tokio::select! {
        () = limit(&shared, offered.0, Allowed { tasks, posts }) => {}
        () = enqueue(&shared, questions) => {}
        () = post::run(&shared, broadcasts) => {}
        () = shared.stopping.cancelled() => {}
    }
}

/// Where messages go that are within the limit.
struct Allowed {
    tasks: mpsc::Sender<Ask>,
    posts: mpsc::Sender<Ask>,
}

impl Allowed {
    /// `false` where the server is ending.
    async fn pass(&self, ask: Ask) -> bool {
        let next = match ask.conn.kind {
            Kind::People => &self.posts,
            Kind::Assistant | Kind::Admin => &self.tasks,
        };
        next.send(ask).await.is_ok()
    }
}

async fn limit(shared: &Shared, mut offered: mpsc::Receiver<Ask>, allowed: Allowed) {
    let interval_us = (1e6 / shared.config.chat.rate_limit).round().to_string();
    let arguments = [interval_us, shared.config.chat.rate_burst.to_string()];
    let mut batch = Vec::new();
    while offered.recv_many(&mut batch, BATCH).await > 0 {
        batch.retain(|ask| {
            let can = shared.can_take(ask.conn.kind);
            if !can {
                ask.unavailable(shared);
            }
            can
        });
        if batch.is_empty() {
            continue;
        }
        let keys: Vec<String> = batch
            .iter()
            .map(|ask| format!("rl:{}", ask.conn.user))
            .collect();
        let waits = if shared.config.defects.limits_rate() {
            let link = &shared.links.tokens;
            link.script(&script::ALLOW, &keys, &arguments).await
        } else {
            Ok(vec![0_u64; batch.len()])
        };
        match waits {
            Ok(waits) => {
                for (ask, wait_ms) in batch.drain(..).zip(waits) {
                    if wait_ms > 0 {
                        over_limit(shared, &ask, wait_ms);
                        continue;
                    }
                    ask.conn.strikes.store(0, Ordering::Relaxed);
                    if !allowed.pass(ask).await {
                        return;
                    }
                }
            }
            Err(error) => {
                log(&error);
                batch.drain(..).for_each(|ask| ask.unavailable(shared));
            }
        }
    }
}

fn over_limit(shared: &Shared, ask: &Ask, wait_ms: u64) {
    shared.metrics.rate_limit_hits.inc();
    ask.refuse(
        shared,
        "rate_limited",
        "too many messages",
        wait_ms as f64 / 1e3,
    );
    let strikes = ask.conn.strikes.fetch_add(1, Ordering::Relaxed) + 1;
    if strikes >= shared.config.chat.flood_strikes {
        ask.conn.close(code::FLOODING, "the rate limit was ignored");
    }
}

async fn enqueue(shared: &Shared, mut allowed: mpsc::Receiver<Ask>) {
    let mut batch = Vec::new();
    while allowed.recv_many(&mut batch, BATCH).await > 0 {
        let numbers: Vec<u64> = batch.iter().map(|ask| shared.rooms.ask(ask)).collect();
        let tasks: Vec<NewTask<'_>> = batch.iter().zip(&numbers).map(NewTask::from).collect();
        match send(shared, &tasks).await {
            Ok(answers) => {
                for ((ask, number), answer) in batch.iter().zip(&numbers).zip(answers) {
                    settle(shared, ask, *number, &answer);
                }
            }
            Err(error) => {
                log(&error);
                for (ask, number) in batch.iter().zip(&numbers) {
                    // Where the connection failed the tasks may have been queued all the same.
                    if !matches!(error, LinkError::Io(..)) {
                        shared.rooms.not_queued(ask, *number);
                    }
                    ask.unavailable(shared);
                }
            }
        }
        batch.clear();
    }
}

fn settle(shared: &Shared, ask: &Ask, number: u64, answer: &str) {
    match Answer::parse(answer) {
        Some(Answer::Queued(entry)) => shared.rooms.queued(ask, number, entry),
        Some(Answer::Repeated(earlier, entry)) => {
            shared.rooms.repeated(ask, number, (earlier, entry));
        }
        Some(Answer::Full) => {
            shared.rooms.not_queued(ask, number);
            ask.refuse(shared, "busy", "the queue is full", RETRY_S);
        }
        None => {
            tracing::error!(answer, "the queue gave an answer of no known form");
            shared.rooms.not_queued(ask, number);
            ask.unavailable(shared);
        }
    }
}

/// What the queue is told about a task.
pub(crate) struct NewTask<'a> {
    /// Its number.
    pub(crate) number: u64,
    /// Its conversation.
    pub(crate) conversation: &'a str,
    /// What was asked.
    pub(crate) text: &'a str,
    /// Who asked.
    pub(crate) user: u64,
    /// The id the message had.
    pub(crate) client_message_id: Option<&'a str>,
    /// Whether it was acknowledged before and its entry is gone.
    pub(crate) again: bool,
}

impl<'a> From<(&'a Ask, &'a u64)> for NewTask<'a> {
    fn from((ask, number): (&'a Ask, &'a u64)) -> Self {
        Self {
            number: *number,
            conversation: route::id(&ask.conn.room),
            text: &ask.text,
            user: ask.conn.user,
            client_message_id: ask.client_message_id.as_deref(),
            again: false,
        }
    }
}

/// Puts tasks into the queue in one step; one answer each.
pub(crate) async fn send(shared: &Shared, tasks: &[NewTask<'_>]) -> Result<Vec<String>, LinkError> {
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    let mut keys = vec![crate::worker::STREAM.to_owned()];
    let limit = shared.config.chat.queue_limit.to_string();
    let mut arguments = vec![limit, shared.config.chat.remember_ids.as_secs().to_string()];
    for task in tasks {
        let id = task.client_message_id.unwrap_or_default();
        keys.push(key(task.user, task.conversation, id));
        arguments.push(wire::task_id(task.number));
        arguments.push(task.conversation.to_owned());
        arguments.push(task.text.to_owned());
        let remembered = task.client_message_id.is_some() && shared.config.defects.remembers_ids();
        arguments.push(flag(remembered));
        arguments.push(flag(task.again));
        arguments.push(task.user.to_string());
        arguments.push(id.to_owned());
    }
    shared
        .links
        .tasks
        .script(&script::ENQUEUE, &keys, &arguments)
        .await
}

/// Where the id of a message is remembered. Neither a number nor a conversation has a slash: no two messages share a key.
pub(crate) fn key(user: u64, conversation: &str, id: &str) -> String {
    format!("cmid:{user}/{conversation}/{id}")
}

/// An answer of the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is in the queue.
    Queued(StreamId),
    /// It was asked before, as that task with that entry.
    Repeated(u64, StreamId),
    /// The queue is full.
    Full,
}

impl Answer {
    /// Reads the script's answer.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        match parts.next()? {
            "1" => Some(Self::Queued(parts.next()?.parse().ok()?)),
            "0" => {
                let earlier = u64::from_str_radix(parts.next()?, 16).ok()?;
                Some(Self::Repeated(earlier, parts.next()?.parse().ok()?))
            }
            "2" => Some(Self::Full),
            _ => None,
        }
    }
}

/// Logs what is not known already.
pub(crate) fn log(error: &LinkError) {
    if !matches!(error, LinkError::Away(_)) {
        tracing::warn!(target: "[WS_SEND]", %error, "messages not queued");
    }
}
