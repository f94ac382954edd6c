//! This module drives a server whose access tokens end soon, by clients that come back again and again.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::case::{Case, number};
use crate::peer::{Answer, Peer};
use crate::support::{Done, command, finish};

const SECRET: &str = "pass-w0rd-of-everybody";
/// How long a token is good for.
const LIFE: Duration = Duration::from_millis(1_500);
const MAPPING: &str = r#"# Does a client get in again when its access token has ended?
[environment]
users = { prefix = "u-", password = "${env:CHAT_PASSWORD}" }
[load]
clients = 3
hold = "5s"
drain = "500ms"
mix = { reconnector = 1 }
reconnector = { every = "500ms" }
message = { every = "200ms" }
[target]
login = { path = "/login", token = "access" }
token = { path = "/ticket", field = "ticket" }
socket = { path = "/ws", query = "ticket" }
send = { message = "{text}", heartbeat = "none" }
events = { field = "none", connected = "none" }
matching = "order"
"#;

/// Gives tickets for access tokens that are good.
fn forgetful() -> Peer {
    let given = Mutex::new(Vec::new());
    Peer::start(move |asked| {
        let path = asked.path();
        let mut given = given.lock().unwrap();
        match path.split('?').next() {
            Some("/login") => {
                given.push(Instant::now());
                let nth = given.len() - 1;
                let life = LIFE.as_secs_f64();
                Answer::json(
                    200,
                    &format!("{{\"access\":\"a-{nth}\",\"expires_in\":{life}}}"),
                )
            }
            Some("/ticket") => {
                let bearer = asked.all("authorization").concat();
                let nth = bearer
                    .strip_prefix("Bearer a-")
                    .and_then(|nth| nth.parse::<usize>().ok());
                let at = nth.and_then(|nth| given.get(nth));
                match at.filter(|at| at.elapsed() < LIFE) {
                    Some(_) => Answer::json(200, "{\"ticket\":\"k\"}"),
                    None => Answer::json(401, "{\"error\":\"token_expired\"}"),
                }
            }
            _ => Answer::echo(),
        }
    })
}

fn run(mapping: &str) -> (Case, Done, Peer) {
    let (case, server) = (Case::new(), forgetful());
    let path = case.folder().join("mapping.toml");
    fs::write(&path, mapping).unwrap();
    let url = format!("ws://{}", server.address);
    let mut run = case.command(path.to_str().unwrap(), &["--target", &url]);
    let done = finish(run.env("CHAT_PASSWORD", SECRET).spawn().unwrap());
    (case, done, server)
}

#[test]
#[ignore = "slow: drives a load"]
fn a_token_that_ends_is_followed_by_another_ahead_of_that_or_after_one_refusal() {
    let said = MAPPING.replace(
        "token = \"access\"",
        "token = \"access\", expires_in = \"expires_in\"",
    );
    for (mapping, is_ahead) in [(&*said, true), (MAPPING, false)] {
        let (case, done, server) = run(mapping);
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        let result = case.result();
        let sent = number(&result, "/delivery/sent");
        assert!(sent > 20, "{sent}");
        assert_eq!(number(&result, "/delivery/completed"), sent);
        // One before the run; then three clients through three lives and more.
        let (logins, asked) = (server.count("/login"), server.count("/ticket"));
        assert!(
            (7..=20).contains(&logins),
            "{logins} logins, {asked} tickets"
        );
        let refused = number(&result, "/clients/tokens_failed");
        assert_eq!(refused == 0, is_ahead, "{refused} of {asked}");
    }
}

#[test]
#[ignore = "slow: asks a server"]
fn a_login_that_does_not_say_how_long_it_lasts_is_told_before_anything_is_started() {
    let mapping = MAPPING.replace(
        "token = \"access\"",
        "token = \"access\", expires_in = \"ttl\"",
    );
    let (case, done, server) = run(&mapping);
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
    for said in [
        "lets u-000001 log in, and does not say for how long: 200",
        "login.expires_in = \"expires_in\"",
    ] {
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    let url = format!("ws://{}", server.address);
    let mut doctor = command(&["doctor", &url, "--password", "${env:CHAT_PASSWORD}"]);
    doctor
        .arg("--scenario")
        .arg(case.folder().join("mapping.toml"));
    let said = finish(doctor.env("CHAT_PASSWORD", SECRET).spawn().unwrap()).stdout;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("there is no field `ttl` in the body; its fields: access, expires_in"),
        "{said}"
    );
}
