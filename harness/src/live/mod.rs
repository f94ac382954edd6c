//! This module shows a run while it is under way: on the terminal, as lines, and as metrics.
//!
//! **In:** the shared counters and the fault driver's events. **Out:** stderr, and `/metrics`.
//! Nothing here is kept and nothing here decides: the verdict comes from the saved result. Latency
//! is told by *arrival* here, not by intended send, because what is not answered yet has none;
//! `oldest` says how long the oldest unanswered message has been waiting.
//!
//! **Units:** a look every 250 ms; rates and percentiles are of the last four looks, about a
//! second.

mod block;
pub(crate) mod exporter;
mod history;
mod lines;
mod metrics;
mod now;
mod row;
mod screen;
#[cfg(test)]
mod tests;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::block::Block;
use self::history::History;
use self::lines::Lines;
use self::metrics::Metrics;
use self::now::{FaultNow, Now};
use self::screen::{Screen, Size};
use self::watched::LOOK_EVERY_US;
pub(crate) use self::watched::{Glyphs, View, Watched};
use crate::fault::FaultEvent;
use crate::plan::Plan;
use crate::record::counters::Reader;

/// The block is redrawn every so many looks.
const LOOKS_PER_BLOCK: u64 = 2;
/// How long the metrics server may take to finish an answer once the load is over.
const SERVER_GRACE: Duration = Duration::from_millis(500);

/// Watches until `over` fires.
pub(crate) async fn watch(
    watched: Watched,
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
    if let Some(listener) = watched.exporter {
        let server = exporter::serve(listener, Arc::clone(&metrics), over.clone());
        servers.spawn(server);
    }
    let mut shown = Shown::new(watched.view, &watched.plan, &watched.run_id);
    let mut history = History::new();
    let mut states = vec![FaultNow::default(); watched.plan.faults.len()];
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
            if let Some(state) = states.get_mut(event.fault) {
                state.hear(&event);
            }
            shown.event(&watched.plan, &event);
        }
        let recent = watched.counters.take_recent(Reader::View);
        metrics.add(&recent, &states);
        history.look(&watched.counters, recent);
        // A look that comes late stands for those it missed.
        let at_us = watched.clock.now_us();
        look = look.max(at_us / LOOK_EVERY_US);
        let now = Now::take(&watched.plan, &watched.counters, &history, at_us);
        shown.look(look, &now, &states);
    }
    shown.finish().await;
    // Cancelled with the load: an answer that is still being written gets a moment.
    let finished = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(SERVER_GRACE, finished).await.is_err() {
        servers.abort_all();
    }
}

/// One of the views, with its stream.
struct Shown {
    display: Display,
    screen: Option<Screen>,
}

enum Display {
    Block(Box<Block>),
    Lines(Lines),
    Quiet,
}

impl Shown {
    fn new(view: View, plan: &Arc<Plan>, run_id: &str) -> Self {
        let display = match view {
            View::Block(glyphs) => {
                Display::Block(Box::new(Block::new(Arc::clone(plan), run_id, glyphs)))
            }
            View::Lines => Display::Lines(Lines::default()),
            View::Quiet => Display::Quiet,
        };
        // Without a thread for it there is no view; the run does not need one.
        let screen = match display {
            Display::Block(_) | Display::Lines(_) => Screen::start(std::io::stderr()).ok(),
            Display::Quiet => None,
        };
        Self { display, screen }
    }

    fn send(&self, text: String) {
        if let Some(screen) = &self.screen {
            screen.show(text);
        }
    }

    fn event(&self, plan: &Plan, event: &FaultEvent) {
        if let Display::Lines(_) = self.display
            && let Some(line) = lines::fault_line(plan, event)
        {
            self.send(line);
        }
    }

    fn look(&mut self, look: u64, now: &Now, faults: &[FaultNow]) {
        let text = match &mut self.display {
            Display::Block(block) => {
                block.add(now);
                look.is_multiple_of(LOOKS_PER_BLOCK)
                    .then(|| block.draw(now, faults, Size::of_stderr()))
            }
            Display::Lines(lines) => lines.look(now, faults),
            Display::Quiet => None,
        };
        if let Some(text) = text {
            self.send(text);
        }
    }

    async fn finish(self) {
        if let Display::Block(block) = &self.display {
            self.send(block.erase(Size::of_stderr()));
        }
        if let Some(screen) = self.screen {
            screen.finish().await;
        }
    }
}
