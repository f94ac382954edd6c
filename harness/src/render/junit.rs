//! This module writes `junit.xml`: one test case per expectation and per check.
//!
//! **In:** the result. **Out:** the XML that CI systems read. Broken is a failure; what could not be
//! judged, and a run that cannot be trusted, are errors.
//!
//! **Source:** the `JUnit` schema of Apache Ant, as Jenkins and GitLab read it.

use std::io::Cursor;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{RenderError, Renderer, format, view};
use crate::result::{CheckGroup, CheckStatus, RunResult, Status, bound_text, observed_text};

/// `junit.xml`.
pub(crate) struct Junit;

const FILE: &str = "junit.xml";

impl Renderer for Junit {
    fn file(&self) -> &'static str {
        FILE
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        document(result).map_err(|source| RenderError::Write { file: FILE, source })
    }
}

struct Case {
    class: &'static str,
    name: String,
    line: u32,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed { kind: &'static str, message: String },
    Error { kind: &'static str, message: String },
}

fn cases(result: &RunResult) -> Vec<Case> {
    let mut cases = vec![Case {
        class: "verdict",
        name: result.run.question.clone(),
        line: 0,
        outcome: verdict(result),
    }];
    cases.extend(view::expectations(result).into_iter().map(|row| {
        let bound = bound_text(row);
        let message = format!(
            "observed {}, limit {bound}. {}",
            observed_text(row),
            row.finding
        );
        Case {
            class: "expectations",
            name: format!("{} {}, {}", row.name, bound, row.when),
            line: row.expectation.line,
            outcome: outcome(row.status, "expectation", message),
        }
    }));
    cases.extend(view::checks(result).into_iter().map(|check| {
        let (class, kind) = match check.group {
            CheckGroup::Correctness => ("correctness", "correctness"),
            CheckGroup::Service => ("service", "service"),
            CheckGroup::Validity => ("validity", "validity"),
        };
        let message = format!(
            "observed {}, limit {}. {}",
            check.observed, check.bound, check.finding
        );
        Case {
            class,
            name: check.name.clone(),
            line: 0,
            outcome: outcome(check.status, kind, message),
        }
    }));
    cases
}

fn outcome(status: CheckStatus, kind: &'static str, message: String) -> Outcome {
    match status {
        CheckStatus::Held => Outcome::Passed,
        CheckStatus::Broke => Outcome::Failed { kind, message },
        CheckStatus::Inconclusive => Outcome::Error {
            kind: "inconclusive",
            message,
        },
    }
}

fn verdict(result: &RunResult) -> Outcome {
    let message = result.verdict.sentence.clone();
    match result.verdict.status {
        Status::Pass => Outcome::Passed,
        Status::Fail => Outcome::Failed {
            kind: "fail",
            message,
        },
        Status::Invalid => Outcome::Error {
            kind: "invalid",
            message,
        },
        Status::Inconclusive => Outcome::Error {
            kind: "inconclusive",
            message,
        },
        Status::Interrupted => Outcome::Error {
            kind: "interrupted",
            message,
        },
    }
}

fn document(result: &RunResult) -> std::io::Result<Vec<u8>> {
    let cases = cases(result);
    let failed = |case: &&Case| matches!(case.outcome, Outcome::Failed { .. });
    let error = |case: &&Case| matches!(case.outcome, Outcome::Error { .. });
    let totals = [
        ("name", clean(&result.run.title)),
        ("tests", cases.len().to_string()),
        ("failures", cases.iter().filter(failed).count().to_string()),
        ("errors", cases.iter().filter(error).count().to_string()),
        ("time", format::stamp(result.run.duration_us)),
    ];
    let mut xml = Writer::new_with_indent(Cursor::new(Vec::new()), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::Start(element("testsuites", &totals)))?;
    let mut suite = element("testsuite", &totals);
    suite.push_attribute(("timestamp", clean(&result.run.started_at).as_str()));
    suite.push_attribute(("hostname", clean(&result.run.host.target).as_str()));
    xml.write_event(Event::Start(suite))?;
    for case in &cases {
        write_case(&mut xml, result, case)?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))?;
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    let mut bytes = xml.into_inner().into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn write_case(
    xml: &mut Writer<Cursor<Vec<u8>>>,
    result: &RunResult,
    case: &Case,
) -> std::io::Result<()> {
    let class = format!("{}.{}", result.run.title, case.class);
    let mut start = element(
        "testcase",
        &[("classname", clean(&class)), ("name", clean(&case.name))],
    );
    if case.line > 0 {
        start.push_attribute(("file", clean(&result.run.scenario).as_str()));
        start.push_attribute(("line", case.line.to_string().as_str()));
    }
    let (tag, kind, message) = match &case.outcome {
        Outcome::Passed => return xml.write_event(Event::Empty(start)),
        Outcome::Failed { kind, message } => ("failure", *kind, clean(message)),
        Outcome::Error { kind, message } => ("error", *kind, clean(message)),
    };
    xml.write_event(Event::Start(start))?;
    let attributes = [("type", kind.to_owned()), ("message", message.clone())];
    xml.write_event(Event::Start(element(tag, &attributes)))?;
    xml.write_event(Event::Text(BytesText::new(&message)))?;
    xml.write_event(Event::End(BytesEnd::new(tag)))?;
    xml.write_event(Event::End(BytesEnd::new("testcase")))
}

fn element(name: &'static str, attributes: &[(&str, String)]) -> BytesStart<'static> {
    let mut element = BytesStart::new(name);
    for (key, value) in attributes {
        element.push_attribute((*key, value.as_str()));
    }
    element
}

/// Without the characters that XML 1.0 cannot hold, on one line.
fn clean(text: &str) -> String {
    let safe = |letter: char| match letter {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        other => other,
    };
    format::plain(&format::harmless(text))
        .trim()
        .chars()
        .map(safe)
        .collect()
}
