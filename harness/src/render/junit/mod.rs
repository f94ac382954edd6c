//! This module writes `junit.xml`: one test case per expectation and per check.
//!
//! **In:** the result. **Out:** the XML that CI systems read. Broken is a failure; what could not be judged is an error. A
//! breach is one of them, once: the verdict as a whole has no case of its own. The name of a case does not change with
//! a limit, so that its history can be followed; the limit is in the message.
//!
//! **Source:** what the schemas of Apache Ant and of Jenkins' xUnit plugin have in common, in the order of the stricter.

use std::collections::BTreeMap;
use std::io::Cursor;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::renderer::{RenderError, Renderer};
use super::{file, words};
use crate::format;
use crate::result::{
    CheckGroup, CheckResult, CheckStatus, ExpectationResult, RunResult, Status, bound_text,
    observed_text,
};

/// `junit.xml`.
pub(crate) struct Junit;

/// What the schemas call the package of a suite.
const PACKAGE: &str = "harness";

impl Renderer for Junit {
    fn file(&self) -> &'static str {
        file::JUNIT
    }

    fn render(&self, result: &RunResult) -> Result<Vec<u8>, RenderError> {
        document(result).map_err(|source| RenderError::Write {
            file: file::JUNIT,
            source,
        })
    }
}

struct Case {
    class: &'static str,
    name: String,
    time_us: u64,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed { kind: &'static str, message: String },
    Error { kind: &'static str, message: String },
}

fn cases(result: &RunResult) -> Vec<Case> {
    let names = names(&result.expectations);
    let expectations = result.expectations.iter().zip(names);
    let mut cases: Vec<Case> = expectations
        .map(|(row, name)| Case {
            class: "expectations",
            name,
            time_us: 0,
            outcome: outcome(row.status, "expectation", || expected(result, row)),
        })
        .collect();
    cases.extend(result.checks.iter().map(checked));
    let run = ran(result, &cases);
    cases.insert(0, run);
    cases
}

/// Names by what is looked at and when; where that is the same, by the kind of bound, and last by number.
fn names(rows: &[ExpectationResult]) -> Vec<String> {
    let plain = |row: &ExpectationResult| format!("{}, {}", row.name, row.when);
    let mut plainly: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        *plainly.entry(plain(row)).or_insert(0) += 1;
    }
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    let name = |row: &ExpectationResult| {
        let name = match plainly.get(&plain(row)) {
            Some(2..) => {
                let bound = row.expectation.bound.comparison.name().replace('_', " ");
                format!("{} {bound}, {}", row.name, row.when)
            }
            _ => plain(row),
        };
        let times = given.entry(name.clone()).or_insert(0);
        *times += 1;
        match *times {
            1 => name,
            times => format!("{name} ({times})"),
        }
    };
    rows.iter().map(name).collect()
}

fn expected(result: &RunResult, row: &ExpectationResult) -> String {
    let place = match row.expectation.line {
        0 => String::new(),
        line => format!(" ({}:{line})", result.run.scenario),
    };
    format!(
        "observed {}, limit {}: {}{place}",
        observed_text(row),
        bound_text(row),
        row.finding
    )
}

fn checked(check: &CheckResult) -> Case {
    let class = match check.group {
        CheckGroup::Correctness => "correctness",
        CheckGroup::Service => "service",
        CheckGroup::Validity => "validity",
    };
    let message = || {
        format!(
            "observed {}, limit {}: {}",
            check.observed, check.bound, check.finding
        )
    };
    Case {
        class,
        name: check.name.clone(),
        time_us: 0,
        outcome: outcome(check.status, class, message),
    }
}

fn outcome(status: CheckStatus, kind: &'static str, message: impl FnOnce() -> String) -> Outcome {
    match status {
        CheckStatus::Held => Outcome::Passed,
        CheckStatus::Broke => Outcome::Failed {
            kind,
            message: message(),
        },
        CheckStatus::Inconclusive => Outcome::Error {
            kind: "inconclusive",
            message: message(),
        },
    }
}

/// The run itself, which takes all the time there is: whether it went to its end. Where the verdict is no pass and no other
/// case says why, this one does.
fn ran(result: &RunResult, others: &[Case]) -> Case {
    let said = others
        .iter()
        .any(|case| !matches!(case.outcome, Outcome::Passed));
    let message = || result.verdict.sentence.clone();
    let error = |kind| Outcome::Error {
        kind,
        message: message(),
    };
    let failed = |kind| Outcome::Failed {
        kind,
        message: message(),
    };
    let aborted = result.run.aborted.is_some();
    let outcome = match result.verdict.status {
        Status::Interrupted => error("interrupted"),
        Status::Pass | Status::Fail | Status::Invalid | Status::Inconclusive if aborted => {
            failed("aborted")
        }
        Status::Fail if !said => failed("fail"),
        Status::Invalid if !said => error("invalid"),
        Status::Inconclusive if !said => error("inconclusive"),
        Status::Pass | Status::Fail | Status::Invalid | Status::Inconclusive => Outcome::Passed,
    };
    Case {
        class: "run",
        name: "went to its end".to_owned(),
        time_us: result.run.duration_us,
        outcome,
    }
}

type Xml = Writer<Cursor<Vec<u8>>>;

fn document(result: &RunResult) -> std::io::Result<Vec<u8>> {
    let cases = cases(result);
    let mut xml = Writer::new_with_indent(Cursor::new(Vec::new()), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::Start(BytesStart::new("testsuites")))?;
    xml.write_event(Event::Start(suite(result, &cases)))?;
    properties(&mut xml, result)?;
    for case in &cases {
        write_case(&mut xml, result, case)?;
    }
    text(&mut xml, "system-out", &output(result))?;
    text(&mut xml, "system-err", "")?;
    xml.write_event(Event::End(BytesEnd::new("testsuite")))?;
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    let mut bytes = xml.into_inner().into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn suite(result: &RunResult, cases: &[Case]) -> BytesStart<'static> {
    let of = |wanted: fn(&Outcome) -> bool| {
        let found = cases.iter().filter(|case| wanted(&case.outcome));
        found.count().to_string()
    };
    let host = result.run.host.name.as_deref().unwrap_or_default().trim();
    let host = if host.is_empty() { "localhost" } else { host };
    element(
        "testsuite",
        &[
            ("name", clean(&result.run.title)),
            ("package", PACKAGE.to_owned()),
            ("id", "0".to_owned()),
            ("timestamp", second(&result.run.started_at)),
            ("hostname", clean(host)),
            ("tests", cases.len().to_string()),
            (
                "failures",
                of(|outcome| matches!(outcome, Outcome::Failed { .. })),
            ),
            (
                "errors",
                of(|outcome| matches!(outcome, Outcome::Error { .. })),
            ),
            ("time", format::stamp(result.run.duration_us)),
        ],
    )
}

/// `2026-11-21T06:12:04` of `2026-11-21T06:12:04.123Z`: the schemas know neither parts of a second nor a zone.
fn second(rfc3339: &str) -> String {
    clean(rfc3339.get(..19).unwrap_or("1970-01-01T00:00:00"))
}

fn properties(xml: &mut Xml, result: &RunResult) -> std::io::Result<()> {
    let run = &result.run;
    let properties = [
        (
            "verdict",
            words::status(result.verdict.status).word.to_lowercase(),
        ),
        ("exit_code", result.exit_code.to_string()),
        ("run", run.id.clone()),
        ("scenario", run.scenario.clone()),
        ("seed", run.seed.to_string()),
        ("commit", run.commit.clone().unwrap_or_default()),
        ("harness", run.harness_version.clone()),
        ("plan", run.plan_hash.clone()),
        ("target", run.host.target.clone()),
        ("command", run.command.clone()),
    ];
    xml.write_event(Event::Start(BytesStart::new("properties")))?;
    for (name, value) in properties {
        // A property is at least one character long.
        let value = clean(&value);
        if !value.is_empty() {
            let attributes = [("name", name.to_owned()), ("value", value)];
            xml.write_event(Event::Empty(element("property", &attributes)))?;
        }
    }
    xml.write_event(Event::End(BytesEnd::new("properties")))
}

/// What there is to say of all cases together.
fn output(result: &RunResult) -> String {
    let said = clean(&result.verdict.sentence);
    format!("{said} The report is {}, beside this file.", file::PAGE)
}

fn write_case(xml: &mut Xml, result: &RunResult, case: &Case) -> std::io::Result<()> {
    let class = format!("{}.{}", result.run.title, case.class);
    let start = element(
        "testcase",
        &[
            ("classname", clean(&class)),
            ("name", clean(&case.name)),
            ("time", format::stamp(case.time_us)),
        ],
    );
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

fn text(xml: &mut Xml, tag: &'static str, content: &str) -> std::io::Result<()> {
    if content.is_empty() {
        return xml.write_event(Event::Empty(BytesStart::new(tag)));
    }
    xml.write_event(Event::Start(BytesStart::new(tag)))?;
    xml.write_event(Event::Text(BytesText::new(content)))?;
    xml.write_event(Event::End(BytesEnd::new(tag)))
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

#[cfg(test)]
mod tests;
