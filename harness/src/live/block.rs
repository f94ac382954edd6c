//! This module draws the block at the foot of the terminal, twice a second.
//!
//! **In:** what is seen now, and the size of the terminal. **Out:** text of at most 80 columns that
//! replaces the one before. The three lanes share one scale of time, so that phase, fault and p99
//! line up.

use std::sync::Arc;

use super::now::{FaultNow, Now, Phase};
use super::row::{self, LEAD};
use super::screen::Size;
use super::watched::{Glyphs, LOOK_EVERY_US};
use crate::format;
use crate::plan::Plan;
use crate::record::histogram::SparseHistogram;

/// Parts of the run that are told apart, and columns of a time lane where there is room.
const LANE: usize = 60;
const WIDTH: usize = 80;
/// Fewer columns than this are not drawn for.
const WIDTH_MIN: usize = 30;
/// The p99 lane is logarithmic from here …
const LOW_US: f64 = 10_000.0;
/// … over this many decades: 10 ms to 10 s.
const DECADES: f64 = 3.0;

/// The block between two drawings.
pub(super) struct Block {
    plan: Arc<Plan>,
    run_id: String,
    glyphs: Glyphs,
    /// What became of each part of the run so far.
    parts: Vec<Part>,
    filling: Filling,
    /// Columns of each line of the drawing that stands on the terminal.
    drawn: Vec<usize>,
}

/// A part of the run, as its answers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Nothing was answered and nothing was waited for.
    Quiet,
    Answered {
        p99_us: u64,
    },
    /// Nothing was answered, although something was waited for.
    Silent,
}

/// The part that is going on.
#[derive(Debug, Default)]
struct Filling {
    answers: SparseHistogram,
    waited: bool,
    /// There was a look at it: a short run has more parts than looks.
    seen: bool,
}

/// The characters of the lanes.
struct Lanes {
    ramp: char,
    down: char,
    hold: char,
    here: char,
    ahead: char,
    /// Where the load ends.
    end: char,
    drain: char,
    fault: char,
    planned: char,
    silent: char,
    levels: [char; 8],
}

const BLOCKS: Lanes = Lanes {
    ramp: '╱',
    down: '╲',
    hold: '━',
    here: '╸',
    ahead: '─',
    end: '┊',
    drain: '┄',
    fault: '▒',
    planned: '░',
    silent: '·',
    levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
};

const ASCII: Lanes = Lanes {
    ramp: '/',
    down: '\\',
    hold: '=',
    here: '>',
    ahead: '-',
    end: '|',
    drain: '.',
    fault: '#',
    planned: ':',
    silent: '.',
    levels: ['_', '_', '-', '-', '=', '=', '#', '#'],
};

impl Block {
    pub(super) fn new(plan: Arc<Plan>, run_id: &str, glyphs: Glyphs) -> Self {
        Self {
            plan,
            run_id: run_id.to_owned(),
            glyphs,
            parts: Vec::new(),
            filling: Filling::default(),
            drawn: Vec::new(),
        }
    }

    const fn lanes(&self) -> &'static Lanes {
        match self.glyphs {
            Glyphs::Blocks => &BLOCKS,
            Glyphs::Ascii => &ASCII,
        }
    }

    /// Load and the longest drain there can be.
    fn total_us(&self) -> u64 {
        (self.plan.load.load_us() + self.plan.load.drain_us).max(1)
    }

    /// The column of a moment in a lane of so many.
    fn column(&self, at_us: u64, lane: usize) -> usize {
        let place = u128::from(at_us) * lane as u128 / u128::from(self.total_us());
        usize::try_from(place).unwrap_or(lane).min(lane - 1)
    }

    /// Adds what arrived since the last look to the part of now.
    pub(super) fn add(&mut self, now: &Now) {
        let part = self.column(now.at_us, LANE);
        while self.parts.len() < part {
            let before = self.parts.last().copied();
            let full = std::mem::take(&mut self.filling);
            self.parts.push(full.part(before));
        }
        let filling = &mut self.filling;
        filling.seen = true;
        filling.answers.merge(&now.latest);
        filling.waited |= now.oldest_us.is_some_and(|us| us >= LOOK_EVERY_US);
    }

    /// The block, drawn over the one before.
    pub(super) fn draw(&mut self, now: &Now, faults: &[FaultNow], size: Size) -> String {
        let mut lines = self.lines(now, faults, size.columns);
        // Where it does not fit, its beginning stays in sight.
        lines.truncate(size.rows.saturating_sub(1).max(1));
        // Wrapping is off while it is drawn, so that a terminal that just became narrower cuts
        // lines and the cursor finds its way back.
        let mut text = String::from("\u{1b}[?7l");
        text.push_str(&self.back(size));
        for line in &lines {
            // Erased before it is written: after a full line the cursor stands on its last letter.
            text.push_str("\u{1b}[2K");
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("\u{1b}[J\u{1b}[?7h");
        self.drawn = lines.iter().map(|line| row::columns(line)).collect();
        text
    }

    /// To the first line of the drawing. A terminal that became narrower has broken its lines, as
    /// nearly all do.
    fn back(&self, size: Size) -> String {
        let rows = |columns: &usize| columns.div_ceil(size.columns.max(1)).max(1);
        match self.drawn.iter().map(rows).sum::<usize>() {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A\r"),
        }
    }

    /// Takes the block off the terminal: the summary follows in its place.
    pub(super) fn erase(&self, size: Size) -> String {
        format!("{}\u{1b}[J", self.back(size))
    }

    /// The lines for a terminal of so many columns; what has no room is continued below, never cut.
    pub(super) fn lines(&self, now: &Now, faults: &[FaultNow], columns: usize) -> Vec<String> {
        let width = columns.clamp(WIDTH_MIN, WIDTH);
        let total = format::plain(&format::duration(self.total_us()));
        let lane = LANE.min(width.saturating_sub(LEAD + 2 + row::columns(&total)).max(1));
        let mut lines = self.header(now, width);
        lines.push(format!(" phase    {}  {total}", self.phase_lane(now, lane)));
        lines.push(format!(" fault    {}", self.fault_lane(faults, lane)));
        lines.push(format!(" p99      {}", self.p99_lane(now, lane)));
        lines.extend(row::clients(now, width));
        lines.extend(row::messages(now, width));
        lines.extend(row::latency(now, width));
        lines.extend(row::faults(&self.plan, now, faults, width));
        lines.extend(row::errors(now, width));
        lines.extend(row::harness(now, width));
        let cut = |line: String| -> String { line.chars().take(width).collect() };
        let lines = lines.into_iter().map(cut);
        lines.map(|line| line.trim_end().to_owned()).collect()
    }

    fn header(&self, now: &Now, width: usize) -> Vec<String> {
        let load_us = self.plan.load.load_us();
        // The drain has a time of its own: it comes after the load.
        let (at_us, of_us) = match now.at_us.checked_sub(load_us) {
            Some(at_us) if now.phase == Phase::Drain => (at_us, self.plan.load.drain_us),
            _ => (now.at_us, load_us),
        };
        let title = format::harmless(&self.plan.title);
        let time = format!("{} of {} s", format::rough_stamp(at_us), seconds(of_us));
        let left = format!("{title}  {}  {time}", now.phase.text());
        let right = format!("run {}", self.run_id);
        let used = row::columns(&left) + row::columns(&right);
        if used + 2 <= width {
            let gap = width - used;
            return vec![format!("{left}{:gap$}{right}", "")];
        }
        let rest = [now.phase.text().to_owned(), time, right];
        let mut lines = row::flow("", &[title], 1, width);
        lines.extend(row::flow("", &rest, 2, width));
        lines
    }

    fn phase_lane(&self, now: &Now, lane: usize) -> String {
        let lanes = self.lanes();
        let (here, total_us) = (self.column(now.at_us, lane), self.total_us());
        let end = self.column(self.plan.load.load_us(), lane);
        let glyph = |column: usize| {
            let from_us = column as u64 * total_us / lane as u64;
            let phase = super::now::phase(&self.plan, from_us);
            match phase {
                _ if column == here => lanes.here,
                _ if column == end => lanes.end,
                Phase::Drain => lanes.drain,
                Phase::Ramp | Phase::RampDown | Phase::Hold if column > here => lanes.ahead,
                Phase::Ramp => lanes.ramp,
                Phase::RampDown => lanes.down,
                Phase::Hold => lanes.hold,
            }
        };
        (0..lane).map(glyph).collect()
    }

    /// Planned windows lightly, those that came true as they came.
    fn fault_lane(&self, faults: &[FaultNow], lane: usize) -> String {
        let lanes = self.lanes();
        let mut drawn = vec![' '; lane];
        let events = self.plan.faults.iter().zip(faults);
        for (planned, state) in events.filter(|(planned, _)| !planned.condition) {
            let planned_to_us = planned.at_us + planned.for_us;
            let (glyph, from_us, to_us) = match state.injected_us {
                Some(from_us) => (
                    lanes.fault,
                    from_us,
                    state.healed_us.unwrap_or(planned_to_us),
                ),
                None => (lanes.planned, planned.at_us, planned_to_us),
            };
            let from = self.column(from_us, lane);
            let to = self.column(to_us.saturating_sub(1), lane);
            drawn[from..=to.max(from)].fill(glyph);
        }
        drawn.into_iter().collect()
    }

    fn p99_lane(&self, now: &Now, lane: usize) -> String {
        let lanes = self.lanes();
        let current = (self.parts.len() <= self.column(now.at_us, LANE))
            .then(|| self.filling.part(self.parts.last().copied()));
        let parts = self.parts.iter().copied().chain(current);
        // Several parts in one column: the worst is shown.
        let mut columns: Vec<Part> = Vec::new();
        for (place, part) in parts.enumerate() {
            let column = place * lane / LANE;
            match columns.get_mut(column) {
                Some(worst) => *worst = part.max(*worst),
                None => columns.push(part),
            }
        }
        // A lane begins where something was answered for the first time.
        let is_answer = |part: &Part| matches!(part, Part::Answered { .. });
        let first = columns.iter().position(is_answer).unwrap_or(columns.len());
        let glyph = |(place, part): (usize, &Part)| match *part {
            _ if place < first => ' ',
            Part::Quiet => ' ',
            Part::Silent => lanes.silent,
            Part::Answered { p99_us } => level(lanes, p99_us),
        };
        columns.iter().enumerate().map(glyph).collect()
    }
}

impl Filling {
    /// What it is, where it ends now; what nobody looked at is as the part before.
    fn part(&self, before: Option<Part>) -> Part {
        match before {
            Some(before) if !self.seen => before,
            _ if !self.answers.is_empty() => Part::Answered {
                p99_us: self.answers.value_at(0.99),
            },
            _ if self.waited => Part::Silent,
            _ => Part::Quiet,
        }
    }
}

fn level(lanes: &Lanes, us: u64) -> char {
    let part = (us.max(1) as f64 / LOW_US).log10() / DECADES;
    let place = crate::units::rounded(part.clamp(0.0, 1.0) * 7.0);
    let place = usize::try_from(place).unwrap_or(0);
    lanes.levels[place.min(lanes.levels.len() - 1)]
}

/// `50`, or `0.5` where it is less than whole.
fn seconds(us: u64) -> String {
    if us.is_multiple_of(1_000_000) {
        (us / 1_000_000).to_string()
    } else {
        format::rough_stamp(us)
    }
}
