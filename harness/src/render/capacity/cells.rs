//! This module puts probes and figures into words: the same in every report.

use crate::capacity::account::Answer;
use crate::capacity::law::{Interval, Law};
use crate::capacity::planner::{Basis, Figure};
use crate::capacity::probe::Probe;
use crate::capacity::search::{Came, Found};
use crate::capacity::uses::Use;
use crate::exit::Exit;
use crate::format;
use crate::render::words::Look;

/// How the answer looks.
pub(super) fn answer(answer: &Answer) -> Look {
    let (word, mark, class) = match (Exit::of(answer.exit_code), answer.found) {
        (Exit::Interrupted, _) => ("INTERRUPTED", "■", "warn"),
        (Exit::Pass, Found::AtLeast { .. }) => ("AT LEAST", "✓", "pass"),
        (Exit::Pass, _) => ("FOUND", "✓", "pass"),
        (Exit::Threshold, _) => ("LESS THAN", "✗", "fail"),
        (_, Found::GeneratorFull { .. }) => ("AT LEAST", "?", "warn"),
        (_, _) => ("INCONCLUSIVE", "?", "warn"),
    };
    Look { word, mark, class }
}

/// The word of a probe.
pub(super) const fn came(came: Came) -> Look {
    let (word, mark, class) = match came {
        Came::Held => ("held", "✓", "good"),
        Came::Broke => ("broke", "✗", "bad"),
        Came::Full => ("generator full", "?", "warn"),
        Came::Unclear => ("cannot tell", "?", "warn"),
    };
    Look { word, mark, class }
}

pub(super) fn time(us: Option<u64>) -> String {
    format::duration_or_none(us)
}

pub(super) fn rate(per_s: f64) -> String {
    format::rate(crate::units::rounded(per_s))
}

/// A rate that was measured.
pub(super) fn rate_or_none(per_s: Option<f64>) -> String {
    per_s.map_or_else(|| format::NONE.to_owned(), rate)
}

/// The fullest thing of a probe.
pub(super) fn fullest(probe: &Probe) -> String {
    let fullest = probe.uses.first().and_then(|of| {
        let share = format::percent(of.share_ratio?);
        Some(format!("{} {share}", of.what))
    });
    fullest.unwrap_or_else(|| format::NONE.to_owned())
}

/// The probe at which the answer says what was full: the smallest load that broke, or else the largest that held.
pub(super) fn at_limit(answer: &Answer) -> Option<&Probe> {
    let load = match answer.found {
        Found::Between { broke, .. } | Found::LessThan { broke } => broke,
        Found::GeneratorFull { full, .. } => full,
        Found::AtLeast { held } => held,
        Found::Unclear => return None,
    };
    let mut probes = answer.probes.iter().filter(|probe| probe.load == load);
    probes.find(|probe| !probe.uses.is_empty())
}

/// How full a thing was.
pub(super) fn share(of: &Use) -> String {
    of.share_ratio
        .map_or_else(|| format::NONE.to_owned(), format::percent)
}

/// What the probes say together, in sentences.
pub(super) fn scaling(answer: &Answer) -> Vec<String> {
    let mut lines = Vec::new();
    match &answer.scaling.law {
        Law::Fitted(fit) => lines.push(format!(
            "Universal Scalability Law: contention σ {}, coherency κ {}, most answered {} at {} in flight (95 % intervals; measured up to {})",
            interval(fit.sigma, |value| format!("{value:.3}")),
            interval(fit.kappa, |value| format!("{value:.2e}")),
            interval(fit.peak_throughput, rate),
            interval(fit.peak_load, |load| format::count_f64(load.round())),
            format::count_f64(fit.load_max.round())
        )),
        Law::Refused { reason, hint } => lines.push(format!(
            "No Universal Scalability Law over these probes: {reason} ({hint})"
        )),
    }
    let knees = [
        ("Latency", answer.scaling.latency_knee),
        ("Throughput", answer.scaling.throughput_knee),
    ];
    let bends = knees.into_iter().filter_map(|(what, knee)| {
        let knee = format::count_f64(knee?.round());
        let unit = answer.asked.axis.unit();
        Some(format!("{what} bends at {knee} {unit} (Kneedle)"))
    });
    lines.extend(bends);
    lines
}

/// `0.05 (0.04 to 0.06)`.
fn interval(of: Interval, text: impl Fn(f64) -> String) -> String {
    let or = |value: Option<f64>, none: &str| value.map_or_else(|| none.to_owned(), &text);
    format!(
        "{} ({} to {})",
        or(of.value, "without end"),
        text(of.low),
        or(of.high, "without end")
    )
}

/// Where a figure is from.
pub(super) fn basis(figure: &Figure) -> String {
    match figure.basis {
        Basis::Measured => "measured".to_owned(),
        Basis::Modelled => "modelled".to_owned(),
        Basis::Extrapolated { reach } => {
            let reach = if reach < 10.0 {
                format!("{reach:.1}")
            } else {
                format::count_f64(reach.round())
            };
            format!("extrapolated, {reach} times what was measured")
        }
    }
}
