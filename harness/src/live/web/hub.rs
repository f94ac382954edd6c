//! This module stands between a run and those who watch it on the page.
//!
//! **In:** pictures of the run. **Out:** events, for as many viewers as there may be. Who comes late gets everything so far first;
//! who falls behind by more than [`EVENTS_MAX`] events loses the stream, and comes again. The run never waits here.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::body::Bytes;
use serde::{Serialize, Serializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use super::super::metrics::Metrics;
use super::super::now::{FaultNow, Now};
use super::super::timeline::Timeline;
use super::frame::{Frame, Hello, Point};
use crate::plan::Plan;

/// Who may watch at a time.
pub(super) const VIEWERS_MAX: usize = 16;
/// Events that a viewer may be behind.
const EVENTS_MAX: usize = 16;

/// How a run ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ended {
    /// `PASS`, `FAIL`, …; what went wrong where there is no verdict.
    pub verdict: String,
    pub code: u8,
    pub sentence: String,
    /// Where the report lies on the disk of the machine that ran it.
    pub place: String,
    #[serde(rename = "has_report", serialize_with = "is_there")]
    pub report: Option<Vec<u8>>,
}

#[expect(clippy::ref_option, reason = "as serde hands it over")]
fn is_there<S: Serializer>(report: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(report.is_some())
}

/// One event of the stream: its name and its JSON.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub name: &'static str,
    pub data: Arc<str>,
}

impl Event {
    fn new(name: &'static str, data: &impl Serialize) -> Self {
        // Nothing that is told has a key that is no text: it cannot fail.
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
        Self {
            name,
            data: data.into(),
        }
    }
}

/// What who comes now must be told first.
#[derive(Debug, Default)]
struct Opening {
    hello: Option<Event>,
    now: Option<Event>,
    points: Vec<Point>,
    /// The load is over, or the run is.
    end: Option<Event>,
}

/// The run, for those who watch it.
pub(crate) struct Hub {
    events: broadcast::Sender<Event>,
    viewers: Arc<Semaphore>,
    opening: Mutex<Opening>,
    metrics: OnceLock<Arc<Metrics>>,
    report: OnceLock<Bytes>,
    /// Pages that are there and will want the report.
    pages: AtomicUsize,
    /// How often the report was fetched; changes as pages go, too.
    fetched: watch::Sender<usize>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            events: broadcast::Sender::new(EVENTS_MAX),
            viewers: Arc::new(Semaphore::new(VIEWERS_MAX)),
            opening: Mutex::default(),
            metrics: OnceLock::new(),
            report: OnceLock::new(),
            pages: AtomicUsize::new(0),
            fetched: watch::Sender::new(0),
        }
    }
}

/// A viewer's place, and what it is told.
pub(super) struct Viewer {
    pub first: Vec<Event>,
    pub events: broadcast::Receiver<Event>,
    hub: Arc<Hub>,
    is_page: bool,
    _place: OwnedSemaphorePermit,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if self.is_page {
            self.hub.pages.fetch_sub(1, Ordering::Relaxed);
            // Whoever waits for pages looks again.
            self.hub.fetched.send_modify(|_| ());
        }
    }
}

impl Hub {
    /// A place for one more, if there is one. `is_page`: it will want the report.
    pub(super) fn join(self: &Arc<Self>, is_page: bool) -> Option<Viewer> {
        let place = Arc::clone(&self.viewers).try_acquire_owned().ok()?;
        let opening = self.opening.lock().ok()?;
        // Under the lock: nothing falls between what was and what comes.
        let events = self.events.subscribe();
        let points = (!opening.points.is_empty()).then(|| Event::new("points", &opening.points));
        let first = [
            opening.hello.clone(),
            points,
            opening.now.clone(),
            opening.end.clone(),
        ];
        self.pages
            .fetch_add(usize::from(is_page), Ordering::Relaxed);
        Some(Viewer {
            first: first.into_iter().flatten().collect(),
            events,
            hub: Arc::clone(self),
            is_page,
            _place: place,
        })
    }

    /// The load is about to begin.
    pub(in super::super) fn begin(&self, plan: &Plan, run_id: &str, metrics: &Arc<Metrics>) {
        // There is one run: nothing is there yet.
        if self.metrics.set(Arc::clone(metrics)).is_err() {
            tracing::debug!("a run is shown already");
        }
        let hello = Event::new("hello", &Hello::of(plan, run_id));
        self.tell(&hello, |opening| opening.hello = Some(hello.clone()));
    }

    /// The run as it is now; slots from the last one told on are told again.
    pub(in super::super) fn show(
        &self,
        plan: &Plan,
        now: &Now,
        (faults, timeline): (&[FaultNow], &Timeline),
    ) {
        let from = self
            .opening
            .lock()
            .map_or(0, |opening| opening.points.len());
        let from = from.saturating_sub(1);
        let slots = timeline.slots().iter().enumerate().skip(from);
        let new: Vec<Point> = slots.map(|(place, slot)| Point::of(place, slot)).collect();
        let points = Event::new("points", &new);
        self.tell(&points, |opening| {
            opening.points.truncate(from);
            opening.points.extend(&new);
        });
        let frame = Event::new("now", &Frame::of(plan, now, faults));
        self.tell(&frame, |opening| opening.now = Some(frame.clone()));
    }

    /// The load is over, and the run is being judged.
    pub(in super::super) fn judging(&self) {
        let over = Event::new("over", &());
        self.tell(&over, |opening| opening.end = Some(over.clone()));
    }

    /// The run is over. What is returned is done when every page has fetched the report, or gone.
    pub(super) fn end(self: &Arc<Self>, mut ended: Ended) -> impl Future<Output = ()> + use<> {
        let event = Event::new("ended", &ended);
        if let Some(report) = ended.report.take() {
            // There is one end.
            if self.report.set(report.into()).is_err() {
                tracing::debug!("the run ended already");
            }
        }
        let pages = if self.report.get().is_some() {
            self.pages.load(Ordering::Relaxed)
        } else {
            0
        };
        self.tell(&event, |opening| opening.end = Some(event.clone()));
        let (hub, mut fetched) = (Arc::clone(self), self.fetched.subscribe());
        async move {
            let is_done = |count: &usize| *count >= pages || hub.pages.load(Ordering::Relaxed) == 0;
            // The sender is the hub's, and is there as long as the hub.
            drop(fetched.wait_for(is_done).await);
        }
    }

    fn tell(&self, event: &Event, keep: impl FnOnce(&mut Opening)) {
        // A poisoned lock means that a viewer's task panicked: the page stops, the run does not.
        if let Ok(mut opening) = self.opening.lock() {
            keep(&mut opening);
            // Nobody may be watching.
            drop(self.events.send(event.clone()));
        }
    }

    pub(super) fn metrics(&self) -> Option<&Arc<Metrics>> {
        self.metrics.get()
    }

    /// The report, for one who fetches it.
    pub(super) fn report(&self) -> Option<Bytes> {
        let report = self.report.get()?.clone();
        self.fetched.send_modify(|count| *count += 1);
        Some(report)
    }
}
