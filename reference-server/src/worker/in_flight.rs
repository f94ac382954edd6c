//! The tasks a worker has in flight, by when each is due next. Pure: the time is told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::job::Job;
use crate::store::StreamId;

/// One task being answered.
pub(super) struct Running {
    pub(super) job: Job,
    pub(super) answer: Answer,
    /// The turn to take next.
    pub(super) turn: u32,
    /// When it is due.
    due: Instant,
}

/// What a task does next.
pub(super) enum Next {
    /// Another turn, later.
    Later,
    /// Nothing: it is answered.
    Done,
    /// Nothing: it was let go of meanwhile.
    Gone,
}

/// When the turns are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) first_after: Duration,
    pub(super) interval: Duration,
}

/// All tasks in flight.
#[derive(Default)]
pub(super) struct InFlight {
    all: BTreeMap<StreamId, Running>,
    due: BinaryHeap<Reverse<(Instant, StreamId)>>,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes a task up. One that is in flight already is left as it is, and `false`.
    pub(super) fn take(&mut self, job: Job, chunks: u32, now: Instant) -> bool {
        let entry = job.entry;
        if self.all.contains_key(&entry) {
            return false;
        }
        let answer = Answer::new(&job, chunks);
        self.all.insert(
            entry,
            Running {
                job,
                answer,
                turn: 0,
                due: now,
            },
        );
        self.due.push(Reverse((now, entry)));
        true
    }

    /// When the next turn is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// The tasks due at `now`, at most `limit`. They stay in flight and are not due until
    /// [`InFlight::moved`] or [`InFlight::again`].
    pub(super) fn due(&mut self, now: Instant, limit: usize) -> Vec<StreamId> {
        let mut found = Vec::new();
        while found.len() < limit && self.next_due().is_some_and(|due| due <= now) {
            if let Some(Reverse((_, entry))) = self.due.pop() {
                found.push(entry);
            }
        }
        found
    }

    pub(super) fn get(&self, entry: StreamId) -> Option<&Running> {
        self.all.get(&entry)
    }

    /// The task's turn is out: sets the next one.
    pub(super) fn moved(&mut self, entry: StreamId, pace: Pace, now: Instant) -> Next {
        let Some(task) = self.all.get_mut(&entry) else {
            return Next::Gone;
        };
        let pause = if task.turn == 0 {
            pace.first_after
        } else {
            pace.interval
        };
        task.turn += 1;
        if task.turn == task.answer.turns() {
            return Next::Done;
        }
        // A turn that was late does not delay the next, but a turn held up by an outage does not
        // cause a burst.
        task.due = (task.due + pause).max(now.checked_sub(pause).unwrap_or(now));
        self.due.push(Reverse((task.due, entry)));
        Next::Later
    }

    /// The task's turn did not go out: it is due again at `at`.
    pub(super) fn again(&mut self, entry: StreamId, at: Instant) {
        if let Some(task) = self.all.get_mut(&entry) {
            task.due = at;
            self.due.push(Reverse((at, entry)));
        }
    }

    /// Lets go of a task: it is acknowledged, or another's. Whether it was in flight.
    pub(super) fn release(&mut self, entry: StreamId) -> bool {
        self.all.remove(&entry).is_some()
    }

    /// The entries in flight.
    pub(super) fn entries(&self) -> Vec<StreamId> {
        self.all.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        first_after: Duration::from_millis(10),
        interval: Duration::from_millis(5),
    };

    fn job(number: u64) -> Job {
        Job {
            entry: StreamId { ms: number, seq: 0 },
            task: number,
            conversation: "c".into(),
            text: "hi".to_owned(),
            asker: None,
        }
    }

    #[test]
    fn turns_keep_their_pace_even_when_one_is_late() {
        let (mut in_flight, start) = (InFlight::default(), Instant::now());
        in_flight.take(job(1), 2, start);
        let entry = in_flight.due(start, 9)[0];
        let late = start + Duration::from_millis(3);
        assert!(matches!(in_flight.moved(entry, PACE, late), Next::Later));
        assert_eq!(
            in_flight.next_due(),
            Some(start + Duration::from_millis(10))
        );
        in_flight.due(start + Duration::from_millis(10), 9);
        assert!(matches!(
            in_flight.moved(entry, PACE, start + Duration::from_millis(11)),
            Next::Later
        ));
        assert_eq!(
            in_flight.next_due(),
            Some(start + Duration::from_millis(15))
        );
        in_flight.due(start + Duration::from_millis(15), 9);
        assert!(matches!(
            in_flight.moved(entry, PACE, start + Duration::from_millis(15)),
            Next::Done
        ));
        assert_eq!(in_flight.len(), 1, "in flight until it is acknowledged");
    }

    #[test]
    fn a_task_read_twice_is_answered_once() {
        let (mut in_flight, now) = (InFlight::default(), Instant::now());
        assert!(in_flight.take(job(1), 2, now));
        assert!(!in_flight.take(job(1), 2, now));
        assert_eq!((in_flight.len(), in_flight.due(now, 9).len()), (1, 1));
    }

    #[test]
    fn what_was_let_go_of_has_no_more_turns() {
        let (mut in_flight, now) = (InFlight::default(), Instant::now());
        in_flight.take(job(1), 2, now);
        let entry = in_flight.due(now, 9)[0];
        assert!(in_flight.release(entry));
        assert!(!in_flight.release(entry), "only once");
        assert!(matches!(in_flight.moved(entry, PACE, now), Next::Gone));
        in_flight.again(entry, now);
        assert_eq!((in_flight.len(), in_flight.next_due()), (0, None));
    }

    #[test]
    fn what_did_not_go_out_is_due_again() {
        let (mut in_flight, now) = (InFlight::default(), Instant::now());
        in_flight.take(job(1), 2, now);
        let entry = in_flight.due(now, 9)[0];
        assert_eq!(in_flight.next_due(), None);
        in_flight.again(entry, now + Duration::from_millis(100));
        assert_eq!(in_flight.get(entry).unwrap().turn, 0);
        assert_eq!(in_flight.next_due(), Some(now + Duration::from_millis(100)));
    }
}
