//! This module draws how many sessions ended in each second, by close code.
//!
//! **In:** `series.per_second`. **Out:** bars on a log axis, so that one 1006 beside two thousand
//! 1000 can be seen.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use super::axis::{Axis, LOG_COUNT_FLOOR};
use super::draw::{Drawn, Plot, bars, series};
use super::frame::Frame;
use super::svg::Sheet;
use super::{Chart, Key, Reading, ReadingUnit, Width, palette, response, spoken};
use crate::render::{RenderError, format, words};
use crate::result::{RunResult, Second};

const ID: &str = "closes";
const US_PER_S: f64 = 1e6;
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

    const fn look(self) -> (RGBColor, &'static str, &'static str) {
        match self {
            Self::Normal => (palette::BASE, "f-base", "1000"),
            Self::ServerFailure => (palette::SERIES_2, "f-c2", "1011"),
            Self::NoCloseFrame => (palette::SERIES_3, "f-c3", "1006"),
            Self::GoingAway => (palette::SERIES_1, "f-c1", "1001"),
            Self::Other => (palette::SERIES_4, "f-c4", "other"),
        }
    }
}

pub(crate) fn chart(result: &RunResult) -> Result<Chart, RenderError> {
    let finding = finding(result);
    let groups = present(result);
    let rows: Vec<BTreeMap<Group, u64>> = result.series.per_second.iter().map(grouped).collect();
    let most = rows.iter().flat_map(|row| row.values()).max().copied();
    let draw = |width: Width| {
        let frame = Frame {
            spoken: format!("Closes per second. {}", spoken(&finding)),
            height: width.pick(110, 110),
            y: Axis::log_count(most.unwrap_or(1)),
            ..Frame::over_time(ID, result, width)
        };
        let second = result.series.second_us as f64 / US_PER_S;
        frame.draw(|plot, sheet| draw_groups(plot, sheet, second, (&groups, &rows)))
    };
    let mut keys: Vec<Key> = groups.iter().map(|&group| key(result, group)).collect();
    keys.extend(response::fault_key(result));
    Ok(Chart {
        id: ID,
        title: "Closes per second, by code".to_owned(),
        keys,
        readings: readings(result, &groups, &rows),
        wide: draw(Width::Wide)?,
        narrow: draw(Width::Narrow)?,
        finding,
    })
}

fn draw_groups(
    plot: &mut Plot<'_>,
    sheet: &Sheet,
    second: f64,
    (groups, rows): (&[Group], &[BTreeMap<Group, u64>]),
) -> Drawn {
    for &group in groups {
        let (color, _, name) = group.look();
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
        let found: Vec<(f64, f64, f64)> = rows.iter().filter_map(bar).collect();
        series(sheet, name, || {
            bars(plot, LOG_COUNT_FLOOR, found.into_iter(), color)
        })?;
    }
    Ok(())
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

fn key(result: &RunResult, group: Group) -> Key {
    let (_, class, name) = group.look();
    let text = if group == Group::Other {
        let codes = result
            .closes
            .keys()
            .filter(|&&code| Group::of(code) == group);
        let codes: Vec<String> = codes.map(u16::to_string).collect();
        format!("other: {}", codes.join(", "))
    } else {
        let meaning = name.parse().map_or("", words::close_meaning);
        format!("{name} {meaning}")
    };
    Key {
        text,
        class,
        series: Some(name),
    }
}

fn readings(result: &RunResult, groups: &[Group], rows: &[BTreeMap<Group, u64>]) -> Vec<Reading> {
    let one = |&group: &Group| Reading {
        name: group.look().2.to_owned(),
        series: group.look().2,
        unit: ReadingUnit::Count,
        from: 0.0,
        step: result.series.second_us as f64 / US_PER_S,
        values: rows
            .iter()
            .map(|row| Some(row.get(&group).copied().unwrap_or(0)))
            .collect(),
    };
    groups.iter().map(one).collect()
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
