//! The rules of the repository that a compiler does not check.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::read;

mod circles;
mod source;

use circles::Crate;
use source::{Source, sources};

/// Most lines of a source file, its tests left out.
const LINES_MAX: usize = 400;

/// Flat tables that may be longer: path and reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// The crates whose rooms have layers.
const LAYERED: [&str; 2] = ["harness", "reference-server"];

/// Layers by room, from the table of ARCHITECTURE.md about that crate: `| 2 | `plan` | … |`. It
/// names every room of the crate and no other.
#[track_caller]
fn layers(name: &str, modules: &Crate) -> BTreeMap<String, u8> {
    let page = read("ARCHITECTURE.md");
    let heading = format!("\n## The rooms of `{name}`");
    let (_, table) = page.split_once(&heading).unwrap_or_default();
    let table = table.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let layer = cells.next()?.parse().ok()?;
        Some((cells.next()?.trim_matches('`').to_owned(), layer))
    };
    let layers: BTreeMap<String, u8> = table.lines().filter_map(row).collect();
    let named: BTreeSet<String> = layers.keys().cloned().collect();
    assert_eq!(named, modules.rooms(), "{heading} of ARCHITECTURE.md");
    layers
}

#[track_caller]
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn a_room_uses_only_rooms_of_a_lower_layer() {
    let (sources, mut found) = (sources(), Vec::new());
    for name in LAYERED {
        let modules = Crate::of(&sources, &format!("{name}/src/"));
        let layers = layers(name, &modules);
        for tie in modules.ties_between_rooms() {
            let (layer, other) = (layers[tie.room], layers[tie.other_room]);
            if other >= layer {
                found.push(format!(
                    "{}: `{}` (layer {layer}) uses {} of `{}` (layer {other})",
                    tie.file, tie.room, tie.names, tie.other_room
                ));
            }
        }
    }
    none(found, "a room may use lower layers only");
}

#[test]
fn goose_is_named_only_by_the_load() {
    let mut found = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.room() != Some("load"))
    {
        let code = source.text.lines().enumerate();
        for (index, line) in code {
            let code = line.split("//").next().unwrap_or_default();
            // Spelled apart, so that this file does not find itself.
            if code.contains(concat!("goose", "::")) {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none(found, "goose belongs to harness/src/load");
}

#[test]
fn files_fit_into_a_reader_s_head() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let lines = source.own_lines().count();
        let excepted = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if lines > LINES_MAX && !excepted {
            found.push(format!("{}: {lines} lines", source.path));
        }
    }
    none(found, "at most 400 lines a file, tests apart");
}

#[test]
fn what_comes_after_tests_counts_as_well() {
    let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n\nimpl A {\n    #[cfg(test)]\n    fn c() {}\n    fn d() {}\n}\n";
    let source = Source::of("a.rs", text.to_owned());
    let lines: Vec<usize> = source.own_lines().map(|(number, _)| number).collect();
    assert_eq!(lines, [1, 2, 7, 8, 11, 12]);
}

#[test]
fn every_module_says_what_it_does() {
    let silent = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "));
    let found = silent.map(|source| source.path).collect();
    none(found, "a file starts with `//! ` and what it does");
}

#[test]
fn crates_share_no_source_files() {
    let mut found = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let borrowed = code.contains(concat!("#[", "path"))
                || (code.contains(concat!("include", "!(")) && code.contains("../"))
                || code.contains(concat!("..", "/shared"));
            if borrowed {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none(found, "a source file belongs to one crate");
}

#[test]
fn the_harness_does_not_link_the_server() {
    let manifest: toml::Table = read("harness/Cargo.toml").parse().unwrap();
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let names = manifest.get(table).and_then(toml::Value::as_table);
        let linked = names.is_some_and(|names| names.contains_key("reference-server"));
        assert!(
            !linked,
            "the harness tests any server, and starts this one as a program: [{table}]"
        );
    }
}
