//! This module puts probes and figures into words: the same in every report.

use crate::capacity::account::Answer;
use crate::capacity::planner::{Basis, Figure};
use crate::capacity::probe::Probe;
use crate::capacity::search::{Came, Found};
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

/// The fullest thing of a probe.
pub(super) fn fullest(probe: &Probe) -> String {
    let fullest = probe.uses.first();
    fullest.map_or_else(
        || format::NONE.to_owned(),
        |of| format!("{} {}", of.what, format::percent(of.share_ratio)),
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
