//! This module draws the three lanes of time: phase, fault, p99.
//!
//! **In:** the plan, the run so far, and how many columns a lane has. **Out:** lines whose columns line up: a column is the same
//! moment in each.
//!
//! **Units:** a bar of the p99 lane is logarithmic, from the lowest to the highest seen, and over a decade at least: what hardly
//! differs looks alike.

use super::now::{self, FaultNow, Phase};
use super::text::{Text, Tone};
use super::timeline::{Column, column};
use super::view::Glyphs;
use crate::format;
use crate::plan::Plan;
use crate::scenario::expectation::{Comparison, Quantity, Statistic};
use crate::stage::Stage;

/// The least that the p99 lane spans, as a factor.
const SPAN_MIN: f64 = 10.0;

/// The characters of the lanes.
struct Marks {
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

const BLOCKS: Marks = Marks {
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

const ASCII: Marks = Marks {
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

/// Where lanes are drawn.
pub(super) struct Lanes<'a> {
    pub plan: &'a Plan,
    /// Load and the longest drain there can be.
    pub total_us: u64,
    pub glyphs: Glyphs,
    /// Columns of each lane.
    pub width: usize,
}

impl Lanes<'_> {
    const fn marks(&self) -> &'static Marks {
        match self.glyphs {
            Glyphs::Blocks => &BLOCKS,
            Glyphs::Ascii => &ASCII,
        }
    }

    fn column(&self, at_us: u64) -> usize {
        column(at_us, self.total_us, self.width)
    }

    pub(super) fn phase(&self, at_us: u64) -> Text {
        let marks = self.marks();
        let (here, end) = (self.column(at_us), self.column(self.plan.load.load_us()));
        let mut lane = Text::default();
        for column in 0..self.width {
            let from_us = column as u64 * self.total_us / self.width as u64;
            let mark = match now::phase(self.plan, from_us) {
                _ if column == here => marks.here,
                _ if column == end => marks.end,
                Phase::Drain => marks.drain,
                Phase::Ramp | Phase::RampDown | Phase::Hold if column > here => marks.ahead,
                Phase::Ramp => marks.ramp,
                Phase::RampDown => marks.down,
                Phase::Hold => marks.hold,
            };
            let tone = if column > here {
                Tone::Dim
            } else {
                Tone::Plain
            };
            lane.add(tone, &mark.to_string());
        }
        lane
    }

    /// Planned windows lightly, those that came true as they came; up to the last of them.
    pub(super) fn fault(&self, faults: &[FaultNow], at_us: u64) -> Text {
        let marks = self.marks();
        let mut drawn = vec![(' ', Tone::Plain); self.width];
        let events = self.plan.faults.iter().zip(faults);
        for (planned, state) in events.filter(|(planned, _)| !planned.condition) {
            let planned_to_us = planned.at_us + planned.for_us;
            let (mark, from_us, to_us) = match state.injected_us {
                // One that lasts longer than planned is drawn as long as it does.
                Some(from_us) => (
                    (
                        marks.fault,
                        if state.in_force() {
                            Tone::Warn
                        } else {
                            Tone::Plain
                        },
                    ),
                    from_us,
                    state.healed_us.unwrap_or(planned_to_us.max(at_us)),
                ),
                None => ((marks.planned, Tone::Dim), planned.at_us, planned_to_us),
            };
            let from = self.column(from_us);
            let to = self.column(to_us.saturating_sub(1));
            drawn[from..=to.max(from)].fill(mark);
        }
        let until = drawn.iter().rposition(|(mark, _)| *mark != ' ');
        let mut lane = Text::default();
        for (mark, tone) in drawn.into_iter().take(until.map_or(0, |last| last + 1)) {
            lane.add(tone, &mark.to_string());
        }
        lane
    }

    /// The lane so far, and its scale.
    pub(super) fn p99(&self, columns: &[Column]) -> (Text, Option<Scale>) {
        let marks = self.marks();
        let scale = Scale::of(columns);
        let limit_us = limit_us(self.plan);
        // A lane begins where something was answered for the first time.
        let is_answer = |column: &Column| matches!(column, Column::Answered { .. });
        let first = columns.iter().position(is_answer).unwrap_or(columns.len());
        let mut lane = Text::default();
        for (place, column) in columns.iter().enumerate() {
            let (mark, tone) = match *column {
                _ if place < first => (' ', Tone::Plain),
                Column::Quiet => (' ', Tone::Plain),
                Column::Silent => (marks.silent, Tone::Bad),
                Column::Answered { p99_us } => {
                    let is_over = limit_us.is_some_and(|limit_us| p99_us as f64 >= limit_us);
                    let level = scale.map_or(0, |scale| scale.level(p99_us));
                    (
                        marks.levels[level],
                        if is_over { Tone::Bad } else { Tone::Plain },
                    )
                }
            };
            lane.add(tone, &mark.to_string());
        }
        (lane, scale)
    }
}

/// The ends of the p99 lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low_us: f64,
    high_us: f64,
}

impl Scale {
    fn of(columns: &[Column]) -> Option<Self> {
        let values = columns.iter().filter_map(|column| match column {
            Column::Answered { p99_us } => Some((*p99_us).max(1) as f64),
            Column::Quiet | Column::Silent => None,
        });
        let ends = values.fold(None, |ends: Option<(f64, f64)>, us| {
            let (low, high) = ends.unwrap_or((us, us));
            Some((low.min(us), high.max(us)))
        });
        ends.map(|(low_us, high_us)| Self {
            low_us: low_us.min(high_us / SPAN_MIN),
            high_us,
        })
    }

    fn level(self, us: u64) -> usize {
        let span = (self.high_us / self.low_us).ln();
        let part = (us.max(1) as f64 / self.low_us).ln() / span.max(f64::EPSILON);
        let place = crate::units::rounded(part.clamp(0.0, 1.0) * 7.0);
        usize::try_from(place)
            .unwrap_or(0)
            .min(BLOCKS.levels.len() - 1)
    }

    /// `42.0 ms … 7.20 s`.
    pub(super) fn text(self, glyphs: Glyphs) -> String {
        let (low, high) = (
            format::duration_f64(self.low_us),
            format::duration_f64(self.high_us),
        );
        let to = match glyphs {
            Glyphs::Blocks => '…',
            Glyphs::Ascii => '-',
        };
        format!("{low} {to} {high}")
    }
}

/// What the scenario says that `complete p99` must stay under, the tightest of several.
pub(super) fn limit_us(plan: &Plan) -> Option<f64> {
    let limits = plan.expect.iter().filter_map(|expectation| {
        let is_p99 = matches!(
            expectation.what,
            Quantity::Latency {
                stage: Stage::Complete,
                statistic: Statistic::P99,
                ..
            }
        );
        let is_limit = matches!(
            expectation.bound.comparison,
            Comparison::Under | Comparison::AtMost
        );
        (is_p99 && is_limit).then_some(expectation.bound.value)
    });
    limits.reduce(f64::min)
}
