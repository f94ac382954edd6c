//! `harness capacity`, against servers whose limit is known.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Done, harness};

/// Few clients, short probes: what is looked for is how many may be connected.
const SCENARIO: &str = "# How many may be connected?
title = \"sockets\"
[environment]
proxies = []
[load]
clients = 80
stages = [{ ramp = \"500ms\" }, { hold = \"2s\" }]
mix = { lurker = 1 }
drain = \"1s\"
[[expect]]
what = \"failed clients\"
equals = 0
";

/// Sockets that the server takes.
const SOCKETS: u64 = 37;

struct Case {
    folder: tempfile::TempDir,
    scenario: String,
}

impl Case {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("limit.toml");
        fs::write(&scenario, text).unwrap();
        Self {
            scenario: scenario.to_str().unwrap().to_owned(),
            folder,
        }
    }

    fn out(&self) -> String {
        self.folder.path().join("out").to_str().unwrap().to_owned()
    }

    fn capacity(&self, more: &[&str]) -> Done {
        harness(&[&["capacity", &self.scenario], more].concat())
    }
}

fn account(folder: &str) -> Value {
    let text = fs::read_to_string(Path::new(folder).join("capacity.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
#[ignore = "slow: a dozen short runs"]
fn a_server_that_takes_so_many_sockets_is_found_to_and_a_search_goes_on() {
    let case = Case::new(SCENARIO);
    let out = case.out();
    let flag = format!("max-connections={SOCKETS}");
    let asked = [
        "--from",
        "8",
        "--to",
        "500",
        "--confirm",
        "1",
        "--want",
        "1000",
        "--server-flag",
        &flag,
    ];
    let first = case.capacity(&[&asked[..], &["--budget", "14s", "--out", &out]].concat());
    assert_eq!(first.code, 12, "{}{}", first.stdout, first.stderr);
    let begun = account(&out);
    let probes = begun["probes"].as_array().unwrap().len();
    assert!(probes > 0 && begun["end"] == "budget", "{begun}");
    let done = case.capacity(&[&asked[..], &["--budget", "5min", "--resume", &out]].concat());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let found = account(&out);
    assert!(found["probes"].as_array().unwrap().len() > probes);
    let (held, broke) = (
        found["found"]["held"].as_u64().unwrap(),
        found["found"]["broke"].as_u64().unwrap(),
    );
    assert!(held <= SOCKETS && SOCKETS < broke, "{held} {broke}");
    let close = broke as f64 <= held as f64 * 1.05 || broke == held + 1;
    assert!(close, "{held} {broke}");
    let instances = found["outlook"]["figures"]
        .as_array()
        .unwrap()
        .iter()
        .find(|figure| figure["name"] == "instances")
        .unwrap();
    let expected = 1_000_u64.div_ceil(held) + 1;
    assert_eq!(instances["value"].as_f64(), Some(expected as f64));
    assert_eq!(instances["basis"]["kind"], "extrapolated");
    let page = fs::read_to_string(Path::new(&out).join("capacity.html")).unwrap();
    assert!(page.contains("probe-001/report.html"));
    assert!(Path::new(&out).join("probe-001/report.html").is_file());
}

#[test]
fn what_cannot_be_searched_is_refused_with_the_reason() {
    let case = Case::new(SCENARIO);
    let nothing = Case::new(SCENARIO.split("[[expect]]").next().unwrap());
    let refused = [
        (&nothing, vec![], "expects nothing"),
        (
            &case,
            vec!["--from", "9", "--to", "8"],
            "is more than --to 8",
        ),
        (&case, vec!["--clients", "9"], "is what grows"),
        (
            &case,
            vec!["--axis", "connect-rate"],
            "no client of the scenario ends its session",
        ),
        (
            &case,
            vec!["--axis", "message-rate"],
            "no client of the scenario sends",
        ),
        (
            &case,
            vec!["--to", "99000000"],
            "the most that can be asked for",
        ),
        (&case, vec!["--precision", "0"], "expected a share"),
        (&case, vec!["--axis", "fan"], "invalid value"),
    ];
    for (case, more, fact) in refused {
        let done = case.capacity(&more);
        assert_eq!(done.code, 2, "{more:?}: {}", done.stderr);
        assert!(done.stderr.contains(fact), "{more:?}: {}", done.stderr);
    }
    let out = case.out();
    let done = case.capacity(&["--resume", &out]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    fs::create_dir(&out).unwrap();
    let account = Path::new(&out).join("capacity.json");
    fs::write(&account, "{\"schema\":\"harness.capacity/1\",").unwrap();
    let done = case.capacity(&["--resume", &out]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert!(done.stderr.contains("capacity.json"), "{}", done.stderr);
}
