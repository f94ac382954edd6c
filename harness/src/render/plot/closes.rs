//! This module draws how many sessions ended in each second, by close code.
//!
//! **In:** `series.per_second`. **Out:** bars on a log axis, so that one 1006 beside two thousand
//! 1000 can be seen.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::{Axis, LOG_COUNT_FLOOR};
use super::chart::{Chart, ReadingUnit};
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::render::words;
use crate::result::{RunResult, Second};
use crate::units::seconds;

/// Part of a second that its bars fill.
const FILLED: f64 = 0.84;

/// Codes that share a colour and a place in the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Normal,
    ServerFailure,
    NoCloseFrame,
    GoingAway,
    Other,
}

impl Group {
    const ALL: [Self; 5] = [
        Self::Normal,
        Self::ServerFailure,
        Self::NoCloseFrame,
        Self::GoingAway,
        Self::Other,
    ];

    const fn of(code: u16) -> Self {
        match code {
            1000 => Self::Normal,
            1011 => Self::ServerFailure,
            1006 => Self::NoCloseFrame,
            1001 => Self::GoingAway,
            _ => Self::Other,
        }
    }

    const fn look(self) -> (RGBColor, &'static str) {
        match self {
            Self::Normal => (palette::BASE, "1000"),
            Self::ServerFailure => (palette::SERIES_2, "1011"),
            Self::NoCloseFrame => (palette::SERIES_3, "1006"),
            Self::GoingAway => (palette::SERIES_1, "1001"),
            Self::Other => (palette::SERIES_4, "other"),
        }
    }
}

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let groups = present(result);
    let rows: Vec<BTreeMap<Group, u64>> = result.series.per_second.iter().map(grouped).collect();
    let most = rows.iter().flat_map(|row| row.values()).max().copied();
    let step = seconds(result.series.second_us);
    let sketch = Sketch {
        id: "closes".into(),
        title: "Closes per second, by code".to_owned(),
        subject: "Closes per second",
        finding: finding(result),
        series: groups
            .into_iter()
            .map(|group| series(result, group, step, &rows))
            .collect(),
    };
    sketch.draw(|width| Frame {
        height: 110,
        y: Axis::log_count(most.unwrap_or(1)),
        ..Frame::over_time(result, width)
    })
}

fn series(result: &RunResult, group: Group, second: f64, rows: &[BTreeMap<Group, u64>]) -> Series {
    let (color, name) = group.look();
    let mut at = 0.0;
    let bar = |row: &BTreeMap<Group, u64>| {
        let from = at;
        at += second;
        let count = row.get(&group).copied().filter(|&count| count > 0)?;
        let place = row.keys().position(|&other| other == group)?;
        let share = second * FILLED / row.len() as f64;
        let left = from + second * (1.0 - FILLED) / 2.0 + share * place as f64;
        Some((left, left + share, (count as f64).log10().max(0.05)))
    };
    let bars = Shape::Bars(LOG_COUNT_FLOOR, rows.iter().filter_map(bar).collect());
    let counts = rows
        .iter()
        .map(|row| Some(row.get(&group).copied().unwrap_or(0)));
    Series::new(name, color, bars)
        .legend(Some(legend(result, group)))
        .read(name, ReadingUnit::Count, second, counts)
}

fn grouped(row: &Second) -> BTreeMap<Group, u64> {
    let mut counts = BTreeMap::new();
    for (&code, &count) in row.closes_cut.iter().chain(&row.closes_planned) {
        if count > 0 {
            *counts.entry(Group::of(code)).or_insert(0) += count;
        }
    }
    counts
}

fn present(result: &RunResult) -> Vec<Group> {
    let occurs = |group: &Group| {
        result
            .closes
            .iter()
            .any(|(&code, &count)| count > 0 && Group::of(code) == *group)
    };
    Group::ALL.into_iter().filter(occurs).collect()
}

fn legend(result: &RunResult, group: Group) -> String {
    let (_, name) = group.look();
    if group == Group::Other {
        let codes = result
            .closes
            .keys()
            .filter(|&&code| Group::of(code) == group);
        let codes: Vec<String> = codes.map(u16::to_string).collect();
        format!("other: {}", codes.join(", "))
    } else {
        let meaning = name.parse().map_or("", words::close_meaning);
        format!("{name} {meaning}")
    }
}

fn finding(result: &RunResult) -> String {
    if result.closes.is_empty() {
        return "No session ended.".to_owned();
    }
    let each: Vec<String> = result
        .closes
        .iter()
        .map(|(code, &count)| format!("{} × {code}", format::count(count)))
        .collect();
    format!(
        "{}. Log scale, so that a single close beside thousands can be seen.",
        each.join(", ")
    )
}
