//! One experiment: what it is given, and what it comes to.

use std::any::Any;
use std::time::Duration;

use crate::client::socket::SendError;
use crate::known::Known;
use crate::plan::seed::Stream;
use crate::record::trial::TrialRecord;

/// Longest wait for one answer, where the experiment is about something else.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an experiment is unclear on whose socket the server broke the WebSocket protocol: that is a failure of its own.
pub(super) const BROKE_PROTOCOL: &str = "the server broke the WebSocket protocol";

/// What an experiment came to.
pub(super) enum Outcome {
    /// The server did what it must.
    Held,
    /// It did not, in this way; one clause says what was seen.
    Broke(Known, String),
    /// It shows neither; why, from a small fixed set.
    Inconclusive(&'static str),
}

/// An experiment that could not be carried out; why, from a small fixed set.
pub(super) struct Inconclusive(pub &'static str);

impl From<SendError> for Inconclusive {
    fn from(_: SendError) -> Self {
        Self("the socket ended")
    }
}

/// One experiment of a worker.
pub(super) struct Iteration<'a> {
    /// Counts from 0.
    pub number: u64,
    pub chance: &'a mut Stream,
    /// What a worker keeps from one experiment to the next.
    pub state: &'a mut State,
    pub record: &'a mut TrialRecord,
}

/// What a worker keeps: a value of the kind's own.
#[derive(Default)]
pub(super) struct State(Option<Box<dyn Any + Send>>);

impl State {
    /// The value; the default before there is one. A worker has one kind, so another one's is never met.
    pub(super) fn of<T: Default + Send + 'static>(&mut self) -> Result<&mut T, Inconclusive> {
        let kept = self.0.get_or_insert_with(|| Box::new(T::default()));
        let own = kept.downcast_mut();
        own.ok_or(Inconclusive("its state is that of another kind"))
    }
}
