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

use crate::route;
use crate::stream_id::StreamId;

pub(crate) use counts::Counts;
pub(crate) use desk::{Desk, Terms, Ways};
pub(crate) use group::stands;
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

/// A queue entry as Redis returns it: its id, then fields and values in turn; none where the entry was deleted. Anybody who may write to Redis
/// may have put it there: it can hold anything.
type Entry = (String, Option<Vec<Vec<u8>>>);

impl Job {
    /// `None` where it is no task.
    fn read((id, fields): &Entry) -> Option<Self> {
        let fields = fields.as_ref()?;
        let value = |name: &str| {
            let at = fields.chunks(2).find(|pair| pair[0] == name.as_bytes())?;
            str::from_utf8(at.get(1)?).ok()
        };
        Some(Self {
            entry: id.parse().ok()?,
            task: u64::from_str_radix(value("t")?, 16).ok()?,
            conversation: route::checked(value("c")?)?.into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: &str, fields: &[(&str, &[u8])]) -> Option<Job> {
        let fields = fields
            .iter()
            .flat_map(|(name, value)| [name.as_bytes().to_vec(), value.to_vec()]);
        Job::read(&(id.to_owned(), Some(fields.collect())))
    }

    #[test]
    fn what_is_no_task_is_known_as_such() {
        let whole: [(&str, &[u8]); 3] = [("t", b"a7"), ("c", b"conv-1"), ("m", b"hello")];
        assert_eq!(read("5-0", &whole).unwrap().task, 0xa7);
        assert!(Job::read(&("5-0".to_owned(), None)).is_none());
        for (name, value) in [
            ("t", &b"no number"[..]),
            ("t", b"\xff"),
            ("c", b"a b"),
            ("c", b""),
            ("m", b"\xff\xfe"),
        ] {
            let other = whole.map(|(known, is)| (known, if known == name { value } else { is }));
            assert!(read("5-0", &other).is_none(), "{name} {value:?}");
        }
        assert!((0..3).all(|without| {
            let mut fields = whole.to_vec();
            fields.remove(without);
            read("5-0", &fields).is_none()
        }));
    }
}
