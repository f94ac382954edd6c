//! This module prints what the ways cost, and the ratios that have a budget.

use crate::{
    Outcome,
    way::{Costs, Way},
};

/// Processor time per MB against the splice's.
const RATIO_MAX: f64 = 1.3;
/// Memory of a connection that waits.
pub(crate) const IDLE_KIB_MAX: f64 = 8.0;

/// Which of a way's costs a row shows.
type Pick = fn(&Costs) -> &[f64];

const ROWS: [(&str, Pick); 5] = [
    ("round trip p50, µs", |costs| &costs.p50_us),
    ("round trip p99, µs", |costs| &costs.p99_us),
    ("processor time per MB, µs", |costs| &costs.cpu_us_per_mb),
    ("processor time per connection, µs", |costs| {
        &costs.cpu_us_per_connection
    }),
    ("memory per idle connection, KiB", |costs| {
        &costs.kib_per_idle
    }),
];

pub(crate) fn print(ways: &[Way]) -> Outcome<()> {
    print!("\n{:<34}", "");
    for way in ways {
        print!("{:>12}", way.name);
    }
    println!();
    for (name, pick) in ROWS {
        print!("{name:<34}");
        for way in ways {
            match pick(&way.costs) {
                [] => print!("{:>12}", "–"),
                values => print!("{:>12.1}", median(values)),
            }
        }
        println!();
    }
    compare(ways)
}

/// The proxy without toxics beside the others, turn by turn.
fn compare(ways: &[Way]) -> Outcome<()> {
    let cost = |name: &str| {
        let way = ways.iter().find(|way| way.name == name);
        way.map(|way| &way.costs).ok_or("a way was not measured")
    };
    let (direct, splice, proxy) = (cost("direct")?, cost("splice")?, cost("proxy")?);
    let same_reads = cost("splice 32K")?;
    let each = |ours: &[f64], theirs: &[f64], compared: fn(f64, f64) -> f64| {
        let turns = ours.iter().zip(theirs);
        median(&turns.map(|(a, b)| compared(*a, *b)).collect::<Vec<_>>())
    };
    let times = |pick: Pick, other: &Costs| each(pick(proxy), pick(other), |a, b| a / b);
    let added = |way: &Costs| each(&way.p50_us, &direct.p50_us, |a, b| a - b);
    let (per_mb, per_connection): (Pick, Pick) = (
        |costs| &costs.cpu_us_per_mb,
        |costs| &costs.cpu_us_per_connection,
    );
    println!(
        "\n{:<56}{:>8}{:>10}",
        "proxy without toxics", "seen", "budget"
    );
    verdict(
        "processor time per MB, times the splice's",
        times(per_mb, splice),
        RATIO_MAX,
    );
    verdict(
        "memory per idle connection, KiB",
        median(&proxy.kib_per_idle),
        IDLE_KIB_MAX,
    );
    figure(
        "processor time per MB, times that of splice 32K",
        times(per_mb, same_reads),
    );
    figure(
        "processor time per connection, times the splice's",
        times(per_connection, splice),
    );
    figure("added to a round trip p50, µs", added(proxy));
    figure("the same by the splice, µs", added(splice));
    Ok(())
}

/// A figure beside the most it may be.
pub(crate) fn verdict(name: &str, seen: f64, most: f64) {
    let kept = if seen <= most { "kept" } else { "MISSED" };
    println!("{name:<56}{seen:>8.2}{:>10}  {kept}", format!("≤ {most}"));
}

fn figure(name: &str, seen: f64) {
    println!("{name:<56}{seen:>8.2}{:>10}", "–");
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
