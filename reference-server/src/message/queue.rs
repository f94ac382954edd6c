//! From an allowed message to an acknowledged task: `task_queued`.

use tokio::sync::mpsc;

use super::context::{Context, log, take};
use crate::socket::ChatMessage;
use crate::store::queue::{STREAM, id_key};
use crate::store::{Gap, LinkError, StreamId, script};
use crate::{route, wire};

/// Queues what the rate limit allowed.
pub(super) async fn enqueue(context: &Context, mut allowed: mpsc::Receiver<ChatMessage>) {
    let (mut batch, mut gap) = (Vec::new(), Gap::none());
    while take(&mut allowed, &mut batch, &mut gap).await {
        context.config.slow_cpu.burn();
        let numbers: Vec<u64> = batch
            .iter()
            .map(|message| context.rooms.ask(message))
            .collect();
        let tasks: Vec<NewTask<'_>> = batch.iter().zip(&numbers).map(NewTask::from).collect();
        match send(context, &tasks).await {
            Ok(answers) => {
                for ((message, number), answer) in batch.iter().zip(&numbers).zip(answers) {
                    settle(context, message, *number, &answer);
                }
            }
            Err(error) => {
                log(&error);
                for (message, number) in batch.iter().zip(&numbers) {
                    // Where the connection failed the tasks may have been queued all the same.
                    if !matches!(error, LinkError::Io(..)) {
                        context.rooms.not_queued(message, *number);
                    }
                    message.unavailable();
                }
            }
        }
        batch.clear();
    }
}

fn settle(context: &Context, message: &ChatMessage, number: u64, answer: &str) {
    match Answer::parse(answer) {
        Some(Answer::Queued(entry)) => context.rooms.queued(message, number, entry),
        Some(Answer::Repeated(earlier, entry)) => {
            context.rooms.repeated(message, number, (earlier, entry));
        }
        Some(Answer::Full) => {
            context.rooms.not_queued(message, number);
            message.busy("the queue is full");
        }
        None => {
            tracing::error!(answer, "the queue gave an answer of no known form");
            context.rooms.not_queued(message, number);
            message.unavailable();
        }
    }
}

/// What the queue is told about a task.
pub(super) struct NewTask<'a> {
    /// Its number.
    pub(super) number: u64,
    /// Its conversation.
    pub(super) conversation: &'a str,
    /// What was asked.
    pub(super) text: &'a str,
    /// Who asked.
    pub(super) user: u64,
    /// The id the message had.
    pub(super) client_message_id: Option<&'a str>,
    /// Whether it was acknowledged before and its entry is gone.
    pub(super) again: bool,
}

impl<'a> From<(&'a ChatMessage, &'a u64)> for NewTask<'a> {
    fn from((message, number): (&'a ChatMessage, &'a u64)) -> Self {
        Self {
            number: *number,
            conversation: route::id(&message.conn.room),
            text: &message.text,
            user: message.conn.user,
            client_message_id: message.client_message_id.as_deref(),
            again: false,
        }
    }
}

/// Puts tasks into the queue in one step; one answer each.
pub(super) async fn send(
    context: &Context,
    tasks: &[NewTask<'_>],
) -> Result<Vec<String>, LinkError> {
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    let mut keys = vec![STREAM.to_owned()];
    let limit = context.config.chat.queue_limit.to_string();
    let mut arguments = vec![
        limit,
        context.config.chat.remember_ids.as_secs().to_string(),
    ];
    for task in tasks {
        let id = task.client_message_id.unwrap_or_default();
        keys.push(id_key(task.user, task.conversation, id));
        arguments.push(wire::task_id(task.number));
        arguments.push(task.conversation.to_owned());
        arguments.push(task.text.to_owned());
        let remembered = task.client_message_id.is_some() && context.config.defects.remembers_ids();
        arguments.push(flag(remembered));
        arguments.push(flag(task.again));
        arguments.push(task.user.to_string());
        arguments.push(id.to_owned());
    }
    context
        .health
        .links
        .tasks
        .script(&script::ENQUEUE, &keys, &arguments)
        .await
}

/// An answer of the queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the queue.
    Queued(StreamId),
    /// It was asked before, as that task with that entry.
    Repeated(u64, StreamId),
    /// The queue is full.
    Full,
}

impl Answer {
    /// Reads the script's answer.
    pub(super) fn parse(text: &str) -> Option<Self> {
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
