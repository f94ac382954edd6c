//! The task worker: takes tasks from the queue, streams an answer for each, acknowledges it last.
//!
//! A worker killed half-way leaves its tasks pending; another takes them over and starts them again, and the
//! rooms drop what was already sent. It works inside a server or as a process of its own: what it needs is its [`Desk`].
//! **Source:** Redis consumer groups.

mod answer;
mod circuit;
mod claim;
mod counts;
mod desk;
mod group;
mod hand;
mod pool;
mod process;
mod reader;
mod redrive;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::stream_id::StreamId;

pub(crate) use counts::Counts;
pub(crate) use desk::{Desk, Terms, Ways};
pub(crate) use process::start;
pub(crate) use redrive::redrive;

/// The queue.
pub(crate) const STREAM: &str = "chat:tasks";
/// Its consumer group.
pub(crate) const GROUP: &str = "workers";
/// Tasks read and not yet begun.
const READ_AHEAD: usize = 1024;

/// A task from the queue.
#[derive(Debug)]
pub(crate) struct Job {
    entry: StreamId,
    task: u64,
    conversation: Arc<str>,
    text: String,
    /// Who asked, and the id the message had, if it had one.
    asker: Option<(u64, String)>,
}

/// A queue entry as Redis returns it: its id, then fields and values in turn; none where the entry was deleted.
type Entry = (String, Option<Vec<String>>);

impl Job {
    fn read((id, fields): Entry) -> Option<Self> {
        let fields = fields?;
        let value = |name: &str| {
            let at = fields.chunks(2).find(|pair| pair[0] == name)?;
            at.get(1).map(String::as_str)
        };
        Some(Self {
            entry: id.parse().ok()?,
            task: u64::from_str_radix(value("t")?, 16).ok()?,
            conversation: value("c")?.into(),
            text: value("m")?.to_owned(),
            asker: value("u").zip(value("i")).and_then(asker),
        })
    }
}

fn asker((user, id): (&str, &str)) -> Option<(u64, String)> {
    Some((user.parse().ok()?, id.to_owned()))
}

/// Works until the shutdown, then finishes what it has in hand.
pub(crate) async fn work(desk: Arc<Desk>) {
    let (found, jobs) = mpsc::channel(READ_AHEAD);
    let reading = reader::read(&desk, found.clone());
    let claiming = claim::claim(&desk, found);
    tokio::pin!(reading, claiming);
    let working = pool::Pool::new(&desk).run(jobs);
    tokio::pin!(working);
    // The first two end with the shutdown and drop their senders, which ends the third.
    let (mut read, mut claimed) = (false, false);
    loop {
        tokio::select! {
            () = &mut reading, if !read => read = true,
            () = &mut claiming, if !claimed => claimed = true,
            () = &mut working => break,
            () = desk.ended.cancelled() => return,
        }
    }
    group::leave(&desk).await;
}
