//! The task worker: takes tasks from the queue, streams an answer for each, acknowledges it last.
//!
//! A worker killed half-way leaves its tasks pending; another takes them over and starts them
//! again, and the rooms drop what was already sent. It works inside a server or as a process of its
//! own: what it needs is its [`Context`]. **Source:** Redis consumer groups.

mod answer;
mod capacity;
mod circuit;
mod claim;
mod context;
mod counts;
mod group;
mod in_flight;
mod job;
mod pool;
mod reader;

use std::sync::Arc;

use tokio::sync::mpsc;

pub(crate) use capacity::Capacity;
pub(crate) use context::Context;
pub(crate) use counts::Counts;

/// Tasks read and not yet begun.
const READ_AHEAD: usize = 1024;

/// Works until the shutdown, then finishes what it has in hand.
pub(crate) async fn work(context: Arc<Context>) {
    let (found, jobs) = mpsc::channel(READ_AHEAD);
    let reading = reader::read(&context, found.clone());
    let claiming = claim::claim(&context, found);
    tokio::pin!(reading, claiming);
    let working = pool::Pool::new(&context).run(jobs);
    tokio::pin!(working);
    // The first two end with the shutdown and drop their senders, which ends the third.
    let (mut read, mut claimed) = (false, false);
    loop {
        tokio::select! {
            () = &mut reading, if !read => read = true,
            () = &mut claiming, if !claimed => claimed = true,
            () = &mut working => break,
            () = context.ended.cancelled() => return,
        }
    }
    group::leave(&context).await;
}
