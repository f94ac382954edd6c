//! This module runs clients and trials over the end of their tokens, against the real server and a real Redis.
//!
//! Slow, as `end_to_end`.

use std::fs;

use serde_json::Value;

use crate::case::{Case, number};

const CLIENTS: u64 = 20;

/// A scenario of its own, run to its end.
fn run(case: &Case, scenario: &str, more: &[&str]) -> (i32, Value) {
    let path = case.folder().join("scenario.toml");
    fs::write(&path, scenario).unwrap();
    let done = case.run(path.to_str().unwrap(), more);
    assert!(
        [0, 14].contains(&done.code),
        "{}{}\n{}",
        done.stdout,
        done.stderr,
        case.logs()
    );
    (done.code, case.result())
}

#[test]
#[ignore = "slow: drives a load"]
fn a_client_whose_access_token_ends_changes_sockets_while_it_talks() {
    let case = Case::new();
    let scenario = "# Is anything lost when clients change sockets?
[environment.server]
settings = { jwt-ttl = \"4s\", jwt-warning = \"2s\" }
[load]
clients = 20
stages = [{ ramp = \"1s\", to = 20 }, { hold = \"9s\" }]
message = { every = \"150ms\" }
";
    let (code, result) = run(&case, scenario, &[]);
    assert_eq!(code, 0, "{}", result["verdict"]);
    let requests = &result["goose"]["requests"];
    assert_eq!(number(requests, "/login/ok"), CLIENTS);
    assert!(number(requests, "/refresh/ok") >= CLIENTS * 2, "{requests}");
    let opened = number(&result, "/clients/opened");
    assert!(opened >= CLIENTS * 3, "{opened} sockets");
    // The new one is open before the old one is closed, and every old one is closed with a word.
    assert!(number(&result, "/clients/peak_open") > CLIENTS);
    assert_eq!(number(&result, "/clients/cut"), 0);
    let closes = result["closes"].as_object().unwrap();
    let total: u64 = closes.values().filter_map(Value::as_u64).sum();
    assert_eq!(
        (number(&result["closes"], "/1000"), total),
        (opened, opened)
    );
    assert!(number(&result, "/delivery/sent") > CLIENTS * 50);
    for nothing in ["lost", "unanswered", "duplicated", "unexpected"] {
        assert_eq!(number(&result["delivery"], &format!("/{nothing}")), 0);
    }
}

const OVERTAKEN: &str = "# What becomes of a connect that something else overtakes?
[environment.server]
settings = { jwt-ttl = \"2s\", jwt-warning = \"1s\", token-rate = \"1000\", token-burst = \"1000\" }
[load]
clients = 2
stages = [{ ramp = \"1s\", to = 2 }, { hold = \"9s\" }]
[[trial]]
kind = \"expiry-race\"
ttl = \"2s\"
spread = \"10ms\"
concurrency = 40
interval = \"10ms\"
min_samples = 40
[[trial]]
kind = \"reply-lost\"
interval = \"20ms\"
min_samples = 10
[[trial]]
kind = \"polling\"
interval = \"500ms\"
min_samples = 2
";

/// By trial: what it broke, and whether its clear experiments are enough.
fn broken(result: &Value, trial: usize) -> Vec<String> {
    let broke = result["trials"][trial]["broke"].as_object();
    broke
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
#[ignore = "slow: drives a load"]
fn connects_that_are_overtaken_end_in_one_socket_or_a_word() {
    let (code, result) = run(&Case::new(), OVERTAKEN, &[]);
    assert_eq!(code, 0, "{}", result["verdict"]);
    let met = |trial: usize, what: &str| {
        let met = result["trials"][trial]["met"].as_object().unwrap();
        met.get(what).and_then(Value::as_u64).unwrap_or(0)
    };
    assert!(met(0, "access tokens that ended while a socket was asked for") > 0);
    assert!(met(1, "tokens spent on an answer that never arrived") >= 10);
    let defects = ["token-reusable", "jwt-expiry-cut", "duplicate-on-resume"];
    let switches: Vec<&str> = defects.iter().flat_map(|name| ["--defect", name]).collect();
    let (code, result) = run(&Case::new(), OVERTAKEN, &switches);
    assert_eq!(code, 14, "{}", result["verdict"]);
    assert_eq!(broken(&result, 0), ["jwt-expiry-cut"]);
    assert_eq!(broken(&result, 1), ["token-reusable"]);
    assert_eq!(broken(&result, 2), ["duplicate-on-resume"]);
}
