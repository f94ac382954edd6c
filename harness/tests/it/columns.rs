//! This module drives a server whose accounts have more than a name: columns of their file fill places of templates.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::case::{Case, number};
use crate::peer::{Answer, Peer};
use crate::support::{Done, command, finish, harness};

const SECRET: &str = "pass-w0rd-of-everybody";
const MAPPING: &str = r#"# Do people of several tenants reach their rooms?
[environment]
users = { file = "@users", password = "${env:CHAT_PASSWORD}" }
[load]
clients = 4
hold = "1s"
drain = "500ms"
message = { every = "150ms" }
session = { credential = "query-token" }
[target]
login = { path = "/login", fields = { org = "{tenant}" }, headers = { X-Tenant = "{tenant}" } }
token = "none"
socket = { path = "/{tenant}/ws/{room}", query = "token" }
send = { message = '{"to":"{room}","say":"{text}"}', heartbeat = "none" }
events = { field = "none" }
matching = "order"
[[target.open]]
send = '{"join":"{room}","of":"{tenant}","as":"{account}"}'
await = { join = "*" }
[[trial]]
kind = "refusal"
"#;

/// A folder with a mapping and the accounts that it names.
struct Desk {
    case: Case,
}

impl Desk {
    /// Sixty accounts: two tenants, rooms of four.
    fn new(mapping: &str) -> Self {
        let rows =
            (0..60).map(|n| format!("acct-{n};R \"{}\";{};x\n", n / 4, ["acme", "öre"][n % 2]));
        let mut users = "Account;Room;tenant;Note of mine\n".to_owned();
        for row in rows {
            users.push_str(&row.replace("R \"", "\"R \"\"").replace("\";", "\"\"\";"));
        }
        let desk = Self { case: Case::new() };
        fs::write(desk.folder().join("users.csv"), users).unwrap();
        let users = desk.folder().join("users.csv");
        let mapping = mapping.replace("@users", users.to_str().unwrap());
        fs::write(desk.mapping(), mapping).unwrap();
        desk
    }

    fn folder(&self) -> &Path {
        self.case.folder()
    }

    fn mapping(&self) -> PathBuf {
        self.folder().join("mapping.toml")
    }

    fn check(&self) -> Done {
        harness(&["check", self.mapping().to_str().unwrap()])
    }
}

/// Lets in whom it knows: the tenant stands in field and header of a login, and in the path of a socket.
fn tenants() -> Peer {
    Peer::start(|asked| {
        let path = asked.path();
        if path == "/login" {
            let said: Value = serde_json::from_str(&asked.body).unwrap_or_default();
            let tenant = said["org"].as_str().unwrap_or_default();
            let account = said["email"].as_str().unwrap_or_default();
            let odd = account
                .bytes()
                .next_back()
                .is_some_and(|digit| digit % 2 == 1);
            let is_known = tenant == if odd { "öre" } else { "acme" }
                && asked.headers.iter().any(|(name, _)| name == "x-tenant");
            let token = format!("{{\"token\":\"t-{account}\"}}");
            return if is_known {
                Answer::json(200, &token)
            } else {
                Answer::json(403, "{}")
            };
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some(nth) = query
            .strip_prefix("token=t-acct-")
            .and_then(|nth| nth.parse::<u32>().ok())
        else {
            return Answer::json(403, "{}");
        };
        let tenant = if nth % 2 == 1 { "%C3%B6re" } else { "acme" };
        if path == format!("/{tenant}/ws/R%20%22{}%22", nth / 4) {
            Answer::echo()
        } else {
            Answer::json(404, "{}")
        }
    })
}

/// Every text that was said is JSON, and names a room and a tenant as the file does.
fn assert_said(peer: &Peer) {
    let said = peer.said();
    let frames = said
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap());
    let (joins, messages): (Vec<Value>, Vec<Value>) =
        frames.partition(|frame| frame["join"].is_string());
    assert!(joins.len() >= 4 && messages.len() > 5, "{said:?}");
    for join in joins {
        let nth: usize = join["as"].as_str().unwrap()["acct-".len()..]
            .parse()
            .unwrap();
        assert_eq!(join["join"], format!("R \"{}\"", nth / 4), "{join}");
        assert_eq!(join["of"], ["acme", "öre"][nth % 2], "{join}");
    }
    let rooms: BTreeSet<&str> = messages
        .iter()
        .filter_map(|frame| frame["to"].as_str())
        .collect();
    assert!(rooms.contains("R \"0\""), "{rooms:?}");
}

fn run(desk: &Desk, peer: &Peer, more: &[&str]) -> Done {
    let url = format!("ws://{}", peer.address);
    let more = [&["--target", &url], more].concat();
    let mapping = desk.mapping();
    let mut run = desk.case.command(mapping.to_str().unwrap(), &more);
    finish(run.env("CHAT_PASSWORD", SECRET).spawn().unwrap())
}

#[test]
#[ignore = "slow: drives a load"]
fn columns_fill_places_in_load_trials_and_shards() {
    for more in [&[][..], &["--shards", "2"]] {
        let (desk, peer) = (Desk::new(MAPPING), tenants());
        let done = run(&desk, &peer, more);
        assert_eq!(done.code, 0, "{more:?}: {}{}", done.stdout, done.stderr);
        let result = desk.case.result();
        let sent = number(&result, "/delivery/sent");
        assert!(sent > 5, "{sent}");
        assert_eq!(number(&result, "/delivery/completed"), sent);
        let accounts = peer.asked().len();
        assert!(accounts >= 4, "{accounts}");
        assert_said(&peer);
    }
}

#[test]
#[ignore = "slow: waits for refusals"]
fn the_doctor_is_an_account_of_the_file_with_its_columns() {
    let (desk, peer) = (Desk::new(MAPPING), tenants());
    let url = format!("ws://{}", peer.address);
    let doctor = |more: &[&str]| {
        let mut doctor = command(&["doctor", &url, "--password", "${env:CHAT_PASSWORD}"]);
        doctor.arg("--scenario").arg(desk.mapping()).args(more);
        finish(doctor.env("CHAT_PASSWORD", SECRET).spawn().unwrap())
    };
    for (more, account) in [(&[][..], "acct-0"), (&["--user", "acct-5"], "acct-5")] {
        let done = doctor(more);
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        assert!(
            done.stdout.contains(&format!("{account} is let in")),
            "{}",
            done.stdout
        );
    }
    let done = doctor(&["--user", "nobody"]);
    assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stderr
            .contains("no account `nobody`, and a template of [target] says {room} of it"),
        "{}",
        done.stderr
    );
}

#[test]
fn check_reads_the_accounts_and_refuses_what_they_do_not_fill() {
    let done = Desk::new(MAPPING).check();
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (0, ""),
        "{}",
        done.stdout
    );
    for (from, to, said) in [
        (
            "/ws/{room}",
            "/ws/{rom}",
            &[
                ":13: target.socket.path: nothing fills the place {rom}",
                "did you mean `room`?",
            ][..],
        ),
        (
            "\"to\":\"{room}\"",
            "\"to\":\"{rooom}\"",
            &[":14: target.send.message", "did you mean `room`?"],
        ),
        (
            "\"of\":\"{tenant}\"",
            "\"of\":\"{owner}\"",
            &[
                ":18: target.open[0].send",
                "known: conversation, client, group, account",
                "room, tenant",
                "\"Note of mine\" cannot be the name of a place",
            ],
        ),
        (
            "org = \"{tenant}\"",
            "org = \"{password}\"",
            &["target.login.fields", "passwords go into the login"],
        ),
        (
            "X-Tenant = \"{tenant}\"",
            "X-Tenant = \"{tenants}\"",
            &["target.login.headers.X-Tenant", "did you mean `tenant`?"],
        ),
        (
            "{ join = \"*\" }",
            "{ join = \"*\" }\ncapture = { room = \"room\" }",
            &[
                "{room} is filled already, by a column of",
                "call it otherwise",
            ],
        ),
        (
            "clients = 4",
            "clients = 60",
            &["60 accounts, and the run needs"],
        ),
    ] {
        assert!(MAPPING.contains(from), "{from}");
        let done = Desk::new(&MAPPING.replace(from, to)).check();
        assert_eq!(done.code, 2, "{to}: {}{}", done.stdout, done.stderr);
        for said in said {
            assert!(done.stderr.contains(said), "{said} in {}", done.stderr);
        }
    }
}

#[test]
fn a_mistake_in_a_file_of_accounts_is_told_by_check_with_its_line() {
    let desk = Desk::new(MAPPING);
    let users = desk.folder().join("users.csv");
    let said = |text: &str| {
        fs::write(&users, text).unwrap();
        let done = desk.check();
        assert_eq!(done.code, 2, "{}{}", done.stdout, done.stderr);
        assert!(!done.stderr.contains("s3cret"), "{}", done.stderr);
        done.stderr
    };
    let empty = said("account,room,tenant,password\na,1,x,s3cret\nb,,x,s3cret\n");
    assert!(empty.contains("users.csv:3: an empty `room`"), "{empty}");
    let twice = said("account,room,ROOM,tenant\na,1,2,x\n");
    assert!(
        twice.contains("2 columns of") && twice.contains("are called `room`"),
        "{twice}"
    );
    fs::remove_file(&users).unwrap();
    let done = desk.check();
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("users.csv: no such file"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_column_that_something_else_hides_is_told() {
    let desk = Desk::new(MAPPING);
    let users = "account,room,tenant,group\n".to_owned() + &"a,1,x,y\n".repeat(60);
    fs::write(desk.folder().join("users.csv"), users).unwrap();
    let done = desk.check();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains(
            "users.csv:1: the column `group` fills no place: {group} is filled with something else"
        ),
        "{}",
        done.stderr
    );
}

#[test]
fn a_bundle_takes_the_accounts_along() {
    let desk = Desk::new(&MAPPING.replace("@users", "users.csv"));
    let mut bundle = command(&["bundle", "mapping.toml", "--shards", "2", "--out", "bundle"]);
    bundle.args(["--target", "ws://127.0.0.1:1"]);
    let done = finish(bundle.current_dir(desk.folder()).spawn().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let taken = fs::read(desk.folder().join("bundle/users.csv")).unwrap();
    assert_eq!(taken, fs::read(desk.folder().join("users.csv")).unwrap());
    let plan: Value =
        serde_json::from_slice(&fs::read(desk.folder().join("bundle/bundle.json")).unwrap())
            .unwrap();
    assert_eq!(
        plan["plan"]["environment"]["users"]["columns"],
        serde_json::json!(["room", "tenant"])
    );
}
