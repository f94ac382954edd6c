//! The file held to what its readers' schemas have in common, without the schemas.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::*;
use crate::render::sample::{self, Story};
use crate::scenario::expectation::Comparison;

const STORIES: [Story; 5] = [
    Story::Pass,
    Story::Fail,
    Story::Invalid,
    Story::Interrupted,
    Story::Inconclusive,
];

/// An element: its path, and its attributes in order.
struct Found {
    path: String,
    attributes: Vec<(String, String)>,
}

impl Found {
    #[track_caller]
    fn get(&self, name: &str) -> &str {
        let mut all = self.attributes.iter();
        let found = all.find(|(key, _)| key == name);
        found.map_or_else(|| panic!("{} has no {name}", self.path), |(_, value)| value)
    }

    fn names(&self) -> Vec<&str> {
        self.attributes
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

fn elements(result: &RunResult) -> Vec<Found> {
    let xml = String::from_utf8(Junit.render(result).unwrap()).unwrap();
    let mut reader = Reader::from_str(&xml);
    let (mut path, mut found) = (Vec::new(), Vec::new());
    let mut open = |path: &[String], start: &BytesStart<'_>| {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let key = attribute.key.as_ref().to_owned();
            let value = attribute.value.clone().into_owned();
            (key, value)
        });
        found.push(Found {
            path: path.join("/"),
            attributes: attributes.collect(),
        });
    };
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_owned());
                open(&path, &start);
            }
            Event::Empty(start) => {
                path.push(start.name().as_ref().to_owned());
                open(&path, &start);
                path.pop();
            }
            Event::End(_) => drop(path.pop()),
            Event::Eof => return found,
            _ => {}
        }
    }
}

const SUITE: &str = "testsuites/testsuite";

#[track_caller]
fn holds_to_both_schemas(result: &RunResult) {
    let all = elements(result);
    assert_eq!(all[0].path, "testsuites");
    assert!(all[0].attributes.is_empty(), "{:?}", all[0].names());
    let suite = &all[1];
    assert_eq!(suite.path, SUITE);
    let moment = suite.get("timestamp");
    assert_eq!(moment.len(), 19, "{moment}");
    assert!(
        !suite.get("hostname").contains(['/', ':']),
        "{}",
        suite.get("hostname")
    );
    // Properties, then cases, then both streams, each there.
    let order: Vec<&str> = all[2..]
        .iter()
        .filter_map(|found| found.path.strip_prefix(SUITE)?.strip_prefix('/'))
        .filter(|path| !path.contains('/'))
        .collect();
    assert_eq!(order.first(), Some(&"properties"));
    assert_eq!(order[order.len() - 2..], ["system-out", "system-err"]);
    let cases = &order[1..order.len() - 2];
    assert!(cases.iter().all(|path| *path == "testcase"), "{order:?}");
    let count = |name: &str| -> usize {
        let end = format!("{SUITE}/testcase/{name}");
        all.iter().filter(|found| found.path == end).count()
    };
    for (name, number) in [
        ("tests", cases.len()),
        ("failures", count("failure")),
        ("errors", count("error")),
    ] {
        assert_eq!(suite.get(name), number.to_string(), "{name}");
    }
    for case in all.iter().filter(|found| found.path.ends_with("/testcase")) {
        assert_eq!(case.names(), ["classname", "name", "time"]);
    }
    for end in all
        .iter()
        .filter(|found| found.path.starts_with(&format!("{SUITE}/testcase/")))
    {
        assert!(!end.get("type").is_empty() && !end.get("message").is_empty());
    }
}

#[test]
fn every_story_holds_to_the_schemas_of_ant_and_jenkins() {
    for story in STORIES {
        holds_to_both_schemas(&sample::result(story));
    }
}

fn case_names(result: &RunResult) -> Vec<String> {
    let all = elements(result);
    let cases = all.iter().filter(|found| found.path.ends_with("/testcase"));
    cases
        .map(|case| format!("{} {}", case.get("classname"), case.get("name")))
        .collect()
}

#[test]
fn the_names_of_cases_do_not_change_with_a_limit_or_with_what_broke() {
    let (pass, fail) = (sample::result(Story::Pass), sample::result(Story::Fail));
    let mut tuned = sample::result(Story::Pass);
    for row in &mut tuned.expectations {
        row.expectation.bound.value *= 2.0;
    }
    assert_eq!(case_names(&pass), case_names(&tuned));
    assert_eq!(case_names(&pass), case_names(&fail));
    let mut names = case_names(&pass);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), case_names(&pass).len(), "{names:?}");
}

#[test]
fn bounds_of_one_quantity_have_names_of_their_own() {
    let mut result = sample::result(Story::Pass);
    let mut least = result.expectations[3].clone();
    least.expectation.bound.comparison = Comparison::AtLeast;
    result.expectations.extend([least.clone(), least]);
    let names = names(&result.expectations);
    assert_eq!(names[3], "lost equals, whole run");
    assert_eq!(names[8], "lost at least, whole run");
    assert_eq!(names[9], "lost at least, whole run (2)");
}

#[test]
fn a_breach_is_one_failure_and_no_run_that_is_no_pass_is_green() {
    let fail = sample::result(Story::Fail);
    let broke = |result: &RunResult| {
        let expectations = result.expectations.iter().map(|row| row.status);
        let checks = result.checks.iter().map(|check| check.status);
        let all = expectations.chain(checks);
        all.filter(|status| *status == CheckStatus::Broke).count()
    };
    assert_eq!(elements(&fail)[1].get("failures"), broke(&fail).to_string());
    for story in STORIES {
        let mut result = sample::result(story);
        let suite = |result: &RunResult| {
            let all = elements(result);
            (
                all[1].get("failures").to_owned(),
                all[1].get("errors").to_owned(),
            )
        };
        let none = ("0".to_owned(), "0".to_owned());
        assert_eq!(suite(&result) == none, story == Story::Pass, "{story:?}");
        // Were there no case that says why, the run itself would.
        for row in &mut result.expectations {
            row.status = CheckStatus::Held;
        }
        for check in &mut result.checks {
            check.status = CheckStatus::Held;
        }
        assert_eq!(suite(&result) == none, story == Story::Pass, "{story:?}");
    }
}
