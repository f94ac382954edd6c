//! Members of a chat of people write in iteration, on sockets that stay: everybody hears every message that was
//! taken, whatever happened before (rows 12, 13 and 33).
//!
//! A message was taken when anybody heard it, or the history of the chat holds it. One that was taken and not
//! heard by somebody is given time: a good server sends it after an outage. It counts
//! - as *deaf* where a socket that used to hear hears none of three messages in a row,
//! - as *apart* where a socket hears some members and never one of the others,
//! - as *gone* where a socket hears later messages and not this one.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::client::talk::{Heard, Talk};
use crate::client::wire::{ServerFrame, people_message};
use crate::known::Known;
use crate::scenario::trial::{Broadcast, Situation};
use crate::trial::client::TestClient;
use crate::trial::experiment::{Inconclusive, Iteration, Outcome};
use crate::trial::message::named;
use crate::trial::people;

const HELLO: &str = "hello";
/// So many messages not heard in a row make a socket deaf.
const DEAF_AFTER: usize = 3;
/// Messages not heard that a member remembers.
const MISSING_MAX: usize = 100;
/// What was not heard in time is waited for so much longer before it counts as never heard.
const GRACE: Duration = Duration::from_secs(5);
/// The wait is bounded from outside.
const FOR_EVER: Duration = Duration::from_hours(1);

/// A chat with its members' sockets.
#[derive(Default)]
pub(super) struct Chat {
    members: Vec<Member>,
    /// Messages so far.
    posted: usize,
    /// The last message that anybody heard, by its id of the server.
    last_heard: Option<String>,
    /// Numbers of the last few that were taken while no fault was in force.
    taken: Vec<usize>,
    /// When its sockets were opened.
    joined_us: u64,
}

/// A message of one member.
struct Post<'a> {
    id: &'a str,
    /// Counts from 1.
    number: usize,
    writer: usize,
}

/// A message that may have been taken and was not heard.
struct Missing {
    id: String,
    number: usize,
    writer: usize,
    /// It was taken, and no fault was in force.
    calm: bool,
}

struct Member {
    talk: Box<Talk>,
    /// Members whose messages it has heard, itself among them.
    heard: BTreeSet<usize>,
    missing: Vec<Missing>,
    last_heard: Option<String>,
    refused: bool,
    ended: bool,
}

pub(super) async fn run(
    client: &mut TestClient,
    iteration: Iteration<'_>,
    Broadcast { members, within_us }: Broadcast,
) -> Result<Outcome, Inconclusive> {
    let chat = iteration.state.of::<Chat>()?;
    let members = usize::from(members);
    if chat.members.is_empty() {
        chat.members = join(client, members).await?;
        chat.joined_us = client.clock().now_us();
    }
    chat.posted += 1;
    let id = client.new_message_id();
    let sent_us = client.clock().now_us();
    let post = Post {
        id: &id,
        number: chat.posted,
        writer: chat.posted % members,
    };
    let mapped = client.dialect().is_some();
    chat.send(&post, Duration::from_micros(within_us), mapped)
        .await;
    if chat.members.iter().any(|member| member.ended) {
        // What a client does with a new socket to get the rest is another trial's question.
        chat.members.clear();
        chat.taken.clear();
        return Ok(Outcome::Inconclusive("a socket ended"));
    }
    let unheard = chat.members.iter().any(|member| member.lacks(&id));
    let heard = chat.members.iter().any(|member| !member.lacks(&id));
    let refused = chat.members.iter().any(|member| member.refused);
    let taken = heard || is_kept(client, chat.last_heard.as_deref(), &id).await;
    if refused || !taken {
        chat.forget(&id);
        return Ok(Outcome::Inconclusive("the message was not taken"));
    }
    let calm = client.is_calm_since(sent_us.saturating_sub(within_us));
    if !calm {
        return Ok(Outcome::Inconclusive("a fault was in force"));
    }
    if mapped && !chat.is_shared() {
        // Answers of such a server go to who asked.
        return Ok(Outcome::Inconclusive("nobody has heard anybody else yet"));
    }
    chat.count(&post);
    if chat.judge(&post).is_some() {
        // What comes late comes all the same.
        chat.catch_up().await;
    }
    match chat.judge(&post) {
        Some((known, what)) if client.is_calm_since(sent_us) => {
            chat.members.clear();
            chat.taken.clear();
            Ok(Outcome::Broke(known, what))
        }
        Some(_) => Ok(Outcome::Inconclusive("a fault was in force")),
        None if unheard => Ok(Outcome::Inconclusive("not everybody heard it yet")),
        None => {
            if !client.is_calm_since(chat.joined_us) {
                iteration.record.add_met(Situation::AfterFault.text(), 1);
            }
            Ok(Outcome::Held)
        }
    }
}

async fn join(client: &mut TestClient, members: usize) -> Result<Vec<Member>, Inconclusive> {
    client.new_conversation();
    let mut joined = Vec::with_capacity(members);
    for who in 0..members {
        let path = match client.dialect() {
            Some(_) => client.path(who),
            None => format!("/ws/chats/{}/", client.chat()),
        };
        joined.push(Member {
            talk: client.join(who, &path).await?,
            heard: BTreeSet::new(),
            missing: Vec::new(),
            last_heard: None,
            refused: false,
            ended: false,
        });
    }
    Ok(joined)
}

/// The chat's history, which is polled, holds the message; what servers of other makes keep is not known.
async fn is_kept(client: &mut TestClient, after: Option<&str>, id: &str) -> bool {
    if client.dialect().is_some() {
        return false;
    }
    let kept = people::poll(client, after).await;
    kept.is_some_and(|kept| {
        let mut ids = kept.iter().map(|kept| kept.client_message_id.as_deref());
        ids.any(|kept| kept == Some(id))
    })
}

impl Chat {
    /// Sends it, and hears what comes until everybody has it.
    async fn send(&mut self, post: &Post<'_>, within: Duration, mapped: bool) {
        let writer = &mut self.members[post.writer];
        let said = if mapped {
            writer.talk.write(HELLO, post.id)
        } else {
            writer.talk.say(people_message(HELLO, post.id))
        };
        writer.ended |= said.is_err();
        let listening = self.members.iter_mut().enumerate();
        let listening = listening.map(|(who, member)| async move {
            if member.missing.len() == MISSING_MAX {
                member.missing.remove(0);
            }
            member.missing.push(Missing {
                id: post.id.to_owned(),
                number: post.number,
                writer: post.writer,
                calm: false,
            });
            member.refused = false;
            drop(timeout(within, member.hear(post, who == post.writer)).await);
        });
        join_all(listening).await;
        let heard = self
            .members
            .iter_mut()
            .filter_map(|member| member.last_heard.take());
        self.last_heard = heard.last().or(self.last_heard.take());
    }

    /// Somebody has heard a message of somebody else.
    fn is_shared(&self) -> bool {
        let mut members = self.members.iter().enumerate();
        members.any(|(who, member)| member.heard.iter().any(|writer| *writer != who))
    }

    /// It was taken, and nothing but the server explains who has not heard it.
    fn count(&mut self, post: &Post<'_>) {
        self.taken.push(post.number);
        let surplus = self.taken.len().saturating_sub(DEAF_AFTER);
        self.taken.drain(..surplus);
        for member in &mut self.members {
            let mut missing = member.missing.iter_mut();
            if let Some(missing) = missing.find(|missing| missing.number == post.number) {
                missing.calm = true;
            }
        }
    }

    /// Hears what still comes.
    async fn catch_up(&mut self) {
        let listening = self.members.iter_mut();
        join_all(listening.map(|member| timeout(GRACE, member.catch_up()))).await;
    }

    fn judge(&self, post: &Post<'_>) -> Option<(Known, String)> {
        let mut members = self.members.iter().enumerate();
        members.find_map(|(who, member)| member.judge(who, post, &self.taken))
    }

    /// It was not taken: nobody needs to hear it.
    fn forget(&mut self, id: &str) {
        for member in &mut self.members {
            member.missing.retain(|missing| missing.id != id);
        }
    }
}

impl Member {
    fn lacks(&self, id: &str) -> bool {
        self.missing.iter().any(|missing| missing.id == id)
    }

    /// Hears what comes until it has that message, or the message is refused, or the socket ends.
    async fn hear(&mut self, post: &Post<'_>, wrote: bool) {
        while self.lacks(post.id) && !self.refused && !self.ended {
            self.next(wrote).await;
        }
    }

    /// Hears what comes until it has everything, or the socket ends.
    async fn catch_up(&mut self) {
        while !self.missing.is_empty() && !self.ended {
            self.next(false).await;
        }
    }

    async fn next(&mut self, wrote: bool) {
        let wanted = |frame: &ServerFrame<'_>| {
            matches!(
                frame,
                ServerFrame::Message { .. } | ServerFrame::Answer { .. } | ServerFrame::Error(_)
            )
        };
        let Heard::Frame(text) = self.talk.hear(FOR_EVER, wanted).await else {
            self.ended = true;
            return;
        };
        let Ok(frame) = self.talk.parse(&text) else {
            return;
        };
        if matches!(frame, ServerFrame::Error(_)) {
            self.refused |= wrote;
        }
        let Some(heard) = named(&frame) else {
            return;
        };
        let place = self.missing.iter().position(|missing| missing.id == heard);
        if let Some(place) = place {
            self.heard.insert(self.missing.remove(place).writer);
        }
        if let ServerFrame::Message { id, .. } = frame {
            self.last_heard = Some(id.into_owned());
        }
    }

    /// What this member's socket lacks, when that message has been heard or waited for.
    fn judge(&self, who: usize, post: &Post<'_>, taken: &[usize]) -> Option<(Known, String)> {
        let name = format!("member {}", who + 1);
        let missing: Vec<&Missing> = self.missing.iter().filter(|one| one.calm).collect();
        let lacking = missing.len();
        let strangers = missing.iter();
        let strangers = strangers.filter(|missing| !self.heard.contains(&missing.writer));
        let apart = strangers.count();
        if !self.heard.is_empty() && apart >= DEAF_AFTER {
            let what = format!(
                "{name} never hears some of the others: {apart} messages that were taken never came"
            );
            return Some((Known::MemoryLayerTwoInstances, what));
        }
        let lacks = |number: &usize| missing.iter().any(|one| one.number == *number);
        if taken.len() == DEAF_AFTER && taken.iter().all(lacks) {
            let what = format!(
                "the socket of {name} is open and deaf: {lacking} messages that were taken never came"
            );
            return Some((Known::NoResubscribe, what));
        }
        let mut older = missing.iter();
        let gone = older.any(|missing| {
            missing.number + 1 < post.number && self.heard.contains(&missing.writer)
        });
        if gone && !self.lacks(post.id) {
            let what = format!(
                "{name} heard later messages, and {lacking} that were taken before them never"
            );
            return Some((Known::PubsubOnly, what));
        }
        None
    }
}
