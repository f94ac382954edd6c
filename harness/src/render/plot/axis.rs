//! This module is the one axis of all charts: a range with ticks of our choosing.
//!
//! **In:** a range, linear or already transformed (log, percentile). **Out:** ticks with their text,
//! and the mapping plotters asks for. **Units:** whatever the chart puts on the axis.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::format;
use crate::units::seconds;

/// A tick and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub at: f64,
    pub text: String,
}

/// A range with its ticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<Tick>,
}

/// Ticks of any axis.
const TICKS_MAX: u32 = 100;
/// Ticks of a log axis of time.
const LOG_TICKS_MAX: usize = 7;
/// Steps between ticks of time, in seconds.
const TIME_STEPS_S: [u32; 17] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
];
/// From this length on, time is told in minutes.
const MINUTES_FROM_S: f64 = 601.0;

impl Axis {
    /// Seconds since load start, from 0, with at most `ticks_max` ticks; the last has the unit.
    pub(crate) fn time(length_us: u64, ticks_max: usize) -> Self {
        let length_s = seconds(length_us).max(1.0);
        let most = ticks_max.max(2) as f64;
        let step_s = TIME_STEPS_S
            .into_iter()
            .find(|&step| length_s / f64::from(step) <= most)
            .map_or(length_s / most, f64::from);
        let minutes = length_s >= MINUTES_FROM_S;
        let (unit_s, unit) = if minutes { (60.0, "min") } else { (1.0, "s") };
        let places: Vec<f64> = (0..TICKS_MAX)
            .map(|place| f64::from(place) * step_s)
            .take_while(|&at| at <= length_s + 1e-9)
            .collect();
        let last = places.len().saturating_sub(1);
        let tick = |(place, at): (usize, f64)| {
            let value = format!("{:.1}", at / unit_s);
            let value = value.strip_suffix(".0").unwrap_or(&value);
            let text = if place == last {
                format!("{value}{}{unit}", format::NBSP)
            } else {
                value.to_owned()
            };
            Tick { at, text }
        };
        Self {
            low: 0.0,
            high: length_s,
            ticks: places.into_iter().enumerate().map(tick).collect(),
        }
    }

    /// log10 of microseconds around what is shown: ticks at 1 and 3 of every decade.
    pub(crate) fn latency(least_us: f64, most_us: f64) -> Self {
        let (least, most) = (least_us.max(1.0), most_us.max(least_us).max(1.0));
        let low = LOG_STEPS_US.iter().rev().find(|&&tick| tick <= least);
        let high = LOG_STEPS_US.iter().find(|&&tick| tick >= most * 1.02);
        let low = low.copied().unwrap_or(1.0);
        let high = high.copied().unwrap_or(1e9).max(low * 9.0);
        let shown = LOG_STEPS_US
            .into_iter()
            .filter(|&us| us >= low && us <= high);
        // Over many decades the threes would crowd.
        let sparse = shown.clone().count() > LOG_TICKS_MAX;
        let ticks = shown
            .filter(|us| !sparse || (us.log10().fract()).abs() < 1e-9)
            .map(|us| Tick {
                at: us.log10(),
                text: format::round_duration(us),
            });
        Self {
            low: low.log10(),
            high: high.log10(),
            ticks: ticks.collect(),
        }
    }

    /// With so much room beyond its upper end, as a share of it, for what is drawn around a point there.
    pub(crate) fn roomy(self, share_ratio: f64) -> Self {
        Self {
            high: self.high + (self.high - self.low) * share_ratio,
            ..self
        }
    }

    /// A count from zero to `most` at least, with about four ticks.
    pub(crate) fn count(most: u64) -> Self {
        let step = nice_step(most.max(1) as f64 / 4.0).max(1.0);
        let steps = (most.max(1) as f64 / step).ceil();
        Self::linear(step, steps, |at| format::count_f64(at.round()))
    }

    /// Microseconds from zero to `most_us` at least, with about three ticks.
    pub(crate) fn linear_time(most_us: f64) -> Self {
        let step = nice_step(most_us.max(1.0) / 3.0);
        Self::linear(step, (most_us.max(1.0) / step).ceil(), |at| {
            if at <= 0.0 {
                "0".to_owned()
            } else {
                format::round_duration(at)
            }
        })
    }

    fn linear(step: f64, steps: f64, text: impl Fn(f64) -> String) -> Self {
        let high = step * steps;
        let ticks = (0..TICKS_MAX)
            .map(|place| f64::from(place) * step)
            .take_while(|&at| at <= high + step / 2.0)
            .map(|at| Tick { at, text: text(at) });
        Self {
            low: 0.0,
            high,
            ticks: ticks.collect(),
        }
    }

    /// Values from somewhere to somewhere, with about five ticks, written so, none closer than `apart`.
    pub(crate) fn span(
        (least, most): (f64, f64),
        apart: f64,
        text: impl Fn(f64) -> String,
    ) -> Self {
        let step = nice_step(((most - least) / 4.0).max(apart));
        let (first, last) = ((least / step).floor(), (most / step).ceil());
        let ticks = (0..TICKS_MAX)
            .map(|place| first + f64::from(place))
            .take_while(|at| *at <= last)
            .map(|at| Tick {
                at: at * step,
                text: text(at * step),
            });
        Self {
            low: first * step,
            high: (last * step).max(first * step + step),
            ticks: ticks.collect(),
        }
    }

    /// Changes as shares, zero among them, with about six ticks.
    pub(crate) fn change(least: f64, most: f64) -> Self {
        let (least, most) = (least.min(0.0), most.max(0.0));
        let step = nice_step(((most - least) / 5.0).max(1e-3));
        let (first, last) = ((least / step).floor(), (most / step).ceil());
        let ticks = (0..TICKS_MAX)
            .map(|place| first + f64::from(place))
            .take_while(|at| *at <= last)
            .map(|at| Tick {
                at: at * step,
                text: format::change(at * step),
            });
        Self {
            low: first * step,
            high: last * step,
            ticks: ticks.collect(),
        }
    }

    /// Runs by their number, from 1, each with room on both sides.
    pub(crate) fn runs(count: usize) -> Self {
        let most = count.max(1) as f64;
        let step = nice_step(most / 10.0).max(1.0);
        let ticks = (0..TICKS_MAX).map(|place| f64::from(place) * step);
        let ticks = ticks.map(|at| at.max(1.0)).take_while(|at| *at <= most);
        let mut ticks: Vec<Tick> = ticks
            .map(|at| Tick {
                at,
                text: format::count_f64(at),
            })
            .collect();
        ticks.dedup();
        Self {
            low: 0.5,
            high: most + 0.5,
            ticks,
        }
    }

    /// log10 of counts: one row below 1, so that a single one is seen.
    pub(crate) fn log_count(most: u64) -> Self {
        let decades = [
            1_u64, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000,
        ];
        let high = decades.into_iter().find(|&decade| decade >= most.max(10));
        let high = high.unwrap_or(u64::MAX);
        let ticks = decades.into_iter().filter(|&decade| decade <= high);
        Self {
            low: LOG_COUNT_FLOOR,
            high: (high as f64).log10() + 0.08,
            ticks: ticks
                .map(|decade| Tick {
                    at: (decade as f64).log10(),
                    text: format::count(decade),
                })
                .collect(),
        }
    }

    /// log10 1/(1−p): each step to the right is ten times rarer.
    pub(crate) fn percentile(rarest: f64) -> Self {
        let marks = [
            (0.0, "0"),
            (0.5, "50"),
            (0.9, "90"),
            (0.99, "99"),
            (0.999, "99.9"),
            (0.999_9, "99.99"),
            (0.999_99, "99.999"),
        ];
        let high = rarest.clamp(2.0, 5.0);
        let ticks = marks.into_iter().map(|(quantile, text)| Tick {
            at: rarity(quantile),
            text: text.to_owned(),
        });
        Self {
            low: 0.0,
            high,
            ticks: ticks.filter(|tick| tick.at <= high + 1e-9).collect(),
        }
    }

    /// The text of the tick nearest to `at`.
    pub(crate) fn text_at(&self, at: f64) -> String {
        let distance = |tick: &&Tick| (tick.at - at).abs();
        let nearest = self
            .ticks
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or_else(String::new, |tick| tick.text.clone())
    }
}

/// Where the log axis of counts begins.
pub(crate) const LOG_COUNT_FLOOR: f64 = -0.25;

/// 1-3-10 from a microsecond to a quarter of an hour.
const LOG_STEPS_US: [f64; 19] = [
    1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8,
    1e9,
];

/// The place of a quantile on the percentile axis.
pub(crate) fn rarity(quantile_ratio: f64) -> f64 {
    -(1.0 - quantile_ratio.clamp(0.0, 1.0 - 1e-9)).log10()
}

/// 1, 2 or 5 times a power of ten, at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= least * 0.999);
    step.unwrap_or(10.0) * power
}

/// The place of a latency on its axis.
pub(crate) fn log_us(us: u64) -> f64 {
    (us.max(1) as f64).log10()
}

/// The rectangle of a plot, in pixels of the picture, with its axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    pub x: &'a Axis,
    pub y: &'a Axis,
    pub left: i32,
    pub top: i32,
    pub width: i32,
    pub height: i32,
}

impl Plane<'_> {
    /// Pixel of a value on the x axis.
    pub(crate) fn x_at(&self, x: f64) -> f64 {
        let part = (x - self.x.low) / (self.x.high - self.x.low);
        f64::from(self.left) + part.clamp(0.0, 1.0) * f64::from(self.width)
    }

    /// Pixel of a value on the y axis.
    pub(crate) fn y_at(&self, y: f64) -> f64 {
        let part = (y - self.y.low) / (self.y.high - self.y.low);
        f64::from(self.top) + (1.0 - part.clamp(0.0, 1.0)) * f64::from(self.height)
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        // Plotters does not clip lines: what lies outside stays just outside.
        let part = ((value - self.low) / (self.high - self.low)).clamp(-0.05, 1.05);
        let place = f64::from(from) + part * f64::from(to - from);
        #[expect(clippy::cast_possible_truncation, reason = "between two i32, nearly")]
        let whole = place.round() as i32;
        whole
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|tick| tick.at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_beyond_the_end_moves_no_tick() {
        let axis = Axis::count(200);
        let roomy = axis.clone().roomy(0.02);
        assert_eq!(roomy.ticks, axis.ticks);
        assert!((roomy.high - 204.0).abs() < 1e-9, "{}", roomy.high);
        assert!((roomy.low - axis.low).abs() < 1e-9);
    }

    fn texts(axis: &Axis) -> String {
        let each: Vec<String> = axis
            .ticks
            .iter()
            .map(|tick| format::plain(&tick.text))
            .collect();
        each.join(" | ")
    }

    #[test]
    fn ticks_are_where_a_reader_expects_them() {
        assert_eq!(
            texts(&Axis::time(60_000_000, 12)),
            "0 | 5 | 10 | 15 | 20 | 25 | 30 | 35 | 40 | 45 | 50 | 55 | 60 s"
        );
        assert_eq!(
            texts(&Axis::time(3_600_000_000, 6)),
            "0 | 10 | 20 | 30 | 40 | 50 | 60 min"
        );
        assert_eq!(
            texts(&Axis::latency(42_000.0, 9_700_000.0)),
            "30 ms | 100 ms | 300 ms | 1 s | 3 s | 10 s"
        );
        assert_eq!(
            texts(&Axis::count(2_000)),
            "0 | 500 | 1,000 | 1,500 | 2,000"
        );
        assert_eq!(
            texts(&Axis::log_count(2_000)),
            "1 | 10 | 100 | 1,000 | 10,000"
        );
        assert_eq!(
            texts(&Axis::percentile(4.0)),
            "0 | 50 | 90 | 99 | 99.9 | 99.99"
        );
        assert_eq!(texts(&Axis::linear_time(8_760.0)), "0 | 5 ms | 10 ms");
    }

    #[test]
    fn an_axis_of_nothing_still_has_a_range() {
        for axis in [
            Axis::time(0, 6),
            Axis::latency(0.0, 0.0),
            Axis::count(0),
            Axis::linear_time(0.0),
        ] {
            assert!(axis.high > axis.low, "{axis:?}");
            assert!(!axis.ticks.is_empty());
        }
    }
}
