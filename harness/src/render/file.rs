//! This module names the files of a run directory, for reports that point to each other.

use crate::result::store::RESULT_FILE;

pub(crate) const PAGE: &str = "report.html";
pub(crate) const RESPONSE_TIME: &str = "response-time.svg";
pub(crate) const OPEN_SESSIONS: &str = "open-sessions.svg";
pub(crate) const CLOSES: &str = "closes.svg";
pub(crate) const DISTRIBUTION: &str = "distribution.svg";
pub(crate) const LATENESS: &str = "lateness.svg";
pub(crate) const SUMMARY: &str = "summary.md";
pub(crate) const JUNIT: &str = "junit.xml";
pub(crate) const SERIES: &str = "series.csv";
pub(crate) const METRICS: &str = "metrics.prom";
pub(crate) const EVENTS: &str = "events.jsonl";
pub(crate) const JOURNAL: &str = "journal.json";
/// The resolved plan, as a scenario.
pub(crate) const PLAN: &str = "plan.toml";
/// Histograms of the run itself: the result does not hold them.
pub(crate) const LATENCIES: &str = "latency.hlog";

/// What lies beside the page, in the order in which the page names it.
pub(crate) const BESIDE_PAGE: [&str; 14] = [
    RESULT_FILE,
    PLAN,
    LATENCIES,
    RESPONSE_TIME,
    OPEN_SESSIONS,
    CLOSES,
    DISTRIBUTION,
    LATENESS,
    SUMMARY,
    JUNIT,
    SERIES,
    METRICS,
    EVENTS,
    JOURNAL,
];
