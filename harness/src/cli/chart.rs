//! This module draws a plan over time in plain characters.
//!
//! **In:** a plan. **Out:** lines of at most 100 columns: clients as an area, a time axis, one bar
//! per fault.

use crate::format::count;
use crate::plan::{Link, LoadPlan, Plan, PlannedFault};
use crate::units::print_us;

const COLUMNS: u64 = 60;
const ROWS: u64 = 6;
/// Widest label at the left.
const LABEL_COLUMNS_MAX: usize = 20;

/// Distances between two marks of the time axis, microseconds.
const STEPS_US: [u64; 20] = [
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    15_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    900_000_000,
    1_800_000_000,
    3_600_000_000,
    7_200_000_000,
    21_600_000_000,
    43_200_000_000,
    86_400_000_000,
];

/// The chart, line by line.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let load_us = plan.load.load_us().max(1);
    let most = u64::from(plan.load.clients).max(1);
    let names = plan.faults.iter().map(|fault| fault.name.chars().count());
    let label_columns = names
        .chain([count(most).len(), 7])
        .max()
        .unwrap_or(7)
        .min(LABEL_COLUMNS_MAX);
    let mut lines = vec![format!("{:>label_columns$}", "clients")];
    for row in (1..=ROWS).rev() {
        let label = match row {
            ROWS => count(most),
            _ if row * 2 == ROWS && most.is_multiple_of(2) => count(most / 2),
            _ => String::new(),
        };
        let filled = |column: &u64| {
            let clients = clients_at(&plan.load, (2 * column + 1) * load_us / (2 * COLUMNS));
            // Half a row is enough to fill it.
            2 * clients * ROWS >= (2 * row - 1) * most
        };
        let area: String = (0..COLUMNS)
            .map(|column| if filled(&column) { '#' } else { ' ' })
            .collect();
        lines.push(format!("{label:>label_columns$} |{area}"));
    }
    lines.extend(axis(load_us, label_columns));
    lines.extend(
        plan.faults
            .iter()
            .map(|fault| bar(fault, load_us, label_columns)),
    );
    lines.push(String::new());
    lines
}

/// Clients intended at a moment.
fn clients_at(load: &LoadPlan, at_us: u64) -> u64 {
    let running = load
        .stages
        .iter()
        .find(|stage| at_us < stage.start_us + stage.length_us);
    let Some(stage) = running.or(load.stages.last()) else {
        return 0;
    };
    let into_us = u128::from(at_us.saturating_sub(stage.start_us).min(stage.length_us));
    let length_us = u128::from(stage.length_us.max(1));
    let (from, to) = (u128::from(stage.from), u128::from(stage.to));
    let clients = (from * (length_us - into_us) + to * into_us) / length_us;
    u64::try_from(clients).unwrap_or(u64::MAX)
}

fn axis(load_us: u64, label_columns: usize) -> [String; 2] {
    let step_us = STEPS_US
        .into_iter()
        .find(|step_us| load_us / step_us <= 6)
        .unwrap_or(86_400_000_000 * (load_us / 86_400_000_000 / 6 + 1));
    let mut rule: Vec<char> = vec!['-'; place(COLUMNS)];
    let mut labels: Vec<char> = Vec::new();
    for mark in 0..=load_us / step_us {
        let column = place(mark * step_us * COLUMNS / load_us);
        if mark > 0
            && let Some(spot) = rule.get_mut(column)
        {
            *spot = '+';
        }
        if column >= labels.len() {
            labels.resize(column, ' ');
            labels.extend(print_us(mark * step_us).chars());
            labels.push(' ');
        }
    }
    let rule: String = rule.into_iter().collect();
    let labels: String = labels.into_iter().collect();
    [
        format!("{:label_columns$} +{rule}", ""),
        format!("{:label_columns$}  {}", "", labels.trim_end()),
    ]
}

fn bar(fault: &PlannedFault, load_us: u64, label_columns: usize) -> String {
    let name: String = fault.name.chars().take(label_columns).collect();
    let start = fault.at_us * COLUMNS / load_us;
    let end = (fault.at_us + fault.for_us) * COLUMNS / load_us;
    let bar: String = (0..COLUMNS)
        .map(|column| {
            if column >= start && column < end.max(start + 1) {
                '='
            } else {
                ' '
            }
        })
        .collect();
    let at = print_us(fault.at_us);
    let part = fault
        .kind
        .link()
        .map(Link::name)
        .or(fault.kind.reach().process());
    let part = part.unwrap_or_default();
    let effect = fault.kind.effect();
    let length = if fault.kind.is_moment() {
        String::new()
    } else if fault.condition {
        " to the end".to_owned()
    } else {
        format!(" for {}", print_us(fault.for_us))
    };
    format!("{name:>label_columns$} |{bar}| {part} {effect} at {at}{length}")
}

fn place(column: u64) -> usize {
    usize::try_from(column).unwrap_or(usize::MAX)
}
