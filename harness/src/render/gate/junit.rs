//! This module writes `junit.xml` of a gate: one test case a metric that may fail it, and one of the gate itself.
//!
//! **In:** the decision. **Out:** the XML that CI systems read. Slower is a failure; what the primary metric could not tell is
//! an error; what cannot be told of the others is skipped, with the reason. Names hold no numbers, so that the history of a
//! case can be followed.
//!
//! **Source:** what the schemas of Apache Ant and of Jenkins' xUnit plugin have in common.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::cells;
use crate::format;
use crate::gate::comparison::{Decision, Outcome, Role, Row, Word};

type Xml = Writer<Vec<u8>>;

struct Case {
    name: String,
    end: End,
}

/// How a case ended: the tag that says so, and why.
enum End {
    Passed,
    Failure(String),
    Error(String),
    Skipped(String),
}

pub(super) fn bytes(decision: &Decision) -> io::Result<Vec<u8>> {
    let cases = cases(decision);
    let of = |wanted: fn(&End) -> bool| {
        let found = cases.iter().filter(|case| wanted(&case.end));
        found.count().to_string()
    };
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::Start(BytesStart::new("testsuites")))?;
    let suite = element(
        "testsuite",
        &[
            ("name", format!("{} gate", cells::title(decision))),
            ("package", "harness".to_owned()),
            ("id", "0".to_owned()),
            ("timestamp", started(decision)),
            ("hostname", "localhost".to_owned()),
            ("tests", cases.len().to_string()),
            ("failures", of(|end| matches!(end, End::Failure(_)))),
            ("errors", of(|end| matches!(end, End::Error(_)))),
            ("skipped", of(|end| matches!(end, End::Skipped(_)))),
            ("time", "0".to_owned()),
        ],
    );
    xml.write_event(Event::Start(suite))?;
    properties(&mut xml, decision)?;
    for case in &cases {
        write_case(&mut xml, decision, case)?;
    }
    xml.write_event(Event::Start(BytesStart::new("system-out")))?;
    xml.write_event(Event::Text(BytesText::new(&clean(&decision.sentence))))?;
    xml.write_event(Event::End(BytesEnd::new("system-out")))?;
    xml.write_event(Event::Empty(BytesStart::new("system-err")))?;
    xml.write_event(Event::End(BytesEnd::new("testsuite")))?;
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

/// When the last new run began; the schemas know neither parts of a second nor a zone.
fn started(decision: &Decision) -> String {
    let runs = decision.new.runs.iter().map(|run| run.started_at.as_str());
    let last = runs.max().and_then(|at| at.get(..19));
    last.unwrap_or("1970-01-01T00:00:00").to_owned()
}

fn cases(decision: &Decision) -> Vec<Case> {
    let sentence = || decision.sentence.clone();
    let gate = match decision.outcome {
        Outcome::Pass | Outcome::Slower | Outcome::Inconclusive => End::Passed,
        Outcome::Threshold | Outcome::Incorrect => End::Failure(sentence()),
        Outcome::Refused | Outcome::Invalid => End::Error(sentence()),
    };
    let mut cases = vec![Case {
        name: "runs can be compared".to_owned(),
        end: gate,
    }];
    let judged = decision.rows.iter().filter(|row| row.role != Role::Shown);
    cases.extend(judged.map(|row| Case {
        name: cells::name(row),
        end: end(row),
    }));
    cases
}

fn end(row: &Row) -> End {
    let told = || {
        format!(
            "{} -> {}, {} (95 % sure of {}), limit {}",
            cells::value(row, row.base_median),
            cells::value(row, row.new_median),
            cells::share(row.change_ratio),
            cells::interval(row),
            cells::share(row.limit_ratio)
        )
    };
    let reason = || {
        row.reason
            .clone()
            .unwrap_or_else(|| "too few runs have it".to_owned())
    };
    match row.word {
        Word::Slower => End::Failure(told()),
        Word::Faster | Word::Same => End::Passed,
        Word::CannotTell if row.within => End::Passed,
        Word::CannotTell if row.role == Role::Primary => End::Error(reason()),
        Word::CannotTell => End::Skipped(reason()),
    }
}

fn properties(xml: &mut Xml, decision: &Decision) -> io::Result<()> {
    xml.write_event(Event::Start(BytesStart::new("properties")))?;
    let properties = [
        (
            "outcome",
            cells::outcome(decision.outcome).word.to_lowercase(),
        ),
        ("exit_code", decision.exit_code.to_string()),
        ("scenario", decision.scenario.clone()),
        ("base", decision.base.name.clone()),
        ("new", decision.new.name.clone()),
        ("runs", cells::design(decision)),
        ("primary", decision.rules.primary.to_string()),
    ];
    for (name, value) in properties {
        if !value.is_empty() {
            let attributes = [("name", name.to_owned()), ("value", value)];
            xml.write_event(Event::Empty(element("property", &attributes)))?;
        }
    }
    xml.write_event(Event::End(BytesEnd::new("properties")))
}

fn write_case(xml: &mut Xml, decision: &Decision, case: &Case) -> io::Result<()> {
    let class = format!("{}.gate", cells::title(decision));
    let attributes = [
        ("classname", class),
        ("name", case.name.clone()),
        ("time", "0".to_owned()),
    ];
    let start = element("testcase", &attributes);
    let (tag, message) = match &case.end {
        End::Passed => return xml.write_event(Event::Empty(start)),
        End::Failure(message) => ("failure", message),
        End::Error(message) => ("error", message),
        End::Skipped(message) => ("skipped", message),
    };
    xml.write_event(Event::Start(start))?;
    let message = clean(message);
    let attributes: &[_] = match case.end {
        // The schemas give a skipped case no type.
        End::Skipped(_) | End::Passed => &[("message", message)],
        End::Failure(_) | End::Error(_) => &[("type", "gate".to_owned()), ("message", message)],
    };
    xml.write_event(Event::Empty(element(tag, attributes)))?;
    xml.write_event(Event::End(BytesEnd::new("testcase")))
}

fn element(name: &'static str, attributes: &[(&str, String)]) -> BytesStart<'static> {
    let mut element = BytesStart::new(name);
    for (key, value) in attributes {
        element.push_attribute((*key, clean(value).as_str()));
    }
    element
}

/// Without the characters that XML 1.0 cannot hold, on one line.
fn clean(text: &str) -> String {
    let text = format::plain(&format::harmless(text));
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
