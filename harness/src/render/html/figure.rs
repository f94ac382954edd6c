//! This module puts a chart on the page: heading, finding, legend, both widths, and its values.
//!
//! **In:** a drawn chart. **Out:** a `<figure>`, and the JSON the cursor reads.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::prose::prose;
use crate::render::plot::{Chart, Key, Reading, ReadingUnit};
use crate::render::renderer::RenderError;

/// The chart as a figure.
pub(crate) fn figure(chart: &Chart) -> Markup {
    let live = !chart.readings.is_empty();
    html! {
        figure id=(chart.id) {
            h3 { (prose(&chart.title)) }
            p.say { (prose(&chart.finding)) }
            div.keys {
                @for key in &chart.keys { (legend(key)) }
                @if live { output.read aria-live="polite" {} }
            }
            div.box.wide { (PreEscaped(&chart.wide)) }
            div.box.narrow { (PreEscaped(&chart.narrow)) }
        }
    }
}

/// The distribution, and beside it where the time goes.
pub(crate) fn pair(left: &Chart, right: Option<&Chart>) -> Markup {
    html! {
        div class=(if right.is_some() { "pair" } else { "single" }) {
            (figure(left))
            @if let Some(right) = right { (figure(right)) }
        }
    }
}

fn legend(key: &Key) -> Markup {
    let sample = html! {
        svg viewBox="0 0 22 10" aria-hidden="true" {
            @if key.class.starts_with("f-") {
                path class=(key.class) d="M2 0h18v10h-18z" {}
            } @else {
                path class=(key.class) stroke-width="2.5" d="M0 5h22" {}
            }
        }
    };
    html! {
        @match key.series {
            Some(series) => button.key type="button" data-s=(series) aria-pressed="true" { (sample) (key.text) },
            None => span.key { (sample) (key.text) },
        }
    }
}

#[derive(Serialize)]
struct Column<'a> {
    n: &'a str,
    /// Its series: hidden with it.
    s: &'a str,
    u: &'static str,
    x: f64,
    d: f64,
    v: &'a [Option<u64>],
}

impl<'a> Column<'a> {
    fn new(reading: &'a Reading) -> Self {
        Self {
            n: &reading.name,
            s: reading.series,
            u: match reading.unit {
                ReadingUnit::Microseconds => "us",
                ReadingUnit::Count => "",
                ReadingUnit::Tenths => "r",
                ReadingUnit::Percent => "%",
                ReadingUnit::Mebibytes => "MiB",
            },
            x: 0.0,
            d: reading.step,
            v: &reading.values,
        }
    }
}

/// The values of all charts by their id, safe inside a script element.
pub(crate) fn data(charts: &[&Chart]) -> Result<String, RenderError> {
    let columns: std::collections::BTreeMap<&str, Vec<Column<'_>>> = charts
        .iter()
        .map(|chart| {
            (
                chart.id.as_ref(),
                chart.readings.iter().map(Column::new).collect(),
            )
        })
        .collect();
    let json = serde_json::to_string(&columns).map_err(RenderError::Json)?;
    Ok(json.replace('<', "\\u003c"))
}
