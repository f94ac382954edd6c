//! This module has the server killed and frozen under its clients.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use crate::case::{Case, number};

#[test]
#[ignore = "slow: drives a load"]
fn a_server_that_is_killed_and_one_that_is_frozen_lose_nothing_acknowledged() {
    let case = Case::new();
    let done = case.run("scenarios/server-kill.toml", &["--clients", "60"]);
    let result = case.result();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for (place, name) in ["killed", "frozen"].into_iter().enumerate() {
        let fault = &result["faults"][place];
        assert_eq!(
            (&fault["name"], &fault["confirmed"]),
            (&name.into(), &true.into())
        );
    }
    // Every socket died with the server, and every client came back.
    assert_eq!(number(&result, "/clients/cut"), 60);
    assert_eq!(number(&result, "/clients/opened"), 120);
    assert_eq!(number(&result, "/clients/failed"), 0);
    assert_eq!(
        number(&result, "/delivery/completed"),
        number(&result, "/delivery/sent")
    );
    // A server that a fault ended has not ended by itself.
    assert!(result.get("ended_processes").is_none(), "{result:#}");
}
