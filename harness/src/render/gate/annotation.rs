//! This module writes annotations: lines that GitHub shows at a line of a file of the pull request.
//!
//! **In:** the decision. **Out:** workflow commands for stdout, one a finding. **Source:** GitHub Docs, "Workflow commands for
//! GitHub Actions": a message escapes `%`, CR and LF, a property also `:` and `,`.

use super::cells;
use crate::format;
use crate::gate::comparison::{Decision, Outcome, Role, Row, Word};

/// GitHub shows ten of a kind and step.
const ANNOTATIONS_MAX: usize = 10;

/// What is said at a line of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub severity: Severity,
    /// From 1.
    pub line: u32,
    pub title: String,
    pub message: String,
    /// What it is about, the same from gate to gate.
    pub about: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Warning,
}

/// What is worth an annotation: what fails the gate, or keeps it from telling.
pub(super) fn findings(decision: &Decision) -> Vec<Finding> {
    let slower = decision.rows.iter();
    let slower = slower.filter(|row| row.role != Role::Shown && row.word == Word::Slower);
    let mut found: Vec<Finding> = slower.map(|row| of_row(row, Severity::Error)).collect();
    let whole = |severity| Finding {
        severity,
        line: 1,
        title: format!(
            "{} {}",
            cells::title(decision),
            cells::outcome(decision.outcome).word
        ),
        message: decision.sentence.clone(),
        about: "gate".to_owned(),
    };
    match decision.outcome {
        Outcome::Pass | Outcome::Slower => {}
        Outcome::Threshold | Outcome::Incorrect | Outcome::Invalid => {
            found.insert(0, whole(Severity::Error));
        }
        Outcome::Refused => found.push(whole(Severity::Warning)),
        Outcome::Inconclusive => {
            let primary = decision.rows.iter().find(|row| row.role == Role::Primary);
            let primary = primary.map(|row| of_row(row, Severity::Warning));
            found.push(primary.unwrap_or_else(|| whole(Severity::Warning)));
        }
    }
    found.truncate(ANNOTATIONS_MAX);
    found
}

fn of_row(row: &Row, severity: Severity) -> Finding {
    let (name, word) = (cells::name(row), cells::word(row).word);
    let title = match row.word {
        Word::CannotTell => format!("{name}: {word}"),
        Word::Slower | Word::Faster | Word::Same => {
            format!("{name} {}", cells::share(row.change_ratio))
        }
    };
    let own = cells::own(row).map_or_else(String::new, |own| format!("; {own}"));
    let reason = row
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!("; {reason}"));
    Finding {
        severity,
        line: row.line.unwrap_or(1),
        title,
        message: format!(
            "{} → {}, 95 % sure of {}, limit {}{own}{reason}",
            cells::value(row, row.base_median),
            cells::value(row, row.new_median),
            cells::interval(row),
            cells::share(row.limit_ratio)
        ),
        about: row.metric.to_string(),
    }
}

/// The workflow commands, each a line.
pub(crate) fn text(decision: &Decision) -> String {
    let line = |finding: &Finding| {
        let kind = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!(
            "::{kind} file={},line={},title={}::{}\n",
            property(&decision.scenario),
            finding.line,
            property(&finding.title),
            message(&finding.message)
        )
    };
    findings(decision).iter().map(line).collect()
}

fn message(text: &str) -> String {
    let text = format::plain(text);
    let text = text.replace('%', "%25").replace('\r', "%0D");
    format::harmless(&text.replace('\n', "%0A"))
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
