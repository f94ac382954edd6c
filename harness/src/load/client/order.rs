//! This module names what a server leaves unnamed: answers without an id belong to the messages in their
//! order.
//!
//! **In:** frames of a dialect. **Out:** the same as events of the contract: each answer is queued, comes in
//! chunks and is complete.
//!
//! A new socket begins a new order: what was under way on the old one does not come any more.

use std::borrow::Cow;

use crate::client::wire::{ServerFrame, TaskId, UNNUMBERED};
use crate::plan::Matching;

/// Answers so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    queued: u64,
    complete: u64,
    /// The server said that it began with the answer that is under way.
    started: bool,
    /// Answers that were given up since somebody asked.
    given_up: u64,
}

impl Order {
    pub(super) const fn new_socket(&mut self) {
        self.complete = self.queued;
        self.started = false;
    }

    /// Answers that were begun and not ended before the next one began, since the last call.
    pub(super) const fn take_given_up(&mut self) -> u64 {
        std::mem::replace(&mut self.given_up, 0)
    }

    /// The frames of the contract that this one stands for, at most three. An answer without an id belongs
    /// to nobody where answers have one.
    pub(super) fn named<'a>(
        &mut self,
        matching: Matching,
        frame: ServerFrame<'a>,
    ) -> Vec<ServerFrame<'a>> {
        match frame {
            ServerFrame::Answer { id: None } if matching == Matching::Id => Vec::new(),
            ServerFrame::TaskQueued {
                task: TaskId::UNNAMED,
                client_message_id,
            } => vec![self.queue(client_message_id)],
            ServerFrame::ProcessingStarted {
                task: TaskId::UNNAMED,
            } => self.start(),
            ServerFrame::Ignored => Vec::new(),
            ServerFrame::Chunk {
                task: TaskId::UNNAMED,
                seq,
            } => {
                let mut frames = self.begun();
                let task = self.current();
                frames.push(ServerFrame::Chunk { task, seq });
                frames
            }
            ServerFrame::Complete {
                task: TaskId::UNNAMED,
                chunks,
            } => {
                let mut frames = self.begun();
                frames.push(ServerFrame::Complete {
                    task: self.current(),
                    chunks,
                });
                self.complete += 1;
                self.started = false;
                frames
            }
            ServerFrame::Answer { id: Some(id) } => {
                let task = TaskId::of(&id);
                let queued = ServerFrame::TaskQueued {
                    task,
                    client_message_id: Some(id),
                };
                let [chunk, complete] = whole(task);
                vec![queued, chunk, complete]
            }
            ServerFrame::Answer { id: None } => {
                let mut frames = self.begun();
                frames.extend(whole(self.current()));
                self.complete += 1;
                frames
            }
            named => vec![named],
        }
    }

    /// An answer begins. One that had begun before and has no end never gets one: were it waited for, each later
    /// answer would be taken for that of the message before.
    fn start<'a>(&mut self) -> Vec<ServerFrame<'a>> {
        let mut frames = Vec::new();
        if std::mem::replace(&mut self.started, true) {
            frames = self.begun();
            self.complete += 1;
            self.given_up += 1;
        }
        frames
    }

    /// The answer that comes next is queued, if nobody said so.
    fn begun<'a>(&mut self) -> Vec<ServerFrame<'a>> {
        if self.queued > self.complete {
            return Vec::new();
        }
        vec![self.queue(None)]
    }

    fn queue<'a>(&mut self, client_message_id: Option<Cow<'a, str>>) -> ServerFrame<'a> {
        self.queued += 1;
        ServerFrame::TaskQueued {
            task: TaskId(self.queued),
            client_message_id,
        }
    }

    /// The task has its number from here: others do not know it.
    pub(super) const fn has_counted(&self, task: TaskId) -> bool {
        task.0 <= self.queued
    }

    const fn current(&self) -> TaskId {
        TaskId(self.complete + 1)
    }
}

fn whole<'a>(task: TaskId) -> [ServerFrame<'a>; 2] {
    let seq = UNNUMBERED;
    let chunks = UNNUMBERED;
    [
        ServerFrame::Chunk { task, seq },
        ServerFrame::Complete { task, chunks },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_ids_are_those_of_the_messages_in_order() {
        let mut order = Order::default();
        let answer = || ServerFrame::Answer { id: None };
        let tasks = |frames: Vec<ServerFrame<'_>>| -> Vec<u64> {
            let tasks = frames.iter().filter_map(|frame| match frame {
                ServerFrame::TaskQueued { task, .. }
                | ServerFrame::Chunk { task, .. }
                | ServerFrame::Complete { task, .. } => Some(task.0),
                _ => None,
            });
            tasks.collect()
        };
        assert_eq!(tasks(order.named(Matching::Order, answer())), [1, 1, 1]);
        let queued = || ServerFrame::TaskQueued {
            task: TaskId::UNNAMED,
            client_message_id: None,
        };
        assert_eq!(tasks(order.named(Matching::Order, queued())), [2]);
        assert_eq!(tasks(order.named(Matching::Order, queued())), [3]);
        assert_eq!(tasks(order.named(Matching::Order, answer())), [2, 2]);
        order.new_socket();
        assert_eq!(tasks(order.named(Matching::Order, answer())), [4, 4, 4]);
        assert!(order.named(Matching::Id, answer()).is_empty());
    }

    #[test]
    fn an_answer_that_never_ended_does_not_shift_those_after_it() {
        let task = TaskId::UNNAMED;
        let (seq, chunks) = (UNNUMBERED, UNNUMBERED);
        let started = || ServerFrame::ProcessingStarted { task };
        let chunk = || ServerFrame::Chunk { task, seq };
        let complete = || ServerFrame::Complete { task, chunks };
        let mut order = Order::default();
        let mut hear = |frame| {
            let frames = order.named(Matching::Order, frame);
            let tasks = frames.iter().map(|frame| match frame {
                ServerFrame::TaskQueued { task, .. }
                | ServerFrame::Chunk { task, .. }
                | ServerFrame::Complete { task, .. } => task.0,
                other => panic!("{other:?}"),
            });
            let tasks: Vec<u64> = tasks.collect();
            (tasks, order.take_given_up())
        };
        assert_eq!(hear(started()), (vec![], 0));
        assert_eq!(hear(chunk()), (vec![1, 1], 0));
        // Its end is lost; nothing at all comes of the next one.
        assert_eq!(hear(started()), (vec![], 1));
        assert_eq!(hear(started()), (vec![2], 1));
        assert_eq!(hear(chunk()), (vec![3, 3], 0));
        assert_eq!(hear(complete()), (vec![3], 0));
        assert_eq!(hear(started()), (vec![], 0));
        assert_eq!(hear(complete()), (vec![4, 4], 0));
    }
}
