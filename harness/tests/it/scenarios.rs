//! Every scenario plans, the index names each, and bad ones are answered with all their problems.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{self, harness};

#[test]
fn every_scenario_has_no_problems() {
    let scenarios = support::scenarios();
    let arguments: Vec<&str> = std::iter::once("check")
        .chain(scenarios.iter().map(String::as_str))
        .collect();
    let done = harness(&arguments);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert_eq!(
        done.stdout.matches(": ok (").count(),
        scenarios.len(),
        "{}",
        done.stdout
    );
}

#[test]
fn every_plan_can_itself_be_planned() {
    for scenario in support::scenarios() {
        let plan = harness(&["plan", &scenario]);
        assert_eq!(plan.code, 0, "{}", plan.stderr);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, &plan.stdout).unwrap();
        let again = harness(&["plan", path.to_str().unwrap()]);
        let without_path = |text: &str| {
            let lines = text.lines().map(|line| match line.strip_prefix("# from ") {
                Some(rest) => rest.rsplit(' ').next().unwrap_or_default().to_owned(),
                None => line.to_owned(),
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            without_path(&plan.stdout),
            without_path(&again.stdout),
            "{}",
            again.stderr
        );
    }
}

#[test]
fn the_outage_is_planned_as_it_reads() {
    insta::assert_snapshot!(harness(&["plan", "scenarios/redis-outage.toml"]).stdout);
}

#[test]
fn a_plan_that_can_only_be_inconclusive_is_warned_of_and_is_a_plan_all_the_same() {
    for scenario in support::scenarios() {
        assert_eq!(harness(&["plan", &scenario]).stderr, "", "{scenario}");
    }
    let small = harness(&["plan", "scenarios/redis-outage.toml", "--clients", "300"]);
    assert_eq!(small.code, 0);
    assert!(small.stdout.contains("clients = 300"), "{}", small.stdout);
    insta::assert_snapshot!(small.stderr);
    let none = harness(&["plan", "scenarios/rules.toml", "--duration", "3s"]);
    assert_eq!(none.code, 0);
    insta::assert_snapshot!("a_plan_too_short_for_its_trials", none.stderr);
}

#[test]
fn every_scenario_asks_a_question() {
    let list = harness(&["list"]).stdout;
    for scenario in support::scenarios() {
        let text = support::read(&scenario);
        let first = text.lines().next().unwrap();
        let question = first
            .strip_prefix("# ")
            .unwrap_or_else(|| panic!("{scenario}: {first}"));
        assert!(
            question.ends_with('?'),
            "{scenario} asks nothing: {question}"
        );
        let name = scenario.trim_start_matches("scenarios/");
        let row = list
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        assert!(
            row.is_some_and(|row| row.ends_with(question)),
            "{name} in:\n{list}"
        );
    }
}

#[test]
fn the_index_names_every_scenario_with_its_question() {
    let index = support::read("scenarios/README.md");
    for scenario in support::scenarios() {
        let text = support::read(&scenario);
        let question = text.lines().next().unwrap().trim_start_matches("# ");
        let name = scenario.trim_start_matches("scenarios/");
        let row = format!("| [`{}`]({name}) |", name.trim_end_matches(".toml"));
        let line = index.lines().find(|line| line.starts_with(&row));
        let line = line.unwrap_or_else(|| panic!("scenarios/README.md has no row `{row}`"));
        assert!(line.contains(question), "{line}\nshould ask: {question}");
    }
    let linked = index.matches(".toml)").count();
    assert_eq!(
        linked,
        support::scenarios().len(),
        "scenarios/README.md links scenarios that are not there"
    );
}

#[test]
fn the_schema_file_is_what_the_command_prints() {
    let printed = harness(&["schema"]).stdout;
    assert!(
        printed == support::read("scenarios/schema.json"),
        "scenarios/schema.json is out of date: harness schema > scenarios/schema.json"
    );
}

/// The scenario that uses every key: it is accepted, and the schema knows exactly its keys. That
/// holds the schema and the reader to each other.
#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let paths = ["every-key", "every-key-of-a-target"];
    let paths = paths.map(|name| format!("harness/tests/it/fixtures/{name}.toml"));
    let done = harness(&["check", &paths[0], &paths[1]]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&support::read("scenarios/schema.json")).unwrap();
    let mut described = BTreeSet::new();
    properties(&schema, "", &mut described);
    let mut used = BTreeSet::new();
    for path in &paths {
        let document: toml::Table = support::read(path).parse().unwrap();
        keys(&toml::Value::Table(document), "", &mut used);
    }
    // Two ways of saying the same: one file cannot hold both.
    let apart = [
        "load.ramp",
        "environment.tls.insecure",
        "environment.links.redis",
        "environment.links.edge",
        "target.frames.terminator",
    ];
    described.retain(|key| !apart.contains(&key.as_str()));
    assert_eq!(described, used);
}

fn properties(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    let items = schema
        .get("items")
        .or_else(|| schema.get("anyOf")?.get(1))
        .filter(|items| items.get("properties").is_some());
    let Some(properties_of) = items
        .unwrap_or(schema)
        .get("properties")
        .and_then(Value::as_object)
    else {
        return;
    };
    for (key, child) in properties_of {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        into.insert(path.clone());
        properties(child, &path, into);
    }
}

fn keys(value: &toml::Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, child) in table {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                into.insert(path.clone());
                // The server's own flags, headers, and what stands in its frames: any name goes.
                let own = ["settings", "headers", "await", "when", "capture"];
                let is_own = own.contains(&key.as_str()) || path == "target.login.fields";
                if !is_own && !path.starts_with("target.events.") {
                    keys(child, &path, into);
                }
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| keys(item, path, into)),
        _ => {}
    }
}

/// Checks a bad scenario and holds what is said about it to a snapshot.
#[track_caller]
fn complaints(name: &str) -> String {
    let done = harness(&[
        "check",
        &format!("harness/tests/it/fixtures/bad/{name}.toml"),
    ]);
    assert_eq!(done.code, 2, "{}", done.stdout);
    for line in done.stderr.lines() {
        let placed = line.strip_prefix("error: ").is_none_or(|rest| {
            let number = rest
                .split(':')
                .nth(1)
                .and_then(|number| number.parse::<u32>().ok());
            number.is_some_and(|number| number >= 1)
        });
        assert!(placed, "no line in: {line}");
    }
    done.stderr
}

#[test]
fn all_slips_of_a_file_are_named_at_once() {
    insta::assert_snapshot!(complaints("slips"));
}

#[test]
fn an_impossible_load_is_refused() {
    insta::assert_snapshot!(complaints("impossible-load"));
}

#[test]
fn faults_and_expectations_that_cannot_be_are_refused() {
    insta::assert_snapshot!(complaints("impossible-faults"));
}

#[test]
fn rules_that_can_never_end_a_run_are_refused() {
    insta::assert_snapshot!(complaints("impatient"));
}

#[test]
fn what_a_target_cannot_offer_is_refused() {
    insta::assert_snapshot!(complaints("attached"));
}

#[test]
fn secrets_stand_in_the_environment_only() {
    let said = complaints("secrets");
    assert!(!said.contains("hunter2"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn what_is_not_toml_is_named_with_its_line_and_the_rest_still_checked() {
    insta::assert_snapshot!(complaints("not-toml"));
}

#[test]
fn an_empty_file_says_what_to_write() {
    insta::assert_snapshot!(complaints("empty"));
}
