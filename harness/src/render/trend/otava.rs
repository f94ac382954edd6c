//! This module writes a history for those who run Apache Otava over it: one CSV file a series, and the configuration that
//! names them.
//!
//! **In:** a trend. **Out:** `series-1.csv` …, `otava.yaml`. **Units:** microseconds or bytes, planned waits left out. A metric that
//! a point lacks is left out: Otava reads no empty cell.
//!
//! **Source:** the CSV tests of Apache Otava 0.8.

use crate::format::append;
use crate::gate::trend::{MetricTrend, Series, Trend};
use crate::render::renderer::RenderError;

type File = (String, Result<Vec<u8>, RenderError>);

/// The files; the paths in the configuration are relative to the folder they lie in.
pub(super) fn files(trend: &Trend) -> Vec<File> {
    let mut files = Vec::new();
    let mut configuration =
        "# In this folder: otava --config-file otava.yaml analyze series-1\ntests:\n".to_owned();
    for (place, series) in trend.series.iter().enumerate() {
        let file = format!("series-{}.csv", place + 1);
        append(&mut configuration, format_args!("{}", test(&file, series)));
        files.push((file, table(series)));
    }
    files.push(("otava.yaml".to_owned(), Ok(configuration.into_bytes())));
    files
}

/// A column's name: what YAML and a shell take without quotes.
fn column(of: &MetricTrend) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    of.metric.to_string().chars().map(letter).collect()
}

/// Metrics that every point has, each under a name of its own.
fn whole(series: &Series) -> Vec<(String, &MetricTrend)> {
    let metrics = series.metrics.iter();
    let metrics = metrics.filter(|of| of.values.iter().all(Option::is_some));
    let mut named: Vec<(String, &MetricTrend)> = Vec::new();
    for of in metrics {
        let mut name = column(of);
        while named.iter().any(|(other, _)| *other == name) {
            name.push('_');
        }
        named.push((name, of));
    }
    named
}

/// What cannot end a comment.
fn plain(text: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_graphic() {
            letter
        } else {
            ' '
        }
    };
    text.chars().map(letter).collect()
}

fn test(file: &str, series: &Series) -> String {
    let name = file.trim_end_matches(".csv");
    let mut text = format!(
        "  # {}\n  {name}:\n    type: csv\n    file: {file}\n    time_column: time\n    attributes: [commit, point]\n    metrics:\n",
        plain(&series.title)
    );
    for (name, _) in whole(series) {
        append(
            &mut text,
            format_args!("      {name}:\n        direction: -1\n"),
        );
    }
    text
}

fn table(series: &Series) -> Result<Vec<u8>, RenderError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let metrics = whole(series);
    let head = ["time", "commit", "point"].map(str::to_owned).into_iter();
    table
        .write_record(head.chain(metrics.iter().map(|(name, _)| name.clone())))
        .map_err(RenderError::Csv)?;
    for (place, point) in series.points.iter().enumerate() {
        let commit = point.commit.clone().unwrap_or_default();
        let mut cells = vec![point.at.clone(), commit, (place + 1).to_string()];
        let values = metrics.iter();
        let values = values.filter_map(|(_, of)| of.values.get(place).copied().flatten());
        cells.extend(values.map(|value| value.to_string()));
        table.write_record(cells).map_err(RenderError::Csv)?;
    }
    table
        .into_inner()
        .map_err(|error| RenderError::Csv(error.into_error().into()))
}
