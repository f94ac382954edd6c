//! This module draws the block at the foot of the terminal, twice a second.
//!
//! **In:** what is seen now. **Out:** text of 80 columns that replaces the one before. The three
//! lanes share one scale of time, so that phase, fault and p99 line up.

use std::sync::Arc;

use super::Glyphs;
use super::now::{FaultNow, Now};
use crate::format;
use crate::plan::Plan;
use crate::record::histogram::SparseHistogram;

/// Columns of a time lane.
const LANE: usize = 60;
const WIDTH: usize = 80;
/// The p99 lane is logarithmic from here …
const LOW_US: f64 = 10_000.0;
/// … over this many decades: 10 ms to 10 s.
const DECADES: f64 = 3.0;
/// Errors named in one line.
const ERRORS_MAX: usize = 4;

/// The block between two drawings.
pub(super) struct Block {
    plan: Arc<Plan>,
    run_id: String,
    glyphs: Glyphs,
    /// p99 per column; `None` where nothing was answered.
    columns: Vec<Option<u64>>,
    /// Of the column that is being filled.
    filling: SparseHistogram,
    /// Lines of the drawing that stands on the terminal.
    drawn: usize,
}

/// The characters of the lanes.
struct Lanes {
    ramp: char,
    down: char,
    hold: char,
    here: char,
    ahead: char,
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
            columns: Vec::new(),
            filling: SparseHistogram::default(),
            drawn: 0,
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

    fn column(&self, at_us: u64) -> usize {
        let place = u128::from(at_us) * LANE as u128 / u128::from(self.total_us());
        usize::try_from(place).unwrap_or(LANE).min(LANE - 1)
    }

    /// Adds what arrived since the last look to the column of now.
    pub(super) fn add(&mut self, now: &Now) {
        let column = self.column(now.at_us);
        while self.columns.len() < column {
            let full = std::mem::take(&mut self.filling);
            self.columns.push(p99(&full));
        }
        self.filling.merge(&now.latest);
    }

    /// The block, drawn over the one before.
    pub(super) fn draw(&mut self, now: &Now, faults: &[FaultNow]) -> String {
        let lines = self.lines(now, faults);
        // Wrapping is off while it is drawn, so that a narrow terminal cuts lines and the cursor
        // finds its way back.
        let mut text = String::from("\u{1b}[?7l");
        text.push_str(&self.back());
        for line in &lines {
            text.push_str(line.trim_end());
            text.push_str("\u{1b}[K\n");
        }
        text.push_str("\u{1b}[?7h");
        self.drawn = lines.len();
        text
    }

    /// To the first line of the drawing.
    fn back(&self) -> String {
        if self.drawn == 0 {
            String::new()
        } else {
            format!("\u{1b}[{}A\r", self.drawn)
        }
    }

    /// Takes the block off the terminal: the summary follows in its place.
    pub(super) fn erase(&self) -> String {
        format!("{}\u{1b}[J", self.back())
    }

    pub(super) fn lines(&self, now: &Now, faults: &[FaultNow]) -> Vec<String> {
        let total = format::plain(&format::duration(self.total_us()));
        vec![
            self.header(now),
            format!(" phase    {}  {total}", self.phase_lane(now)),
            format!(" fault    {}", self.fault_lane(faults)),
            format!(" p99      {}", self.p99_lane(now)),
            clients_line(now),
            messages_line(now),
            latency_line(now),
            format!(" fault    {}", self.fault_text(now, faults)),
            errors_line(now),
            harness_line(now),
        ]
    }

    fn header(&self, now: &Now) -> String {
        let left = format!(
            "{}  {}  {} of {} s",
            format::harmless(&self.plan.title),
            now.phase,
            format::rough_stamp(now.at_us),
            self.plan.load.load_us() / 1_000_000
        );
        let right = format!("run {}", self.run_id);
        let gap = WIDTH.saturating_sub(left.chars().count() + right.chars().count());
        format!("{left}{:gap$}{right}", "", gap = gap.max(2))
    }

    fn phase_lane(&self, now: &Now) -> String {
        let lanes = self.lanes();
        let (here, total_us) = (self.column(now.at_us), self.total_us());
        let glyph = |column: usize| {
            let from_us = column as u64 * total_us / LANE as u64;
            let phase = super::now::phase(&self.plan, from_us);
            match (phase, column.cmp(&here)) {
                (_, std::cmp::Ordering::Equal) => lanes.here,
                ("drain", _) => lanes.drain,
                (_, std::cmp::Ordering::Greater) => lanes.ahead,
                ("ramp", _) => lanes.ramp,
                ("ramp down", _) => lanes.down,
                (_, std::cmp::Ordering::Less) => lanes.hold,
            }
        };
        (0..LANE).map(glyph).collect()
    }

    /// Planned windows lightly, those that came true as they came.
    fn fault_lane(&self, faults: &[FaultNow]) -> String {
        let lanes = self.lanes();
        let mut lane = vec![' '; LANE];
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
            let (from, to) = (self.column(from_us), self.column(to_us.saturating_sub(1)));
            lane[from..=to.max(from)].fill(glyph);
        }
        lane.into_iter().collect()
    }

    fn p99_lane(&self, now: &Now) -> String {
        let lanes = self.lanes();
        let level = |us: Option<u64>| {
            us.map_or(lanes.silent, |us| {
                let part = (us.max(1) as f64 / LOW_US).log10() / DECADES;
                let place = crate::units::rounded(part.clamp(0.0, 1.0) * 7.0);
                let place = usize::try_from(place).unwrap_or(0);
                lanes.levels[place.min(lanes.levels.len() - 1)]
            })
        };
        let current = (self.columns.len() <= self.column(now.at_us)).then(|| p99(&self.filling));
        // A lane begins where something was answered for the first time.
        let all: Vec<Option<u64>> = self.columns.iter().copied().chain(current).collect();
        let first = all.iter().position(Option::is_some).unwrap_or(all.len());
        let blank = std::iter::repeat_n(' ', first);
        blank
            .chain(all[first..].iter().copied().map(level))
            .collect()
    }

    fn fault_text(&self, now: &Now, faults: &[FaultNow]) -> String {
        let mut heard: Vec<(&str, &FaultNow, &'static str, u64)> = self
            .plan
            .faults
            .iter()
            .zip(faults)
            .filter_map(|(planned, state)| {
                let (word, at_us) = state.latest()?;
                Some((planned.name.as_str(), state, word, at_us))
            })
            .collect();
        heard.sort_by_key(|&(_, _, _, at_us)| at_us);
        if let Some(&(name, state, word, at_us)) = heard.last() {
            let ago = format::plain(&format::duration(now.at_us.saturating_sub(at_us)));
            let problem = state
                .problem
                .as_deref()
                .map_or_else(String::new, |problem| {
                    format!("; {}", format::harmless(problem))
                });
            return format!("{} {word} {ago} ago{problem}", format::harmless(name));
        }
        let mut coming = self.plan.faults.iter();
        let next = coming.find(|planned| planned.at_us >= now.at_us);
        next.map_or_else(
            || "none".to_owned(),
            |next| {
                let left = format::duration(next.at_us - now.at_us);
                let name = format::harmless(&next.name);
                format!("{name} in {}", format::plain(&left))
            },
        )
    }
}

fn p99(of: &SparseHistogram) -> Option<u64> {
    (!of.is_empty()).then(|| of.value_at(0.99))
}

fn clients_line(now: &Now) -> String {
    let count = format::count;
    let cut: u64 = now.cut.iter().map(|&(_, count)| count).sum();
    let mut line = format!(
        " clients  {} open of {}      {} reconnecting      {} cut",
        count(now.open),
        count(now.wanted),
        count(now.reconnecting),
        count(cut)
    );
    if let Some((code, count)) = now.cut.first() {
        format::append(
            &mut line,
            format_args!(" ({code}: {})", format::count(*count)),
        );
    }
    if now.failed > 0 {
        format::append(
            &mut line,
            format_args!("      {} gave up", count(now.failed)),
        );
    }
    line
}

fn messages_line(now: &Now) -> String {
    let oldest = now.oldest_us.map_or_else(String::new, |us| {
        format!("     oldest {}", format::plain(&format::duration(us)))
    });
    format!(
        " messages {} sent    {} completed    {} waiting{oldest}",
        format::rate(now.sent_per_s),
        format::rate(now.completed_per_s),
        format::count(now.waiting)
    )
}

fn latency_line(now: &Now) -> String {
    let us = |us: Option<u64>| format::plain(&format::duration_or_none(us));
    format!(
        " latency  p50 {:<12} p99 {:<16} last second, complete",
        us(now.p50_us),
        us(now.p99_us)
    )
}

fn errors_line(now: &Now) -> String {
    let labels = now.errors.iter().take(ERRORS_MAX);
    let each: Vec<String> = labels
        .map(|&(label, count)| format!("{label} {}", format::count(count)))
        .collect();
    let text = if each.is_empty() {
        "none".to_owned()
    } else {
        each.join("   ")
    };
    format!(" errors   {text}")
}

fn harness_line(now: &Now) -> String {
    let late = format::plain(&format::duration_or_none(now.lateness_p99_us));
    let busy = format::plain(&format::percent(now.busy_ratio));
    format!(" harness  late p99 {late}   lane {busy}")
}
