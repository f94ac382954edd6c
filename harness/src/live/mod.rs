//! This module shows a run while it is under way: on the terminal, as lines, as metrics, and on a page.
//!
//! **In:** the shared counters and the fault driver's events. **Out:** stderr, `/metrics`, and what a page is told.
//! Nothing here is kept and nothing here decides: the verdict comes from the saved result. Latency
//! is told by *arrival* here, not by intended send, because what is not answered yet has none;
//! `oldest` says how long the oldest unanswered message has been waiting.
//!
//! **Units:** a look every 250 ms; rates and percentiles are of the last four looks, about a
//! second.

mod block;
mod expected;
pub(crate) mod exporter;
mod fact;
mod history;
mod lane;
mod lines;
mod metrics;
mod now;
mod row;
mod screen;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod view;
mod watched;
pub(crate) mod web;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::block::{Block, total_us};
use self::expected::Expected;
use self::history::History;
use self::lines::Lines;
use self::metrics::Metrics;
use self::now::{FaultNow, Now};
use self::screen::{Screen, Size};
use self::timeline::Timeline;
use self::view::LOOK_EVERY_US;
pub(crate) use self::view::{Glyphs, Style, View};
pub(crate) use self::watched::Watched;
use crate::fault::FaultEvent;
use crate::plan::Plan;
use crate::record::counters::Reader;

/// The block is redrawn, and the page told, every so many looks.
const LOOKS_PER_BLOCK: u64 = 2;
/// How long the metrics server may take to finish an answer once the load is over.
const SERVER_GRACE: Duration = Duration::from_millis(500);

/// Watches until `over` fires.
pub(crate) async fn watch(
    mut watched: Watched,
    mut faults: mpsc::Receiver<FaultEvent>,
    over: CancellationToken,
) {
    let metrics = Arc::new(Metrics::new(
        Arc::clone(&watched.plan),
        watched.run_id.clone(),
        watched.clock,
        Arc::clone(&watched.counters),
    ));
    let mut servers = JoinSet::new();
    if let Some(listener) = watched.exporter.take() {
        let server = exporter::serve(listener, Arc::clone(&metrics), over.clone());
        servers.spawn(server);
    }
    if let Some(hub) = &watched.web {
        hub.begin(&watched.plan, &watched.run_id, &metrics);
    }
    let mut shown = Shown::new(&watched);
    let mut picture = Picture::new(&watched);
    let mut look = watched.clock.now_us() / LOOK_EVERY_US;
    loop {
        look += 1;
        let due = watched.clock.until(look * LOOK_EVERY_US);
        tokio::select! {
            () = tokio::time::sleep(due) => {}
            () = over.cancelled() => break,
        }
        // The channel closes when the driver is done; what it said is kept.
        while let Ok(event) = faults.try_recv() {
            picture.hear(&event);
            shown.event(&watched.plan, &event);
        }
        let now = picture.look(&watched, &metrics);
        // A look that comes late stands for those it missed.
        look = look.max(now.at_us / LOOK_EVERY_US);
        shown.look(look, &now, &picture);
        if let Some(hub) = watched.web.as_ref().filter(|_| is_drawn(look)) {
            hub.show(&watched.plan, &now, picture.seen());
        }
    }
    // As it was in the end: of the last answers some came since the last look.
    let now = picture.look(&watched, &metrics);
    if let Some(hub) = &watched.web {
        hub.show(&watched.plan, &now, picture.seen());
        hub.judging();
    }
    shown.finish(now).await;
    // Cancelled with the load: an answer that is still being written gets a moment.
    let finished = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(SERVER_GRACE, finished).await.is_err() {
        servers.abort_all();
    }
}

/// Whether this look is drawn.
const fn is_drawn(look: u64) -> bool {
    look.is_multiple_of(LOOKS_PER_BLOCK)
}

/// What has been seen of the run so far.
struct Picture {
    history: History,
    timeline: Timeline,
    expected: Expected,
    faults: Vec<FaultNow>,
}

impl Picture {
    fn new(watched: &Watched) -> Self {
        Self {
            history: History::from(watched.clock.now_us()),
            timeline: Timeline::new(total_us(&watched.plan)),
            expected: Expected::new(&watched.plan),
            faults: vec![FaultNow::default(); watched.plan.faults.len()],
        }
    }

    fn hear(&mut self, event: &FaultEvent) {
        if let Some(state) = self.faults.get_mut(event.fault) {
            state.hear(event);
        }
    }

    fn seen(&self) -> (&[FaultNow], &Timeline) {
        (&self.faults, &self.timeline)
    }

    fn look(&mut self, watched: &Watched, metrics: &Metrics) -> Now {
        let (plan, counters) = (&watched.plan, &watched.counters);
        let recent = counters.take_recent(Reader::View);
        metrics.add(&recent, &self.faults);
        let at_us = watched.clock.now_us();
        let in_force: Vec<bool> = self.faults.iter().map(FaultNow::in_force).collect();
        self.expected.add(plan, &recent, (&in_force, at_us));
        self.history.look(counters, recent, at_us);
        let mut now = Now::take(plan, counters, &self.history, at_us);
        now.expected = self.expected.standings(plan, counters);
        self.timeline.add(&now);
        now
    }
}

/// One of the views, with its stream.
struct Shown {
    display: Display,
    screen: Option<Screen>,
}

enum Display {
    Block(Box<Block>),
    Lines(Box<Lines>),
    Quiet,
}

impl Shown {
    fn new(watched: &Watched) -> Self {
        let (plan, run_id) = (&watched.plan, &watched.run_id);
        let display = match watched.view {
            View::Block(style) => {
                Display::Block(Box::new(Block::new(Arc::clone(plan), run_id, style)))
            }
            View::Lines => Display::Lines(Box::new(Lines::new(watched.clock))),
            View::Quiet => Display::Quiet,
        };
        // Without a thread for it there is no view; the run does not need one.
        let screen = match display {
            Display::Block(_) | Display::Lines(_) => Screen::start(std::io::stderr()).ok(),
            Display::Quiet => None,
        };
        let shown = Self { display, screen };
        if let Display::Lines(lines) = &shown.display {
            shown.send(lines.started(plan, run_id));
        }
        shown
    }

    fn send(&self, text: String) {
        if let Some(screen) = &self.screen {
            screen.show(text);
        }
    }

    fn event(&self, plan: &Plan, event: &FaultEvent) {
        if let Display::Lines(lines) = &self.display
            && let Some(line) = lines.event(plan, event)
        {
            self.send(line);
        }
    }

    fn look(&mut self, look: u64, now: &Now, picture: &Picture) {
        let text = match &mut self.display {
            Display::Block(block) => {
                is_drawn(look).then(|| block.draw(now, picture.seen(), Size::of_stderr()))
            }
            Display::Lines(lines) => lines.look(now, &picture.faults),
            Display::Quiet => None,
        };
        if let Some(text) = text {
            self.send(text);
        }
    }

    async fn finish(self, now: Now) {
        match &self.display {
            Display::Block(block) => self.send(block.erase(Size::of_stderr())),
            Display::Lines(lines) => self.send(lines.finished(&now)),
            Display::Quiet => {}
        }
        if let Some(screen) = self.screen {
            screen.finish().await;
        }
    }
}
