//! This module makes the lines of latencies over the run.
//!
//! **In:** statistics in their usual steps, and those of longer steps that the result has beside them. **Out:** every
//! line that has a value, and its series on a log axis.

use plotters::style::RGBColor;

use super::axis::log_us;
use super::chart::ReadingUnit;
use super::draw::{Series, Shape};
use crate::result;
use crate::scenario::expectation::Statistic;
use crate::units::seconds;

/// One statistic over the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub statistic: Statistic,
    pub color: RGBColor,
    pub pen_px: f64,
    pub step_us: u64,
    pub values_us: &'a [Option<u64>],
}

impl<'a> Line<'a> {
    /// In the longer steps of its statistic, where there are such: the usual ones do not support it.
    pub(super) fn longer(self, mut longer: impl Iterator<Item = &'a result::Line>) -> Self {
        let found = longer.find(|line| line.statistic == self.statistic);
        found.map_or(self, |line| Self {
            step_us: line.step_us,
            values_us: &line.values_us,
            ..self
        })
    }

    pub(super) fn has_value(&self) -> bool {
        self.values_us.iter().any(Option::is_some)
    }

    /// Its series, which the cursor reads under that name.
    pub(super) fn series(&self, reading: String) -> Series {
        let log = self.values_us.iter().map(|value| value.map(log_us));
        let (name, step) = (self.statistic.name(), seconds(self.step_us));
        let values = self.values_us.iter().copied();
        Series::new(name, self.color, Shape::Steps(step, log.collect()))
            .pen(self.pen_px)
            .read(reading, ReadingUnit::Microseconds, step, values)
    }
}
