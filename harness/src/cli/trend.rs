//! This module is `harness trend`: how the metrics of a scenario moved over weeks, and where they changed for good.
//!
//! **In:** folders of baselines and gates. **Out:** text on stdout; in `--out` a page, the account, and the files of Apache Otava.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::comparison;
use super::failure::Failure;
use super::screen;
use crate::exit::Exit;
use crate::gate::metric::Metric;
use crate::gate::trend::{self, HistoryError};
use crate::render::terminal::Style;
use crate::render::trend as render;
use crate::result::store::RunDir;

#[derive(Args, Debug)]
pub(super) struct TrendArgs {
    /// What holds the history: folders with baselines and gates anywhere below, or such files
    #[arg(value_name = "PATH", default_value = "reports")]
    paths: Vec<PathBuf>,
    /// Only this metric ("complete p99", "server cpu"); more than once for several [default: all]
    #[arg(long, value_name = "METRIC")]
    metric: Vec<Metric>,
    /// Also tell of the metrics that no gate judges
    #[arg(long)]
    all: bool,
    /// Folder for trend.html, trend.json and what Apache Otava reads (otava.yaml, series-1.csv …): new, empty or of an earlier
    /// trend [default: none are written]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &TrendArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    if let Some(folder) = &args.out {
        comparison::claim(folder, render::JSON, trend::SCHEMA)?;
    }
    let trend = trend::trend(trend::read(&args.paths)?, &args.metric);
    let page = args.out.as_ref().map(|folder| folder.join(render::HTML));
    let style = Style {
        color: screen::color(),
        width: screen::width(),
        report: page.map(|page| page.display().to_string()),
    };
    let all = args.all || !args.metric.is_empty();
    let told = out.write_all(render::terminal::text(&trend, &style, all).as_bytes());
    out.flush()?;
    if let Some(folder) = &args.out {
        let place = RunDir::at(folder);
        for (file, drawn) in render::files(&trend) {
            place.write(&file, &drawn?)?;
        }
    }
    told?;
    Ok(Exit::Pass)
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let exit = match error {
            HistoryError::TooMany => Exit::Usage,
            HistoryError::Read { .. }
            | HistoryError::Damaged { .. }
            | HistoryError::Other { .. }
            | HistoryError::Unusable { .. }
            | HistoryError::Empty(_) => Exit::Storage,
        };
        Self::new(exit, error.to_string()).hint(error.hint())
    }
}
