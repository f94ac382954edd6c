//! The rules of the repository that a compiler does not check.

use std::collections::BTreeMap;

use crate::support::{read, root};

mod circles;
mod source;

use source::{Source, sources};

/// Most lines of a source file, its tests left out.
const LINES_MAX: usize = 400;

/// Flat tables that may be longer: path and reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Layers by room, from the table of ARCHITECTURE.md: `| 2 | `plan` | … |`.
fn layers() -> BTreeMap<String, u8> {
    let page = read("ARCHITECTURE.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let layer = cells.next()?.parse().ok()?;
        Some((cells.next()?.trim_matches('`').to_owned(), layer))
    };
    let layers: BTreeMap<String, u8> = page.lines().filter_map(row).collect();
    assert!(
        layers.len() >= 10,
        "ARCHITECTURE.md has no table of rooms: {layers:?}"
    );
    layers
}

#[track_caller]
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// Rooms of this crate that a line of code names: `crate::plan::Plan` names `plan`.
fn rooms_named(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let after = code.split("crate::").skip(1);
    let names = after.map(|rest| {
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_room_uses_only_rooms_of_a_lower_layer() {
    let layers = layers();
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let Some(room) = source.room() else {
            continue;
        };
        let Some(layer) = layers.get(room) else {
            found.push(format!(
                "{}: `{room}` has no layer in ARCHITECTURE.md",
                source.path
            ));
            continue;
        };
        for (number, line) in source.own_lines() {
            for named in rooms_named(line).into_iter().filter(|named| *named != room) {
                match layers.get(named) {
                    Some(below) if below < layer => {}
                    Some(other) => found.push(format!(
                        "{}:{number}: `{room}` (layer {layer}) uses `{named}` (layer {other})",
                        source.path
                    )),
                    None => found.push(format!("{}:{number}: `{named}` is no room", source.path)),
                }
            }
        }
    }
    none(found, "a room may use lower layers only");
}

#[test]
fn every_room_of_the_table_is_there() {
    let missing = |room: &String| {
        let folder = root().join("harness/src").join(room);
        !folder.is_dir() && !folder.with_extension("rs").is_file()
    };
    let rooms = layers().into_keys().filter(missing).collect();
    none(rooms, "ARCHITECTURE.md names rooms that are not there");
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

#[test]
fn pages_refer_to_nothing_outside_the_repository() {
    let mut found = Vec::new();
    let pages = [
        "README.md",
        "ARCHITECTURE.md",
        "STYLE.md",
        "CHANGELOG.md",
        "scenarios/README.md",
    ];
    for page in pages {
        for (index, line) in read(page).lines().enumerate() {
            for link in line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
            {
                let target = link.split('#').next().unwrap_or_default();
                let elsewhere = target.is_empty() || target.contains("://");
                let folder = root().join(page).parent().unwrap().join(target);
                let inside = folder
                    .canonicalize()
                    .is_ok_and(|path| path.starts_with(root().canonicalize().unwrap()));
                if !elsewhere && !inside {
                    found.push(format!("{page}:{}: {link}", index + 1));
                }
            }
        }
    }
    none(found, "a link leads to a file of this repository");
}
