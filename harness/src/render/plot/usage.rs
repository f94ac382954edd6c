//! This module draws what the processes of the run used: processors and memory.
//!
//! **In:** `series.usage`. **Out:** steps on a linear axis; no chart where nothing was looked at.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::chart::{Chart, ReadingUnit};
use super::draw::{Series, Shape};
use super::frame::Frame;
use super::palette;
use super::sketch::Sketch;
use crate::format;
use crate::render::renderer::RenderError;
use crate::result::{Consumer, RunResult, UsageLine};
use crate::units::{self, seconds};

const MIB: f64 = 1_048_576.0;
const PERCENT: f64 = 100.0;

/// Processor time over the run, in percent of one processor.
pub(crate) fn processors(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let all = |line: &UsageLine| -> Vec<Option<f64>> {
        let cores = line.cpu_cores.iter();
        cores.map(|cores| cores.map(|of| of * PERCENT)).collect()
    };
    let told = |most: f64| format!("{}{}%", format::count_f64(most.round()), format::NBSP);
    let text = |each: &str| {
        format!(
            "Of one processor, at most: {each}. The machine has {}.",
            match result.run.host.cores {
                1 => "one processor".to_owned(),
                cores => format!("{cores} processors"),
            }
        )
    };
    let about = About {
        id: "processors",
        title: "Processor time, in % of one processor",
        subject: "Processor time over the run",
        unit: ReadingUnit::Percent,
    };
    about.draw(result, all, told, text)
}

/// Resident memory over the run, in MiB.
pub(crate) fn memory(result: &RunResult) -> Result<Option<Chart>, RenderError> {
    let all = |line: &UsageLine| -> Vec<Option<f64>> {
        let bytes = line.rss_bytes.iter();
        bytes.map(|bytes| bytes.map(|of| of as f64 / MIB)).collect()
    };
    let told = |most: f64| format::bytes(units::rounded(most * MIB));
    let text = |each: &str| format!("At most: {each}.");
    let about = About {
        id: "memory",
        title: "Memory in use, in MiB",
        subject: "Resident memory over the run",
        unit: ReadingUnit::Mebibytes,
    };
    about.draw(result, all, told, text)
}

/// What a chart of use says of itself.
struct About {
    id: &'static str,
    title: &'static str,
    subject: &'static str,
    unit: ReadingUnit,
}

impl About {
    /// `told`: a value in words; `text`: the finding around the highest of each.
    fn draw(
        self,
        result: &RunResult,
        values: impl Fn(&UsageLine) -> Vec<Option<f64>>,
        told: impl Fn(f64) -> String,
        text: impl Fn(&str) -> String,
    ) -> Result<Option<Chart>, RenderError> {
        let lines = result.series.usage.iter();
        let lines: Vec<(Consumer, Vec<Option<f64>>)> =
            lines.map(|line| (line.what, values(line))).collect();
        if lines.is_empty() {
            return Ok(None);
        }
        let most = |values: &[Option<f64>]| values.iter().flatten().copied().fold(0.0, f64::max);
        let highest = lines.iter().map(|(_, values)| most(values));
        let highest = units::rounded(highest.fold(1.0, f64::max).ceil());
        let each = lines.iter();
        let each = each.map(|(what, values)| format!("{} {}", what.name(), told(most(values))));
        let step = seconds(result.series.second_us);
        let series = lines.iter().map(|(what, values)| {
            let read = values.iter().map(|value| value.map(units::rounded));
            let shape = Shape::Steps(step, values.clone());
            let series = Series::new(what.name(), color(*what), shape).pen(1.6);
            series.read(what.name(), self.unit, step, read)
        });
        let sketch = Sketch {
            id: self.id.into(),
            title: self.title.to_owned(),
            subject: self.subject,
            finding: text(&each.collect::<Vec<_>>().join(", ")),
            series: series.collect(),
        };
        let chart = sketch.draw(|width| Frame {
            height: 100,
            y: Axis::count(highest),
            ..Frame::over_time(result, width)
        });
        chart.map(Some)
    }
}

const fn color(what: Consumer) -> RGBColor {
    match what {
        Consumer::Server => palette::SERIES_1,
        Consumer::Redis => palette::SERIES_2,
        Consumer::Edge => palette::SERIES_3,
        Consumer::Harness => palette::SERIES_4,
    }
}
