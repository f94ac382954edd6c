//! What was answered in a room: so that a repeat of it is known as one, however many there are.
//!
//! An answer is remembered for as long as its history or the id of its message is, whichever is
//! longer. All rooms together hold [`FINISHED_MAX`] of them, about 160 bytes each: past that a room
//! forgets its own oldest for each new one.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::place::Place;
use crate::clock;

/// Answers remembered in all rooms together: 64 MiB.
const FINISHED_MAX: usize = 400_000;

/// What all rooms share: how long is remembered, and how much is.
#[derive(Clone)]
pub(super) struct Memory(Arc<Shared>);

struct Shared {
    hasher: RandomState,
    used: AtomicUsize,
    limit: usize,
    /// How long an answer is remembered.
    answers_ms: u64,
    /// How long the id of a message is, from when it was asked.
    ids_ms: u64,
}

/// A message by who sent it and by what id, as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question(u64);

/// How a task ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// When it began; the default where that is not known.
    pub(super) first: Place,
    /// How many events there were.
    pub(super) next: u32,
    /// Whether it was given up.
    pub(super) lost: bool,
    /// What it answered, and when that was asked.
    pub(super) asked: Option<(Question, u64)>,
}

/// The finished tasks of one room.
pub(super) struct Finished {
    memory: Memory,
    by_task: HashMap<u64, End>,
    by_question: HashMap<Question, u64>,
    /// When they ended, the oldest first.
    order: VecDeque<(u64, u64)>,
}

impl Memory {
    /// Answers are remembered for `answers_ms`, ids for `ids_ms`.
    pub(super) fn new(answers_ms: u64, ids_ms: u64) -> Self {
        Self::bounded(answers_ms, ids_ms, FINISHED_MAX)
    }

    fn bounded(answers_ms: u64, ids_ms: u64, limit: usize) -> Self {
        Self(Arc::new(Shared {
            hasher: RandomState::new(),
            used: AtomicUsize::new(0),
            limit,
            answers_ms: answers_ms.max(ids_ms),
            ids_ms,
        }))
    }

    /// The message of `user` with that id.
    pub(super) fn question(&self, user: u64, id: &str) -> Question {
        Question(self.0.hasher.hash_one((user, id)))
    }
}

impl Finished {
    pub(super) fn new(memory: &Memory) -> Self {
        Self {
            memory: memory.clone(),
            by_task: HashMap::new(),
            by_question: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn get(&self, task: u64) -> Option<&End> {
        self.by_task.get(&task)
    }

    /// The task that answered the message, while its id is remembered; none where it was given up.
    pub(super) fn answer_to(&self, question: Question) -> Option<u64> {
        let task = *self.by_question.get(&question)?;
        let end = self.get(task)?;
        let (_, asked_ms) = end.asked?;
        let age_ms = clock::since_start_ms().saturating_sub(asked_ms);
        (age_ms < self.memory.0.ids_ms && !end.lost).then_some(task)
    }

    /// Remembers the end of a task, and forgets those of long ago.
    pub(super) fn add(&mut self, task: u64, end: End) {
        let now_ms = clock::since_start_ms();
        self.forget_before(now_ms.saturating_sub(self.memory.0.answers_ms));
        let shared = Arc::clone(&self.memory.0);
        if shared.used.load(Ordering::Relaxed) >= shared.limit {
            self.forget_oldest();
        }
        if let Some((question, _)) = end.asked {
            self.by_question.insert(question, task);
        }
        if self.by_task.insert(task, end).is_none() {
            shared.used.fetch_add(1, Ordering::Relaxed);
            self.order.push_back((now_ms, task));
        }
    }

    fn forget_before(&mut self, ms: u64) {
        while self.order.front().is_some_and(|(ended, _)| *ended < ms) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, task)) = self.order.pop_front() else {
            return;
        };
        self.memory.0.used.fetch_sub(1, Ordering::Relaxed);
        if let Some((question, _)) = self.by_task.remove(&task).and_then(|end| end.asked)
            && self.by_question.get(&question) == Some(&task)
        {
            self.by_question.remove(&question);
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        self.memory
            .0
            .used
            .fetch_sub(self.order.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(asked: Option<(Question, u64)>) -> End {
        End {
            first: Place::default(),
            next: 0,
            lost: false,
            asked,
        }
    }

    #[test]
    fn thousands_of_answers_are_remembered_and_not_thirty_two() {
        let mut finished = Finished::new(&Memory::new(60_000, 60_000));
        (0..5_000).for_each(|task| finished.add(task, end(None)));
        assert!((0..5_000).all(|task| finished.get(task).is_some()));
    }

    #[test]
    fn at_the_bound_a_room_forgets_its_own_oldest_and_gives_all_back_at_its_end() {
        let memory = Memory::bounded(60_000, 60_000, 10);
        let mut one = Finished::new(&memory);
        let mut other = Finished::new(&memory);
        (0..8).for_each(|task| one.add(task, end(None)));
        (0..8).for_each(|task| other.add(task, end(None)));
        assert!((0..8).all(|task| one.get(task).is_some()));
        assert!(other.get(7).is_some() && other.get(0).is_none());
        assert!(memory.0.used.load(Ordering::Relaxed) <= 10);
        drop((one, other));
        assert_eq!(memory.0.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_id_is_forgotten_before_the_answer_is() {
        let memory = Memory::bounded(60_000, 0, 10);
        let mut finished = Finished::new(&memory);
        let question = memory.question(1, "m-1");
        finished.add(7, end(Some((question, clock::since_start_ms()))));
        assert_eq!(finished.answer_to(question), None);
        assert!(finished.get(7).is_some());
    }

    #[test]
    fn what_ended_long_ago_goes_when_something_new_ends() {
        let memory = Memory::bounded(0, 0, 10);
        let mut finished = Finished::new(&memory);
        finished.add(1, end(Some((memory.question(1, "m-1"), 1))));
        let ended = clock::since_start_ms();
        while clock::since_start_ms() <= ended {
            std::thread::yield_now();
        }
        finished.add(2, end(None));
        assert!(finished.get(1).is_none() && finished.by_question.is_empty());
        assert!(finished.get(2).is_some());
    }
}
