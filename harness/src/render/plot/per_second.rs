//! This module makes series of what the per-second table counts: rates as steps, and bars by group.
//!
//! **In:** rows of the table. **Out:** series on the time axis. **Units:** rates are per second, bars per row, which in a long run is longer than one.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::LOG_COUNT_FLOOR;
use super::chart::ReadingUnit;
use super::draw::{Series, Shape};
use crate::format;
use crate::result::{RunResult, Second};
use crate::units::{self, US_PER_S, seconds};

/// Part of a row that its bars fill.
const FILLED: f64 = 0.84;

/// `second`, or `6 s`: what a row of this run is.
pub(super) fn row_name(result: &RunResult) -> String {
    match result.series.second_us {
        US_PER_S => "second".to_owned(),
        us => format::round_duration(us as f64),
    }
}

/// A count of every row, as a rate.
pub(super) struct Rate {
    name: &'static str,
    step: f64,
    values: Vec<f64>,
}

impl Rate {
    pub(super) fn of(
        result: &RunResult,
        name: &'static str,
        count: impl Fn(&Second) -> u64,
    ) -> Self {
        let step = seconds(result.series.second_us);
        let rows = result.series.per_second.iter();
        let values = rows.map(|row| count(row) as f64 / step).collect();
        Self { name, step, values }
    }

    pub(super) fn most(&self) -> u64 {
        let most = self.values.iter().copied().fold(0.0, f64::max);
        units::rounded(most.ceil())
    }

    pub(super) fn steps(&self, color: RGBColor) -> Series {
        let values = self.values.iter().copied().map(Some).collect();
        self.series(color, Shape::Steps(self.step, values))
    }

    /// As an area under its steps.
    pub(super) fn area(&self, color: RGBColor) -> Series {
        let mut at = 0.0;
        let mut points = Vec::with_capacity(2 * self.values.len());
        for &value in &self.values {
            points.push((at, value));
            at += self.step;
            points.push((at, value));
        }
        self.series(color, Shape::Area(points))
    }

    fn series(&self, color: RGBColor, shape: Shape) -> Series {
        let values = self.values.iter();
        let values = values.map(|&value| Some(units::rounded(value * 10.0)));
        Series::new(self.name, color, shape).read(self.name, ReadingUnit::Tenths, self.step, values)
    }
}

/// Rows of counts by group; groups of one row stand beside each other.
pub(super) struct Grouped<G> {
    pub rows: Vec<BTreeMap<G, u64>>,
    pub step: f64,
}

impl<G: Copy + Ord> Grouped<G> {
    pub(super) fn most(&self) -> u64 {
        let counts = self.rows.iter().flat_map(BTreeMap::values);
        counts.max().copied().unwrap_or(1)
    }

    /// The bars of one group, on a log axis of counts; `name` is for hiding them, `told` for legend and cursor.
    pub(super) fn bars(
        &self,
        group: G,
        (name, color): (&'static str, RGBColor),
        (legend, told): (String, String),
    ) -> Series {
        let mut at = 0.0;
        let bar = |row: &BTreeMap<G, u64>| {
            let from = at;
            at += self.step;
            let count = row.get(&group).copied().filter(|&count| count > 0)?;
            let place = row.keys().position(|&other| other == group)?;
            let share = self.step * FILLED / row.len() as f64;
            let left = from + self.step * (1.0 - FILLED) / 2.0 + share * place as f64;
            Some((left, left + share, (count as f64).log10().max(0.05)))
        };
        let bars = Shape::Bars(LOG_COUNT_FLOOR, self.rows.iter().filter_map(bar).collect());
        let rows = self.rows.iter();
        let counts = rows.map(|row| Some(row.get(&group).copied().unwrap_or(0)));
        Series::new(name, color, bars).legend(Some(legend)).read(
            told,
            ReadingUnit::Count,
            self.step,
            counts,
        )
    }
}
