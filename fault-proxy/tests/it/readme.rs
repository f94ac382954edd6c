//! The README's tables against this test binary.

use std::{collections::BTreeSet, fs, path::Path};

/// The names of all tests in this folder.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let mut path = entry.unwrap().path();
        if path.is_dir() {
            path.push("mod.rs");
        }
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if ["#[test]", "#[tokio::test]"]
                .iter()
                .any(|mark| line.starts_with(mark))
            {
                let name = lines.next().and_then(|line| line.split("fn ").nth(1));
                let name = name.and_then(|rest| rest.split('(').next());
                names.extend(name.map(ToOwned::to_owned));
            }
        }
    }
    names
}

#[test]
fn every_row_of_the_tables_is_held_by_a_test_that_exists() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let tests = tests();
    let mut rows = 0;
    let mut held = false;
    for line in readme.lines() {
        if !line.starts_with('|') {
            held = false;
        } else if line.ends_with("| held by |") {
            held = true;
        } else if held && !line.starts_with("|---") {
            rows += 1;
            let cell = line.trim_end_matches('|').rsplit('|').next().unwrap();
            let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!named.is_empty(), "no test is named: {line}");
            for name in named {
                assert!(tests.contains(name), "there is no test `{name}`: {line}");
            }
        }
    }
    assert!(rows > 30, "{rows} rows were found");
}
