//! From a message on a people chat to a kept broadcast: the second step of `intake` for those.
//!
//! One script remembers the message's id, keeps it in the chat's history and tells every instance; what
//! comes back over the channel layer is the acknowledgement too. `message_id` is the id of the entry.

use tokio::sync::mpsc;

use crate::intake::{Answer, Ask, BATCH};
use crate::room::event;
use crate::route;
use crate::shared::Shared;
use crate::store::script;
use crate::{clock, intake, wire};

/// Posts what the rate limit allowed.
pub(crate) async fn run(shared: &Shared, mut allowed: mpsc::Receiver<Ask>) {
    let mut batch = Vec::new();
    while allowed.recv_many(&mut batch, BATCH).await > 0 {
        let posts: Vec<Post> = batch.iter().map(Post::new).collect();
        let (keys, arguments) = script_input(shared, &batch, &posts);
        let posted: Result<Vec<String>, _> = shared
            .links
            .channel
            .script(&script::POST, &keys, &arguments)
            .await;
        match posted {
            Ok(answers) => {
                for ((ask, post), answer) in batch.drain(..).zip(&posts).zip(answers) {
                    settle(shared, &ask, post, &answer);
                }
            }
            // They may have been posted all the same: then they are heard like any other.
            Err(error) => {
                intake::log(&error);
                batch.drain(..).for_each(|ask| ask.unavailable(shared));
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
    fn new(ask: &Ask) -> Self {
        let number = rand::random();
        let json = wire::Event::Message {
            chat_id: route::id(&ask.conn.room),
            user_id: ask.conn.user,
            text: &ask.text,
            client_message_id: ask.client_message_id.as_deref(),
        }
        .json();
        let text = event::encode_message(number, &json);
        Self { number, text }
    }
}

fn script_input(shared: &Shared, asks: &[Ask], posts: &[Post]) -> (Vec<String>, Vec<String>) {
    let config = &shared.config;
    let (redis, queue, chat) = (&config.redis, &config.queue, &config.chat);
    let mut keys = vec![route::FEED.to_owned()];
    let mut arguments = vec![
        queue.history_entries.to_string(),
        clock::millis(queue.history_expiry).to_string(),
        redis.chats_entries.to_string(),
        clock::millis(config.defects.chat_kept(redis.chats_expiry)).to_string(),
        chat.remember_ids.as_secs().to_string(),
    ];
    for (ask, post) in asks.iter().zip(posts) {
        let conn = &ask.conn;
        let id = ask.client_message_id.as_deref();
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

fn settle(shared: &Shared, ask: &Ask, post: &Post, answer: &str) {
    match Answer::parse(answer) {
        Some(Answer::Queued(entry)) => {
            shared.metrics.messages.posted.inc();
            shared.channel.posted(&ask.conn.room, entry, &post.text);
        }
        Some(Answer::Repeated(earlier, entry)) => {
            shared.metrics.messages.repeated.inc();
            shared
                .rooms
                .posted_before(ask, (earlier, entry), &post.text);
        }
        Some(Answer::Full) | None => {
            tracing::error!(answer, "the chat's history gave an answer of no known form");
            ask.unavailable(shared);
        }
    }
}
