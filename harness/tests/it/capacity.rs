//! `harness capacity`, against servers whose limit is known.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stranger::{self, Stranger};
use crate::support::{Done, harness, root};

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

pub(crate) struct Case {
    folder: tempfile::TempDir,
    pub(crate) scenario: String,
}

impl Case {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("limit.toml");
        fs::write(&scenario, text).unwrap();
        Self {
            scenario: scenario.to_str().unwrap().to_owned(),
            folder,
        }
    }

    pub(crate) fn out(&self) -> String {
        self.folder.path().join("out").to_str().unwrap().to_owned()
    }

    fn capacity(&self, more: &[&str]) -> Done {
        harness(&[&["capacity", &self.scenario], more].concat())
    }
}

pub(crate) fn account(folder: &str) -> Value {
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
    let (held, broke) = ends(&found);
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

/// Where the limit lies, in an account.
pub(crate) fn ends(account: &Value) -> (u64, u64) {
    let end = |name: &str| account["found"][name].as_u64();
    let (held, broke) = (end("held"), end("broke"));
    held.zip(broke)
        .unwrap_or_else(|| panic!("{}: {}", account["found"], account["sentence"]))
}

/// Scenario of a server of another make, with clients that ask so often and what must hold.
pub(crate) fn strange(clients: u32, hold: &str, every: &str, expected: &str) -> String {
    let text = stranger::SCENARIO.replace("clients = 4", &format!("clients = {clients}"));
    let text = text.replace("1800ms", hold).replace("150ms", every);
    text.replace("what = \"complete max\"\nunder = \"1h\"", expected)
}

#[test]
#[ignore = "slow: a dozen short runs"]
fn a_server_of_another_make_that_refuses_more_is_found_to() {
    const TAKES: u64 = 23;
    let open = AtomicU64::new(0);
    let server = Stranger::start(move |connection| {
        let head = connection.head()?;
        if open.fetch_add(1, Ordering::SeqCst) >= TAKES {
            open.fetch_sub(1, Ordering::SeqCst);
            return connection.answer(503, "", "full");
        }
        let served = (|| {
            connection.upgrade(&head)?;
            loop {
                let text = connection.message()?;
                connection.reply(&text)?;
            }
        })();
        open.fetch_sub(1, Ordering::SeqCst);
        served
    });
    let expected = "what = \"failed clients\"\nequals = 0";
    let case = Case::new(&strange(40, "1800ms", "500ms", expected));
    let (out, url) = (case.out(), server.url());
    let asked = [
        "--target", &url, "--from", "5", "--to", "300", "--out", &out,
    ];
    let done = case.capacity(&[&asked[..], &["--confirm", "1"]].concat());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let account = account(&out);
    assert_eq!(ends(&account), (TAKES, TAKES + 1));
    // It was not started for the probes: what shows outside was read, and the rest is said not to be known.
    let notes = account["notes"].to_string();
    assert!(
        notes.contains("its processors, memory and files are not known"),
        "{notes}"
    );
    let uses = account["probes"][0]["uses"].to_string();
    assert!(uses.contains("the target's accept backlog"), "{uses}");
    assert!(!uses.contains("the server's"), "{uses}");
}

/// A server of another make that lets nobody in so soon after the last one.
fn porter(pause: Duration) -> Stranger {
    let last: Mutex<Option<Instant>> = Mutex::new(None);
    Stranger::start(move |connection| {
        let head = connection.head()?;
        if stranger::header(&head, "sec-websocket-key").is_none() {
            // Whether it is there, as a probe asks.
            return connection.answer(200, "", "well");
        }
        let is_early = {
            let mut last = last.lock().unwrap();
            let is_early = last.is_some_and(|last| last.elapsed() < pause);
            if !is_early {
                *last = Some(Instant::now());
            }
            is_early
        };
        if is_early {
            return connection.answer(503, "", "one at a time");
        }
        connection.upgrade(&head)?;
        loop {
            let text = connection.message()?;
            connection.reply(&text)?;
        }
    })
}

/// The account of a search at one load, which half of the clients are cut at.
fn stormed(server: &Stranger, more: &[&str]) -> (Value, String) {
    let expected = "what = \"failed clients\"\nequals = 0";
    let text = strange(12, "1800ms", "1s", expected).replace("200ms", "2400ms");
    let case = Case::new(&text);
    let (out, url) = (case.out(), server.url());
    let asked = [
        "--target",
        &url,
        "--from",
        "12",
        "--to",
        "12",
        "--confirm",
        "1",
        "--out",
        &out,
    ];
    let done = case.capacity(&[&asked[..], more].concat());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let account = account(&out);
    // What was done once is not done again, and what was looked for is looked at.
    let again = case.capacity(&[&asked[..8], more, &["--resume", &out]].concat());
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    assert!(!again.stderr.contains("storm at"), "{}", again.stderr);
    let said = format!("{}{}", done.stdout, done.stderr);
    if !account["storm"].is_null() {
        let folder = Path::new(&out);
        let file = fs::read_to_string(folder.join("storm.toml")).unwrap();
        assert!(file.contains("share = \"50%\""), "{file}");
        assert!(folder.join("storm/report.html").is_file());
        let page = fs::read_to_string(folder.join("capacity.html")).unwrap();
        assert!(page.contains("storm/report.html"), "{page}");
    }
    (account, said)
}

#[test]
#[ignore = "slow: a few short runs"]
fn a_server_to_which_half_of_its_clients_cannot_come_back_is_told_from_one_to_which_they_can() {
    let figures = |account: &Value| account["outlook"]["figures"].as_array().unwrap().clone();
    let named = |account: &Value, name: &str| {
        let all = figures(account);
        let found = all.into_iter().find(|figure| figure["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {account}"))
    };
    let more = ["--want", "100", "--storm-within", "2s"];
    thread::scope(|scope| {
        scope.spawn(|| {
            let (account, said) = stormed(&porter(Duration::ZERO), &more);
            assert_eq!(account["storm"]["came"], "held", "{said}");
            assert_eq!(account["storm"]["cut"], 6, "{account}");
            let figure = named(&account, "after a storm");
            assert_eq!(figure["basis"]["kind"], "measured");
            let text = figure["text"].as_str().unwrap();
            assert!(text.starts_with("half of 12 clients back within"), "{text}");
            let how = named(&account, "instances")["how"].to_string();
            assert!(!how.contains("storm"), "{how}");
        });
        scope.spawn(|| {
            // It lets in a client every 200 ms as they come one by one, and not six who come back within the third of a second.
            let (account, said) = stormed(&porter(Duration::from_millis(150)), &more);
            assert_eq!(account["storm"]["came"], "broke", "{said}");
            assert!(account["storm"]["failed"].as_u64() > Some(0), "{account}");
            let figure = named(&account, "after a storm");
            let text = figure["text"].as_str().unwrap();
            assert!(text.contains("not all back within"), "{text}");
            let how = named(&account, "instances")["how"].to_string();
            assert!(how.contains("do not survive"), "{how}");
            let sentence = account["sentence"].as_str().unwrap();
            assert!(sentence.contains("does not survive"), "{sentence}");
        });
    });
}

#[test]
#[ignore = "slow: two short runs"]
fn a_storm_is_left_out_where_nobody_asks_for_it() {
    thread::scope(|scope| {
        for more in [&["--want", "100", "--no-storm"][..], &[]] {
            scope.spawn(move || {
                let (account, said) = stormed(&porter(Duration::ZERO), more);
                assert!(account["storm"].is_null(), "{account}");
                assert!(!said.contains("storm"), "{said}");
            });
        }
    });
}

#[test]
#[ignore = "slow: a few short runs"]
fn a_conversation_in_which_nobody_hears_the_others_is_not_called_shared() {
    let expected = "what = \"complete p50\"\nunder = \"1s\"";
    let shared = "session = { credential = \"none\", conversation = \"group\" }";
    let scenario = strange(8, "1800ms", "150ms", expected)
        .replace("session = { credential = \"none\" }", shared)
        .replace("path = \"/\"", "path = \"/{conversation}\"");
    let deaf = Stranger::chatting(|connection, _, text| connection.reply(text));
    let case = Case::new(&scenario);
    let asked = ["--axis", "fan-out", "--from", "2", "--confirm", "1"];
    let (out, url) = (case.out(), deaf.url());
    let done = case.capacity(&[&asked[..], &["--target", &url, "--out", &out]].concat());
    assert_eq!(done.code, 12, "{}{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("No client heard"), "{}", done.stderr);
    // The reference server shares them.
    let text = SCENARIO.replace(
        "mix = { lurker = 1 }",
        "session = { conversation = \"group\" }\nmessage = { every = \"500ms\" }",
    );
    let case = Case::new(&text);
    let to = ["--to", "4", "--clients", "8", "--out", &case.out()];
    let done = case.capacity(&[&asked[..], &to].concat());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}

#[test]
#[ignore = "slow: it needs the reference server"]
fn a_search_begins_where_a_probe_can_tell() {
    let scenario = root().join("scenarios/capacity-chat.toml");
    let begin = |more: &[&str]| {
        let case = Case::new(SCENARIO);
        let out = case.out();
        let asked = ["--axis", "message-rate", "--budget", "1ms", "--out", &out];
        harness(&[&["capacity", scenario.to_str().unwrap()], more, &asked].concat())
    };
    // An eighth of its own fifty a second would be fifty samples in a probe, and a p99 needs a hundred.
    let begun = begin(&[]);
    assert_eq!(begun.code, 12, "{}", begun.stderr);
    assert!(
        begun.stderr.contains("from 28 to 3,200"),
        "{}",
        begun.stderr
    );
    assert!(!begun.stderr.contains("warning"), "{}", begun.stderr);
    let begun = begin(&["--from", "7"]);
    assert!(begun.stderr.contains("a p99 needs 100"), "{}", begun.stderr);
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
        (
            &case,
            vec!["--axis", "fan-out"],
            "no client of the scenario sends",
        ),
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

#[test]
#[ignore = "slow: a short run"]
fn target_and_generator_have_processors_of_their_own_where_that_is_asked() {
    let case = Case::new(SCENARIO);
    let out = case.out();
    let run = |more: &[&str]| {
        harness(
            &[
                &["run", &case.scenario, "-q", "--clients", "4", "--out", &out],
                more,
            ]
            .concat(),
        )
    };
    let missing = run(&["--set", "load.cpus=\"900\""]);
    assert_eq!(missing.code, 3, "{}", missing.stderr);
    assert!(
        missing.stderr.contains("processors 900"),
        "{}",
        missing.stderr
    );
    let wrong = run(&["--set", "environment.server.cpus=\"two\""]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let done = run(&[
        "--set",
        "load.stages=[{ramp=\"500ms\"},{hold=\"5s\"}]",
        "--set",
        "load.mix={chatter=1}",
        "--set",
        "load.message={every=\"500ms\"}",
        "--set",
        "load.cpus=\"0\"",
        "--set",
        "environment.server.cpus=\"1\"",
    ]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let text = fs::read_to_string(Path::new(&out).join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["generator"]["machine_cores"], 1.0);
    let server = &result["processes"][0];
    assert_eq!(server["what"], "server");
    assert_eq!(server["cpu_cores_limit"], 1.0);
    assert!(server["files_peak"].as_u64() > Some(4), "{server}");
    let (used, limit) = (&server["rss_peak_bytes"], &server["memory_limit_bytes"]);
    assert!(used.as_u64() < limit.as_u64(), "{server}");
    let (backlog, traffic) = (&result["accept_backlog"], &result["traffic"]);
    assert!(backlog["limit"].as_u64() > Some(0), "{backlog}");
    assert_eq!(backlog["dropped"], 0);
    assert!(
        traffic["read_bytes_per_s"].as_f64() > Some(0.0),
        "{traffic}"
    );
    assert!(result["server"]["queue_depth_peak"].is_u64(), "{result}");
}

#[test]
#[ignore = "slow: a few short runs"]
fn a_generator_that_may_open_few_files_is_not_taken_for_the_target() {
    let server = Stranger::chatting(|connection, _, text| connection.reply(text));
    let expected = "what = \"failed clients\"\nequals = 0";
    let case = Case::new(&strange(40, "1800ms", "500ms", expected));
    let (out, url) = (case.out(), server.url());
    let asked = [
        "--from",
        "40",
        "--to",
        "2000",
        "--confirm",
        "1",
        "--shards",
        "1",
    ];
    let done = Command::new("sh")
        .args(["-c", "ulimit -n 512 && exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_harness"))
        .args(["capacity", &case.scenario, "--target", &url, "--out", &out])
        .args(asked)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(12), "{said}");
    let account = account(&out);
    assert_eq!(account["found"]["kind"], "generator_full", "{account}");
    let held = account["found"]["held"].as_u64().unwrap();
    assert!((40..512).contains(&held), "{held}");
    let sentence = account["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("At least"), "{sentence}");
    assert!(sentence.contains("open files"), "{sentence}");
}

#[test]
#[ignore = "slow: two short runs"]
fn a_search_goes_on_where_it_began_and_alone() {
    let case = Case::new(SCENARIO);
    let out = case.out();
    let asked = ["--from", "8", "--to", "8", "--confirm", "1"];
    let done = case.capacity(&[&asked[..], &["--out", &out]].concat());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let resume = || case.capacity(&[&asked[..], &["--resume", &out]].concat());
    let file = Path::new(&out).join("capacity.json");
    let whole = fs::read_to_string(&file).unwrap();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut account: Value = serde_json::from_str(&whole).unwrap();
        change(&mut account["asked"]);
        fs::write(&file, account.to_string()).unwrap();
        let done = resume();
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains("hint:"), "{}", done.stderr);
        done.stderr
    };
    let cores = changed(&|asked| asked["host"]["cores"] = 512.into());
    assert!(cores.contains("another machine (512 cores"), "{cores}");
    let server = changed(&|asked| asked["server_sha256"] = "AAAA".into());
    assert!(server.contains("another build of the server"), "{server}");
    let axis = changed(&|asked| asked["axis"] = "connect-rate".into());
    assert!(axis.contains("was asked something else"), "{axis}");
    fs::write(&file, &whole).unwrap();
    let folder = fs::File::open(&out).unwrap();
    folder.lock().unwrap();
    let second = resume();
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(
        second.stderr.contains("a search is under way there"),
        "{}",
        second.stderr
    );
    folder.unlock().unwrap();
    let done = resume();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}
