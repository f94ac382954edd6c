//! A message is submitted by its socket and held to the rate limit.
//!
//! All sockets hand their messages to tasks that work one after the other, the limit and then the
//! queue (or `publish`, for people chats): each takes everything that is waiting and does it in one
//! round trip. The busier the server, the larger the batches and the cheaper the message. The order
//! of one socket's messages is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::context::{Context, log, take};
use super::{publish, queue};
use crate::route::Kind;
use crate::socket::{ChatMessage, code};
use crate::store::{Gap, script};

/// Messages waiting for either step.
const WAITING: usize = 16_384;

/// Where sockets put messages.
pub(crate) struct Inbox {
    submitted: mpsc::Sender<ChatMessage>,
}

/// The other end, for [`limit`].
pub(crate) struct Submitted(mpsc::Receiver<ChatMessage>);

/// A queue between the sockets and [`limit`].
pub(crate) fn inbox() -> (Inbox, Submitted) {
    let (submitted, waiting) = mpsc::channel(WAITING);
    (Inbox { submitted }, Submitted(waiting))
}

impl Inbox {
    /// Takes a message, or refuses it because too many are waiting.
    pub(crate) fn submit(&self, message: ChatMessage) {
        if let Err(TrySendError::Full(message) | TrySendError::Closed(message)) =
            self.submitted.try_send(message)
        {
            message.busy("too many messages at once");
        }
    }
}

/// All steps, until the shutdown.
pub(crate) async fn run(context: Arc<Context>, submitted: Submitted) {
    let (tasks, questions) = mpsc::channel(WAITING);
    let (posts, broadcasts) = mpsc::channel(WAITING);
    // Dropping them is safe: what was not queued was not acknowledged.
    tokio::select! {
        () = limit(&context, submitted.0, Allowed { tasks, posts }) => {}
        () = queue::enqueue(&context, questions) => {}
        () = publish::run(&context, broadcasts) => {}
        () = context.stopping.cancelled() => {}
    }
}

/// Where messages go that are within the limit.
struct Allowed {
    tasks: mpsc::Sender<ChatMessage>,
    posts: mpsc::Sender<ChatMessage>,
}

impl Allowed {
    /// `false` where the server is ending.
    async fn pass(&self, message: ChatMessage) -> bool {
        let next = match message.conn.kind {
            Kind::People => &self.posts,
            Kind::Assistant | Kind::Admin => &self.tasks,
        };
        next.send(message).await.is_ok()
    }
}

async fn limit(context: &Context, mut submitted: mpsc::Receiver<ChatMessage>, allowed: Allowed) {
    let interval_us = (1e6 / context.config.chat.rate_limit).round().to_string();
    let arguments = [interval_us, context.config.chat.rate_burst.to_string()];
    let mut gap = Gap::none();
    let mut batch = Vec::new();
    while take(&mut submitted, &mut batch, &mut gap).await {
        context.config.slow_cpu.burn();
        batch.retain(|message| {
            let can = context.health.can_take(message.conn.kind);
            if !can {
                message.unavailable();
            }
            can
        });
        if batch.is_empty() {
            continue;
        }
        let keys: Vec<String> = batch
            .iter()
            .map(|message| format!("rl:{}", message.conn.user))
            .collect();
        let waits = if context.config.defects.limits_rate() {
            let link = &context.health.links.tokens;
            link.script(&script::ALLOW, &keys, &arguments).await
        } else {
            Ok(vec![0_u64; batch.len()])
        };
        match waits {
            Ok(waits) => {
                for (message, wait_ms) in batch.drain(..).zip(waits) {
                    if wait_ms > 0 {
                        over_limit(context, &message, wait_ms);
                        continue;
                    }
                    message.conn.strikes.store(0, Ordering::Relaxed);
                    if !allowed.pass(message).await {
                        return;
                    }
                }
            }
            Err(error) => {
                log(&error);
                batch.drain(..).for_each(|message| message.unavailable());
            }
        }
    }
}

fn over_limit(context: &Context, message: &ChatMessage, wait_ms: u64) {
    context.metrics.rate_limit_hits.inc();
    message.refuse("rate_limited", "too many messages", wait_ms as f64 / 1e3);
    let strikes = message.conn.strikes.fetch_add(1, Ordering::Relaxed) + 1;
    if strikes >= context.config.chat.flood_strikes {
        message
            .conn
            .close(code::FLOODING, "the rate limit was ignored");
    }
}
