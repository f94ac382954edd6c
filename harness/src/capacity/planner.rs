//! This module says how many instances a wished-for load needs, and what a client costs.
//!
//! **In:** the answer of a search, its probes. **Out:** an [`Outlook`]: figures, each with where it is from. **Units:** as each
//! figure says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::figure::{Basis, Figure};
use super::law::{Law, Scaling};
use super::outage;
use super::probe::Probe;
use super::question::Question;
use super::scale_out::{ScaleOut, Together};
use super::search::{Came, Found};
use super::storm::Storm;
use crate::format;

/// Ports of one address towards one other, by the usual range.
const PORTS: u64 = 28_232;
/// From so many times what it answered on, a probe was asked for more than it could.
const BEHIND: f64 = 1.05;
/// Different numbers of clients from which a slope is drawn.
const LOADS_MIN: usize = 3;

/// What follows for a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Outlook {
    pub figures: Vec<Figure>,
}

impl Outlook {
    /// `None` where no load held.
    pub(crate) fn of(
        asked: &Question,
        found: Found,
        (probes, scaling, storm): (&[Probe], &Scaling, Option<&Storm>),
    ) -> Option<Self> {
        let held = found.held()?;
        let together = u64::from(asked.instances.max(1));
        let each = held / together;
        let how = match together {
            1 => "the largest load at which everything held".to_owned(),
            several => format!(
                "{} at which everything held, on {several} instances",
                format::count(held)
            ),
        };
        let mut figures = vec![Figure {
            name: "one instance takes".to_owned(),
            value: each as f64,
            text: format!("{} {}", format::count(each), asked.axis.unit()),
            basis: Basis::Measured,
            how,
            run: None,
        }];
        if asked.axis == Axis::MessageRate {
            figures.extend(saturation(probes));
        }
        figures.extend(peak(scaling, together));
        if asked.axis == Axis::Clients {
            figures.extend(memory(probes));
        }
        figures.extend(first_limits(asked, probes));
        let scale = scale_out(asked, found);
        figures.extend(scale.iter().map(hindrance));
        if let Some(want) = asked.want {
            figures.extend(instances(
                asked,
                (each.max(1), scale.as_ref()),
                (want, storm),
            ));
        } else if let Some(storm) = storm {
            figures.extend(outage::figure(asked, storm, None));
        }
        Some(Self { figures })
    }
}

/// The most that any probe had answered, where one was asked for more than it answered. Along other axes clients that are
/// refused ask for more as well.
fn saturation(probes: &[Probe]) -> Option<Figure> {
    let told = || {
        probes
            .iter()
            .filter(|probe| matches!(probe.came, Came::Held | Came::Broke))
    };
    let fell_behind = |probe: &Probe| {
        let asked_and_answered = probe.offered_per_s.zip(probe.answered_per_s);
        asked_and_answered.is_some_and(|(asked, answered)| asked > answered * BEHIND)
    };
    let answered = told().filter_map(|probe| Some((probe, probe.answered_per_s?)));
    let (probe, most) = answered.max_by(|one, other| one.1.total_cmp(&other.1))?;
    let asked_for_more = |probe: &Probe| probe.offered_per_s.is_some_and(|asked| asked > most);
    told().find(|probe| fell_behind(probe) && asked_for_more(probe))?;
    Some(Figure {
        name: "saturation throughput".to_owned(),
        value: most,
        text: rate(most),
        basis: Basis::Measured,
        how: "most answers a second of any probe, though others were asked for more".to_owned(),
        run: Some(probe.folder.clone()),
    })
}

/// The most that an instance answers, by the law of scalability.
fn peak(scaling: &Scaling, together: u64) -> Option<Figure> {
    let Law::Fitted(fit) = &scaling.law else {
        return None;
    };
    let each = |all: f64| all / together as f64;
    let (value, low) = (
        each(fit.peak_throughput.value?),
        each(fit.peak_throughput.low),
    );
    let high = fit.peak_throughput.high.map(each);
    let high = high.map_or_else(|| "without end".to_owned(), rate);
    let reach = fit.peak_load.value.map(|load| load / fit.load_max);
    Some(Figure {
        name: "most that one instance answers".to_owned(),
        value,
        text: rate(value),
        basis: reach.map_or(Basis::Modelled, self::reach),
        how: format!(
            "peak of the Universal Scalability Law over the steady probes, 95 % sure of {} to {high}",
            rate(low)
        ),
        run: None,
    })
}

fn rate(per_s: f64) -> String {
    format::rate(crate::units::rounded(per_s))
}

/// How capacity grows with instances, where it is known of several numbers of them.
fn scale_out(asked: &Question, found: Found) -> Option<ScaleOut> {
    let (held, broke) = match found {
        Found::Between { held, broke } => (held, Some(broke)),
        // Where the limit lies is not known: what held says nothing of how instances add up.
        Found::AtLeast { .. }
        | Found::GeneratorFull { .. }
        | Found::LessThan { .. }
        | Found::Unclear => return None,
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
        text: if likely > 0.0 {
            format!("{:.1} % each", likely * 100.0)
        } else {
            "not that it was seen".to_owned()
        },
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
        let known = if asked.beside.is_empty() {
            let times = format::count_f64(reach.round().max(1.0));
            format!(
                "whether what they share (Redis) carries {times} times as much was not measured"
            )
        } else {
            "the answers beside this one do not tell".to_owned()
        };
        let how = format!(
            "{wanted} {unit} need {} instances, and {} may be gone; as if instances did not hinder each other: {known}",
            format::count(needed),
            format::count(asked.spare)
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
    // What was carried by however many there were.
    let own = held * u64::from(asked.instances.max(1));
    let measured = asked.beside.iter().map(|one| one.held).fold(own, u64::max);
    let Some(needed) = needed else {
        let most = scale.map_or(0.0, ScaleOut::ceiling);
        let ceiling = Figure {
            name: "no number of instances carries more than".to_owned(),
            value: most,
            text: format!("{} {}", format::count_f64(most.floor()), asked.axis.unit()),
            basis: Basis::Extrapolated {
                reach: most / measured as f64,
            },
            how,
            run: None,
        };
        let after = storm.and_then(|storm| outage::figure(asked, storm, None));
        return [ceiling].into_iter().chain(after).collect();
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
        how: how + outage::without_one(storm),
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
    figures.extend(storm.and_then(|storm| outage::figure(asked, storm, Some(all))));
    figures
}

/// What comes to an end first as clients grow, beside what was tried: files and ports.
fn first_limits(asked: &Question, probes: &[Probe]) -> Vec<Figure> {
    if asked.axis != Axis::Clients {
        return Vec::new();
    }
    let most = probes.iter().filter(|probe| probe.came == Came::Held);
    let Some(probe) = most.max_by_key(|probe| probe.load) else {
        return Vec::new();
    };
    let clients = probe.clients.unwrap_or(1).max(1) as f64;
    let mut figures = Vec::new();
    if let Some((files, limit)) = probe.files.zip(probe.files_limit) {
        let per_client = files as f64 / clients;
        let together = f64::from(asked.instances.max(1));
        let carries = (limit as f64 / per_client / together).floor();
        figures.push(Figure {
            name: "its file limit carries".to_owned(),
            value: carries,
            text: format!("{} clients", format::count_f64(carries)),
            basis: reach(carries * together / clients),
            how: format!(
                "{per_client:.2} files a client of {} that it may open",
                format::count_f64(limit as f64 / together)
            ),
            run: None,
        });
    }
    figures.push(Figure {
        name: "ports of one address before it carry".to_owned(),
        value: PORTS as f64,
        text: format!("{} clients", format::count(PORTS)),
        basis: reach(PORTS as f64 / clients),
        how: "a proxy or generator that connects from one address to one port has the usual range of ports, 32768 to 60999".to_owned(),
        run: None,
    });
    figures
}

fn reach(of: f64) -> Basis {
    if of > 1.0 {
        Basis::Extrapolated { reach: of }
    } else {
        Basis::Modelled
    }
}

/// Memory of the server by client: a line through the probes by least squares.
fn memory(probes: &[Probe]) -> Option<Figure> {
    let points: Vec<(f64, f64)> = probes
        .iter()
        .filter_map(|probe| Some((probe.clients? as f64, probe.server_bytes? as f64)))
        .collect();
    let told = probes.iter().filter(|probe| probe.server_bytes.is_some());
    let mut loads: Vec<u64> = told.filter_map(|probe| probe.clients).collect();
    loads.sort_unstable();
    loads.dedup();
    if loads.len() < LOADS_MIN {
        return None;
    }
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let both: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let slope = both / squares;
    (slope.is_finite() && slope > 0.0).then(|| Figure {
        name: "memory of the server for each further client".to_owned(),
        value: slope,
        text: format::bytes(crate::units::rounded(slope)),
        basis: Basis::Modelled,
        how: format!("a line through {} probes", points.len()),
        run: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::search::{Bounds, Why};

    fn asked(axis: Axis, want: u64) -> Question {
        Question {
            title: "t".to_owned(),
            scenario: "t.toml".to_owned(),
            target: "the reference server".to_owned(),
            instances: 1,
            beside: Vec::new(),
            axis,
            bounds: Bounds {
                from: 1,
                to: 10_000,
                precision_ratio: 0.05,
                confirm: 1,
            },
            expected: Vec::new(),
            command: String::new(),
            plan_hash: String::new(),
            started_at: String::new(),
            harness_version: String::new(),
            want: Some(want),
            spare: 1,
            price_per_hour: Some(0.5),
            host: None,
            server_sha256: None,
        }
    }

    fn probe(clients: u64) -> Probe {
        Probe {
            came: Came::Held,
            clients: Some(clients),
            run: "r-0".to_owned(),
            server_bytes: Some(10_000_000 + clients * 12_000),
            files: Some(30 + clients),
            files_limit: Some(20_000),
            ..Probe::without((clients, Why::Step), Came::Held, String::new())
        }
    }

    fn outlook(asked: &Question, found: Found, probes: &[Probe]) -> Option<Outlook> {
        Outlook::of(asked, found, (probes, &Scaling::of(probes), None))
    }

    fn figure(outlook: &Outlook, name: &str) -> Figure {
        let mut figures = outlook.figures.iter();
        figures.find(|figure| figure.name == name).unwrap().clone()
    }

    #[test]
    fn the_instances_carry_what_is_wanted_with_one_of_them_gone() {
        let found = Found::Between {
            held: 1_000,
            broke: 1_050,
        };
        let probes = [probe(250), probe(500), probe(1_000)];
        let outlook = outlook(&asked(Axis::Clients, 4_500), found, &probes).unwrap();
        let instances = figure(&outlook, "instances");
        assert!((instances.value - 6.0).abs() < 1e-9, "{instances:?}");
        assert_eq!(instances.basis, Basis::Extrapolated { reach: 4.5 });
        let used = figure(&outlook, "use of each with all there");
        assert!((used.value - 0.75).abs() < 1e-9);
        // 6 × 0.5 an hour for 4.5 thousand.
        assert!((figure(&outlook, "cost").value - 3.0 / 4.5).abs() < 1e-9);
        let memory = figure(&outlook, "memory of the server for each further client");
        assert!((memory.value - 12_000.0).abs() < 1.0);
        assert_eq!(memory.basis, Basis::Modelled);
        let files = figure(&outlook, "its file limit carries");
        assert!((19_000.0..20_000.0).contains(&files.value), "{files:?}");
    }

    #[test]
    fn instances_that_hinder_each_other_are_more() {
        let mut asked = asked(Axis::Clients, 10_000);
        let found = Found::Between {
            held: 1_000,
            broke: 1_050,
        };
        let probes = [probe(1_000)];
        let text =
            |asked: &Question| figure(&outlook(asked, found, &probes).unwrap(), "instances").text;
        assert_eq!(text(&asked), "11");
        asked.beside.push(Together {
            instances: 3,
            held: 2_700,
            broke: Some(2_800),
        });
        // 3 / (1 + 2σ) = 2.7, and 10 · (1 − σ) / (1 − 10σ) of them.
        let with = outlook(&asked, found, &probes).unwrap();
        assert!((figure(&with, "instances hinder each other").value - 0.0556).abs() < 1e-3);
        assert_eq!(text(&asked), "23");
        assert_eq!(
            figure(&with, "instances").basis,
            Basis::Extrapolated {
                reach: 10_000.0 / 2_700.0
            }
        );
    }

    #[test]
    fn throughput_is_saturated_where_more_was_asked_for_than_answered() {
        let probe = |asked: f64, answered: f64| Probe {
            offered_per_s: Some(asked),
            answered_per_s: Some(answered),
            ..probe(10)
        };
        let mut probes = vec![probe(100.0, 100.0), probe(200.0, 199.0)];
        assert_eq!(saturation(&probes), None);
        probes.extend([probe(400.0, 251.0), probe(800.0, 240.0)]);
        let found = saturation(&probes).unwrap();
        assert!((found.value - 251.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn where_nothing_held_nothing_follows() {
        let asked = asked(Axis::MessageRate, 10);
        assert_eq!(outlook(&asked, Found::Unclear, &[]), None);
        assert_eq!(outlook(&asked, Found::LessThan { broke: 1 }, &[]), None);
    }

    #[test]
    fn two_loads_have_no_slope() {
        assert!(memory(&[probe(10), probe(10), probe(20)]).is_none());
    }
}
