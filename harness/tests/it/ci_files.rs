//! The files by which CI systems run the gate: parsed, and their commands held against those that exist.

use serde_json::Value;

use crate::support::{harness, read};

const FILES: [&str; 3] = [
    ".github/workflows/latency-gate.yml",
    "deploy/github-action/action.yml",
    "deploy/gitlab/latency-gate.yml",
];

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text in it, wherever it stands.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Object(map) => map.values().for_each(|one| texts(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The words of every call of the harness.
fn calls(path: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    texts(&yaml(path), &mut found);
    let mut calls = Vec::new();
    for text in found {
        let text = text.replace("\\\n", " ");
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if words.next() == Some("target/release/harness") {
                calls.push(words.map(str::to_owned).collect());
            }
        }
    }
    calls
}

#[test]
fn the_commands_of_the_files_and_their_flags_exist() {
    let mut seen = 0;
    for path in FILES {
        for words in calls(path) {
            // `gate --ab` is another name of `ab`.
            let is_ab = words.iter().any(|word| word == "--ab");
            let subcommand = if is_ab { "ab" } else { words[0].as_str() };
            let help = harness(&[subcommand, "--help"]);
            assert_eq!(help.code, 0, "{path}: {}", help.stderr);
            for flag in words
                .iter()
                .filter(|word| word.starts_with("--") && *word != "--ab")
            {
                assert!(help.stdout.contains(&format!("{flag} ")), "{path}: {flag}");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 2, "one call in the action, one for GitLab");
}

#[test]
fn the_workflow_uses_the_action_with_inputs_that_it_has() {
    let (workflow, action) = (yaml(FILES[0]), yaml(FILES[1]));
    let steps = workflow["jobs"]["gate"]["steps"].as_array().unwrap();
    let step = steps
        .iter()
        .find(|step| step["uses"] == "./deploy/github-action");
    let given = step.unwrap()["with"].as_object().unwrap();
    let inputs = action["inputs"].as_object().unwrap();
    for name in given.keys() {
        assert!(inputs.contains_key(name), "{name}");
    }
    for (name, input) in inputs {
        assert!(
            input["required"] != true || given.contains_key(name),
            "{name}"
        );
    }
    let gitlab = yaml(FILES[2]);
    let reports = gitlab["latency-gate"]["artifacts"]["reports"]
        .as_object()
        .unwrap();
    assert_eq!(reports["junit"], "latency-gate/gate/junit.xml");
}
