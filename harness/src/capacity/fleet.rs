//! This module says how many instances a wished-for load needs, and what becomes of them when some go.
//!
//! **In:** what one instance takes, earlier answers for other numbers of them, the storm. **Out:** [`Figure`]s.

use std::cmp::Ordering;

use super::axis::Axis;
use super::figure::{Basis, Figure};
use super::question::Question;
use super::scale_out::{ScaleOut, Together};
use super::search::{Came, Found};
use super::storm::Storm;
use crate::format;

/// All figures about instances. `each`: what one of them takes, at least 1.
pub(super) fn figures(
    asked: &Question,
    found: Found,
    (each, storm): (u64, Option<&Storm>),
) -> Vec<Figure> {
    let scale = scale_out(asked, found);
    let mut figures: Vec<Figure> = scale.iter().map(hindrance).collect();
    let carried = (each, scale.as_ref());
    let all = asked.want.and_then(|want| needed(asked, carried, want).0);
    let all = all.map(|needed| needed.saturating_add(asked.spare));
    if let Some(want) = asked.want {
        figures.extend(instances(asked, carried, (want, storm)));
    }
    figures.extend(storm.and_then(|storm| after_storm(asked, all, storm)));
    figures
}

/// How capacity grows with instances, where it is known of several numbers of them.
fn scale_out(asked: &Question, found: Found) -> Option<ScaleOut> {
    let held = found.held()?;
    let broke = match found {
        Found::Between { broke, .. } => Some(broke),
        Found::AtLeast { .. }
        | Found::GeneratorFull { .. }
        | Found::LessThan { .. }
        | Found::Unclear => None,
    };
    let own = Together {
        instances: u64::from(asked.instances.max(1)),
        held,
        broke,
    };
    let all: Vec<Together> = asked.beside.iter().copied().chain([own]).collect();
    ScaleOut::of(&all)
}

fn hindrance(scale: &ScaleOut) -> Figure {
    let (likely, least, worst) = scale.contention();
    Figure {
        name: "instances hinder each other".to_owned(),
        value: likely,
        text: format!("{:.1} % each", likely * 100.0),
        basis: Basis::Measured,
        how: format!(
            "contention of Amdahl's law on up to {} instances; the ends of the answers allow {:.1} to {:.1} %",
            format::count(scale.most),
            least * 100.0,
            worst * 100.0
        ),
        run: None,
    }
}

/// How many instances carry what is wanted, and how that is known.
fn needed(
    asked: &Question,
    (held, scale): (u64, Option<&ScaleOut>),
    want: u64,
) -> (Option<u64>, String) {
    let unit = asked.axis.unit();
    let wanted = format::count(want);
    let Some(scale) = scale else {
        let needed = want.div_ceil(held);
        let reach = want as f64 / held as f64;
        let how = format!(
            "{wanted} {unit} need {} instances, and {} may be gone; as if instances did not hinder each other: whether what they share (Redis) carries {} times as much was not measured",
            format::count(needed),
            format::count(asked.spare),
            format::count_f64(reach.round().max(1.0))
        );
        return (Some(needed), how);
    };
    let (likely, best, worst) = scale.carry(want);
    let number =
        |count: Option<u64>| count.map_or_else(|| "no number of".to_owned(), format::count);
    let how = format!(
        "{wanted} {unit} need {} instances ({} to {} by the ends of the answers), and {} may be gone; they hinder each other as was measured on up to {}",
        number(likely),
        number(best),
        number(worst),
        format::count(asked.spare),
        format::count(scale.most)
    );
    (likely, how)
}

/// How many instances carry what is wanted, with some of them gone.
fn instances(
    asked: &Question,
    (held, scale): (u64, Option<&ScaleOut>),
    (want, storm): (u64, Option<&Storm>),
) -> Vec<Figure> {
    let (needed, how) = needed(asked, (held, scale), want);
    let measured = held * scale.map_or(1, |scale| scale.most);
    let Some(needed) = needed else {
        let ceiling = scale.map_or(0.0, ScaleOut::ceiling);
        return vec![Figure {
            name: "no number of instances carries more than".to_owned(),
            value: ceiling,
            text: format!(
                "{} {}",
                format::count_f64(ceiling.floor()),
                asked.axis.unit()
            ),
            basis: Basis::Extrapolated {
                reach: ceiling / measured as f64,
            },
            how,
            run: None,
        }];
    };
    let all = needed.saturating_add(asked.spare);
    let reach = want as f64 / measured as f64;
    let basis = if reach > 1.0 {
        Basis::Extrapolated { reach }
    } else {
        Basis::Measured
    };
    let mut figures = vec![Figure {
        name: "instances".to_owned(),
        value: all as f64,
        text: format::count(all),
        basis,
        how: how + without_one(storm),
        run: None,
    }];
    let used = want as f64 / (all as f64 * held as f64);
    figures.push(Figure {
        name: "use of each with all there".to_owned(),
        value: used,
        text: format::percent(used),
        basis,
        how: "what is wanted, shared evenly, of what one instance takes".to_owned(),
        run: None,
    });
    if let Some(price) = asked.price_per_hour {
        let each = match asked.axis {
            Axis::Clients => price * all as f64 * 1_000.0 / want as f64,
            Axis::MessageRate | Axis::ConnectRate | Axis::FanOut => price * all as f64,
        };
        let per = match asked.axis {
            Axis::Clients => "an hour for 1,000 clients",
            Axis::MessageRate | Axis::ConnectRate | Axis::FanOut => "an hour for all of it",
        };
        let decimals = if each < 1.0 { 4 } else { 2 };
        figures.push(Figure {
            name: "cost".to_owned(),
            value: each,
            text: format!("{each:.decimals$} {per}"),
            basis,
            how: format!("{all} instances at {price} an hour each"),
            run: None,
        });
    }
    figures
}

/// What the storm says of one instance less.
fn without_one(storm: Option<&Storm>) -> &'static str {
    match storm.map(|storm| storm.came) {
        Some(Came::Broke) => {
            "; as full as that, those that stay do not survive its clients coming to them all at once: see the storm"
        }
        Some(Came::Held | Came::Full | Came::Unclear) | None => "",
    }
}

/// What half of the clients that come back at once do to the load that held.
fn after_storm(asked: &Question, all: Option<u64>, storm: &Storm) -> Option<Figure> {
    if matches!(storm.came, Came::Full | Came::Unclear) {
        return None;
    }
    let clients = format::count(storm.clients);
    let why = if storm.came == Came::Broke {
        format!(" {}", storm.sentence)
    } else {
        String::new()
    };
    Some(Figure {
        name: "after a storm".to_owned(),
        value: storm.longest_us.unwrap_or(0) as f64 / 1e6,
        text: storm.text(),
        basis: Basis::Measured,
        how: format!(
            "half of the connections were reset at once at {} {}, through a fault proxy: {} of {clients} clients were cut, and had {} ({}).{why}{}",
            format::count(storm.load),
            asked.axis.unit(),
            format::count(storm.cut),
            format::round_duration(storm.within.us as f64),
            storm.within.of,
            of_one(asked, all)
        ),
        run: Some(storm.folder.clone()),
    })
}

/// How the storm compares with what is met when instances go.
fn of_one(asked: &Question, all: Option<u64>) -> String {
    let Some(all) = all else {
        return " When one of several instances goes, its clients come to the others like that: of three or more, fewer.".to_owned();
    };
    let gone = asked.spare.max(1);
    let (of_gone, of_all) = (format::count(gone), format::count(all));
    match (gone * 2).cmp(&all) {
        Ordering::Less => format!(
            " When {of_gone} of {of_all} instances go, {of_gone} in {of_all} clients of those that stay are new: the storm is harsher."
        ),
        Ordering::Equal => format!(
            " When {of_gone} of {of_all} instances go, half of the clients of those that stay are new: the same."
        ),
        Ordering::Greater => format!(
            " When {of_gone} of {of_all} instances go, {of_gone} in {of_all} clients of those that stay are new: the storm is milder, and does not show it."
        ),
    }
}
