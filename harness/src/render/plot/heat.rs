//! This module draws how many answers took how long, over time.
//!
//! **In:** `series.heat`. **Out:** cells on a log axis of latency, darker the more answers lie in them: two ways in which a
//! server answers are two bands, which percentiles hide.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::Axis;
use super::chart::{Chart, ReadingUnit};
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::result::{Heat, HeatStep, RunResult};
use crate::units::{self, seconds};

/// Shades, lightest first.
const SHADES: [(&str, RGBColor); 5] = [
    ("shade-1", palette::SHADE_1),
    ("shade-2", palette::SHADE_2),
    ("shade-3", palette::SHADE_3),
    ("shade-4", palette::SHADE_4),
    ("shade-5", palette::SHADE_5),
];

pub(crate) fn chart(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let Some(heat) = &result.series.heat else {
        return Ok(None);
    };
    let counts = || heat.steps.iter().flat_map(|step| &step.counts);
    let most = counts().copied().max().unwrap_or(1).max(1);
    let series = SHADES.iter().enumerate();
    let series = series.filter_map(|(shade, &(name, color))| {
        let (low, high) = bounds(shade, most)?;
        let cells = cells(heat, (low, high));
        let legend = if low == high {
            format::count(low)
        } else {
            format!("{} – {}", format::count(low), format::count(high))
        };
        Some(Series::new(name, color, Shape::Cells(cells)).legend(Some(legend)))
    });
    let mut series: Vec<Series> = series.collect();
    let all = heat.steps.iter();
    let sum = |counts: &[u64]| {
        counts
            .iter()
            .fold(0, |sum: u64, count| sum.saturating_add(*count))
    };
    let all = all.map(|step| Some(sum(&step.counts)));
    if let Some(last) = series.pop() {
        let step = seconds(heat.step_us);
        series.push(last.read("answers", ReadingUnit::Count, step, all));
    }
    let sketch = Sketch {
        id: "heat".into(),
        title: "Every answer: how many took how long".to_owned(),
        subject: "Answers by response time over the run",
        finding: format!(
            "Each cell counts the answers of that length among the messages that should have been sent in its {}; the legend says how many a shade means. Two bands are two ways of answering, which a percentile hides.",
            format::round_duration(heat.step_us as f64)
        ),
        series,
    };
    let (least_us, most_us) = reach(heat);
    let chart = sketch.draw(|width| Frame {
        height: width.pick(200, 180),
        y: Axis::latency(least_us, most_us),
        ..Frame::over_time(result, width)
    });
    chart.map(Some)
}

/// The counts of a shade, each a like step on a log scale; `None`: no count is left for it.
fn bounds(shade: usize, most: u64) -> Option<(u64, u64)> {
    let up_to = |shade: usize| {
        let share = shade as f64 / SHADES.len() as f64;
        units::rounded((most as f64).powf(share).floor())
    };
    let low = if shade == 0 { 1 } else { up_to(shade) + 1 };
    let high = if shade + 1 == SHADES.len() {
        most
    } else {
        up_to(shade + 1)
    };
    (low <= high).then_some((low, high))
}

/// The cells whose counts lie within these bounds: left, bottom, right, top. Those that follow each other are one.
fn cells(heat: &Heat, (low, high): (u64, u64)) -> Vec<[f64; 4]> {
    let step = seconds(heat.step_us);
    let mut cells: Vec<[f64; 4]> = Vec::new();
    // By row: the cell that may go on.
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut left = 0.0;
    for of in &heat.steps {
        let mut going = BTreeMap::new();
        for (row, _) in rows(of).filter(|(_, count)| (low..=high).contains(count)) {
            let (bottom, top) = edges(heat, row);
            let place = open.get(&row).copied().unwrap_or(cells.len());
            match cells.get_mut(place) {
                Some(cell) => cell[2] = left + step,
                None => cells.push([left, bottom, left + step, top]),
            }
            going.insert(row, place);
        }
        open = going;
        left += step;
    }
    cells
}

/// The rows with answers, as places on an axis, and how many there are in each.
fn rows(of: &HeatStep) -> impl Iterator<Item = (u64, u64)> + '_ {
    let rows = (u64::from(of.first_row)..).zip(of.counts.iter().copied());
    rows.filter(|(_, count)| *count > 0)
}

/// Of a row, on the log axis.
fn edges(heat: &Heat, row: u64) -> (f64, f64) {
    let wide = f64::from(heat.rows_per_decade.max(1));
    (row as f64 / wide, (row + 1) as f64 / wide)
}

/// From the bottom of the lowest row to the top of the highest, microseconds.
fn reach(heat: &Heat) -> (f64, f64) {
    let all = || heat.steps.iter().flat_map(rows).map(|(row, _)| row);
    let (lowest, highest) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
    let (bottom, top) = (edges(heat, lowest).0, edges(heat, highest).1);
    (10_f64.powf(bottom), 10_f64.powf(top) / 1.03)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_one_shade() {
        for most in [1, 2, 3, 7, 50, 4_000, 1_000_000] {
            let mut next = 1;
            for shade in 0..SHADES.len() {
                if let Some((low, high)) = bounds(shade, most) {
                    assert_eq!(low, next, "most {most}, shade {shade}");
                    next = high + 1;
                }
            }
            assert_eq!(next, most + 1);
        }
    }

    #[test]
    fn every_cell_is_drawn_once_between_the_edges_of_its_row() {
        let heat = Heat {
            step_us: 1_000_000,
            rows_per_decade: 8,
            steps: vec![
                HeatStep::default(),
                HeatStep {
                    first_row: 24,
                    counts: vec![5, 0, 1],
                },
            ],
        };
        let all = cells(&heat, (1, 5));
        assert_eq!(all, [[1.0, 3.0, 2.0, 3.125], [1.0, 3.25, 2.0, 3.375]]);
        assert_eq!(cells(&heat, (1, 1)), [[1.0, 3.25, 2.0, 3.375]]);
        let going_on = Heat {
            steps: [[5, 1], [6, 0], [5, 1]]
                .map(|counts| HeatStep {
                    first_row: 24,
                    counts: counts.to_vec(),
                })
                .to_vec(),
            ..heat
        };
        let all = cells(&going_on, (1, 9));
        assert_eq!(
            all,
            [
                [0.0, 3.0, 3.0, 3.125],
                [0.0, 3.125, 1.0, 3.25],
                [2.0, 3.125, 3.0, 3.25]
            ]
        );
    }
}
