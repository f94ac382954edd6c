//! The defects that a scenario may switch on are those that the server has.

use std::process::Command;

use crate::support::harness;

#[test]
#[ignore = "slow: drives a load"]
fn the_harness_knows_the_switches_that_the_server_lists() {
    let program = std::env::var_os("HARNESS_SERVER").expect("HARNESS_SERVER is set");
    let listed = Command::new(program)
        .arg("--list-defects")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    // ` 1 token-double-spend   what goes wrong (rate 0.1)`, and below it what is seen.
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let _row: u8 = words.next()?.parse().ok()?;
        Some((words.next()?.to_owned(), line.contains("(rate ")))
    };
    let switches: Vec<(String, bool)> = listed.lines().filter_map(row).collect();
    assert!(switches.len() >= 26, "{listed}");
    let plan = |defect: &str| harness(&["plan", "scenarios/smoke.toml", "--defect", defect]).code;
    for (name, shared) in &switches {
        assert_eq!(plan(name), 0, "{name}");
        let with_share = if *shared { 0 } else { 2 };
        assert_eq!(plan(&format!("{name}=0.5")), with_share, "{name}=0.5");
    }
    let unknown = harness(&["plan", "scenarios/smoke.toml", "--defect", "x"]).stderr;
    let known = unknown.split("known: ").nth(1).unwrap();
    assert_eq!(known.trim().split(", ").count(), switches.len(), "{known}");
}
