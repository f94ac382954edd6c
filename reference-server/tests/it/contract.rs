//! The contract's own page and fixtures.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const PAGE: &str = include_str!("../../../contract/README.md");

fn fixtures(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// The rows of the table under a heading: first cell and last cell.
fn rows(heading: &str) -> Vec<(&'static str, &'static str)> {
    let (_, section) = PAGE.split_once(heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|line| line.trim_matches(['|', ' ']));
    let rows: Vec<_> = cells
        .filter_map(|line| Some((line.split_once(" | ")?.0, line.rsplit_once(" | ")?.1)))
        .collect();
    // Without the line that names the columns.
    rows[1..].to_vec()
}

/// What stands in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Everything that the page and the fixtures define.
fn defined() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (route, _) in rows("\n## Routes\n") {
        all.extend(names(route).map(|path| path.split('?').next().unwrap().to_owned()));
    }
    for text in [
        include_str!("../../../contract/frames/server.json"),
        include_str!("../../../contract/frames/admin.json"),
    ] {
        for fixture in fixtures(text).iter().filter(|one| one["valid"] == true) {
            let frame = &fixture["frame"];
            all.extend(
                ["event", "code"].map(|key| frame[key].as_str().unwrap_or("error").to_owned()),
            );
        }
    }
    for fixture in fixtures(include_str!("../../../contract/frames/client.json")) {
        if fixture["valid"] == true {
            let kind = fixture["frame"]["type"].as_str();
            all.insert(kind.map_or_else(
                || r#"{"message"}"#.to_owned(),
                |kind| format!(r#"{{"type":"{kind}"}}"#),
            ));
        }
    }
    for code in fixtures(include_str!("../../../contract/close_codes.json")) {
        if code["sent_by"] != "nobody" {
            all.insert(code["code"].to_string());
        }
    }
    all
}

#[test]
fn every_route_frame_and_code_is_shown_by_a_test() {
    let rows = rows("\n## Shown by\n");
    let mut shown = BTreeSet::new();
    for (what, tests) in &rows {
        shown.extend(names(what).map(str::to_owned));
        shown.extend(
            what.split(' ')
                .filter(|word| word.parse::<u16>().is_ok())
                .map(str::to_owned),
        );
        for test in names(tests) {
            let (file, name) = test.split_once("::").unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/{file}.rs"));
            let source = std::fs::read_to_string(&path).unwrap();
            assert!(
                source.contains(&format!("fn {name}()")),
                "{test} does not exist"
            );
        }
    }
    let defined = defined();
    assert!(defined.len() > 40, "too little found: {defined:?}");
    let missing: Vec<_> = defined.difference(&shown).collect();
    assert!(missing.is_empty(), "in no row of the table: {missing:?}");
}
