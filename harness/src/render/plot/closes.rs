//! This module draws how many sessions ended in each second, by close code.
//!
//! **In:** `series.per_second`. **Out:** bars on a log axis, so that one 1006 beside two thousand
//! 1000 can be seen.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::Axis;
use super::chart::Chart;
use super::frame::Frame;
use super::palette;
use super::per_second::{Grouped, row_name};
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::render::words;
use crate::result::{RunResult, Second};
use crate::units::seconds;

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
    let rows = result.series.per_second.iter().map(grouped).collect();
    let step = seconds(result.series.second_us);
    let counts = Grouped { rows, step };
    let series = |group: Group| {
        let (color, name) = group.look();
        let told = (legend(result, group), name.to_owned());
        counts.bars(group, (name, color), told)
    };
    let sketch = Sketch {
        id: "closes".into(),
        title: format!("Closes per {}, by code", row_name(result)),
        subject: "Closes over the run",
        finding: finding(result),
        series: present(result).into_iter().map(series).collect(),
    };
    sketch.draw(|width| Frame {
        height: 110,
        y: Axis::log_count(counts.most()),
        ..Frame::over_time(result, width)
    })
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
