//! From a message on a people chat to a kept broadcast: what follows `submit` for those.
//!
//! One script remembers the message's id, keeps it in the chat's history and tells every instance;
//! what comes back over the channel layer is the acknowledgement too. `message_id` is the id of the
//! entry.

use tokio::sync::mpsc;

use super::context::{Context, log, take};
use super::queue::Answer;
use crate::room::event;
use crate::socket::ChatMessage;
use crate::store::{Gap, script};
use crate::{clock, route, wire};

/// Publishes what the rate limit allowed.
pub(super) async fn run(context: &Context, mut allowed: mpsc::Receiver<ChatMessage>) {
    let (mut batch, mut gap) = (Vec::new(), Gap::none());
    while take(&mut allowed, &mut batch, &mut gap).await {
        context.config.slow_cpu.burn();
        let posts: Vec<Post> = batch.iter().map(Post::new).collect();
        let (keys, arguments) = script_input(context, &batch, &posts);
        let posted: Result<Vec<String>, _> = context
            .health
            .links
            .channel
            .script(&script::POST, &keys, &arguments)
            .await;
        match posted {
            Ok(answers) => {
                for ((message, post), answer) in batch.drain(..).zip(&posts).zip(answers) {
                    settle(context, &message, post, &answer);
                }
            }
            // They may have been posted all the same: then they are heard like any other.
            Err(error) => {
                log(&error);
                batch.drain(..).for_each(|message| message.unavailable());
            }
        }
    }
}

/// A message as it is kept.
struct Post {
    number: u64,
    text: String,
}

impl Post {
    fn new(message: &ChatMessage) -> Self {
        let number = rand::random();
        let json = wire::Event::Message {
            chat_id: route::id(&message.conn.room),
            user_id: message.conn.user,
            text: &message.text,
            client_message_id: message.client_message_id.as_deref(),
        }
        .json();
        let text = event::encode_message(number, &json);
        Self { number, text }
    }
}

fn script_input(
    context: &Context,
    messages: &[ChatMessage],
    posts: &[Post],
) -> (Vec<String>, Vec<String>) {
    let config = &context.config;
    let (redis, queue, chat) = (&config.redis, &config.queue, &config.chat);
    let mut keys = vec![route::FEED.to_owned()];
    let mut arguments = vec![
        queue.history_entries.to_string(),
        clock::millis(queue.history_expiry).to_string(),
        redis.chats_entries.to_string(),
        clock::millis(config.defects.chat_kept(redis.chats_expiry)).to_string(),
        chat.remember_ids.as_secs().to_string(),
    ];
    for (message, post) in messages.iter().zip(posts) {
        let conn = &message.conn;
        let id = message.client_message_id.as_deref();
        keys.push(conn.room.to_string());
        keys.push(format!(
            "pmid:{}:{}:{}",
            route::id(&conn.room),
            conn.user,
            id.unwrap_or_default()
        ));
        arguments.push(wire::task_id(post.number));
        arguments.push(post.text.clone());
        let remembered = id.is_some() && config.defects.remembers_ids();
        arguments.push(if remembered { "1" } else { "0" }.to_owned());
    }
    (keys, arguments)
}

fn settle(context: &Context, message: &ChatMessage, post: &Post, answer: &str) {
    match Answer::parse(answer) {
        Some(Answer::Queued(entry)) => {
            context.metrics.messages.posted.inc();
            context
                .channel
                .posted(&message.conn.room, entry, &post.text);
        }
        Some(Answer::Repeated(earlier, entry)) => {
            context.metrics.messages.repeated.inc();
            context
                .rooms
                .posted_before(message, (earlier, entry), &post.text);
        }
        Some(Answer::Full) | None => {
            tracing::error!(answer, "the chat's history gave an answer of no known form");
            message.unavailable();
        }
    }
}
