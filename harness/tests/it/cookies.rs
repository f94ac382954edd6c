//! This module drives servers that know their clients by cookies: set by a login, or on the way to it.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::case::{Case, number};
use crate::peer::{Answer, Asked, Peer};
use crate::support::{Done, command, finish};
use crate::targets::mappings;

const SECRET: &str = "pass-w0rd-of-everybody";

fn cookies(asked: &Asked) -> String {
    asked.all("cookie").join("; ")
}

/// Logs in by a form that repeats a token of its page, answers by a redirect, and knows sockets by a cookie.
fn form_server() -> Peer {
    let sessions = AtomicU32::new(0);
    Peer::start(move |asked| {
        let path = asked.path();
        if path.starts_with("/ws") {
            return if cookies(asked).contains("sessionid=s%3A") {
                Answer::echo()
            } else {
                Answer::json(403, "{}")
            };
        }
        let is_page = asked.line.starts_with("GET /accounts/login/ ");
        let csrf = "csrftoken=c00kie; Path=/; SameSite=Lax";
        if is_page {
            let page = r#"<form><input name="csrfmiddlewaretoken" value="f1eld"></form>"#;
            return Answer::Http(200, format!("Set-Cookie: {csrf}\r\n"), page.to_owned());
        }
        let good = cookies(asked).contains("csrftoken=c00kie")
            && asked.all("x-csrftoken") == ["c00kie"]
            && asked.all("referer") == ["https://chat.test/"]
            && asked.body.contains("csrfmiddlewaretoken=f1eld")
            && asked.body.contains("username=user-0000");
        if !good {
            return Answer::Http(403, String::new(), "CSRF verification failed".to_owned());
        }
        let nth = sessions.fetch_add(1, Ordering::Relaxed);
        let set = format!(
            "Location: /\r\nSet-Cookie: sessionid=s%3A{nth}.abcdef; HttpOnly; Path=/\r\nSet-Cookie: lang=de\r\n"
        );
        Answer::Http(302, set, String::new())
    })
}

fn run(mapping: &str, server: &Peer, more: &[&str]) -> (Case, Done) {
    let case = Case::new();
    let path = case.folder().join("mapping.toml");
    fs::write(&path, mapping).unwrap();
    let url = format!("ws://{}", server.address);
    let more = [&["--target", &url], more].concat();
    let mut run = case.command(path.to_str().unwrap(), &more);
    let done = finish(run.env("CHAT_PASSWORD", SECRET).spawn().unwrap());
    for secret in [SECRET, "s%3A", "c00kie", "f1eld"] {
        assert!(!done.stdout.contains(secret), "{secret} in {}", done.stdout);
        assert!(!done.stderr.contains(secret), "{secret} in {}", done.stderr);
    }
    (case, done)
}

#[test]
#[ignore = "slow: drives a load"]
fn who_logs_in_by_a_form_is_known_by_its_cookie() {
    let server = form_server();
    let (case, done) = run(&mappings()[6], &server, &["--clients", "3"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let result = case.result();
    let sent = number(&result, "/delivery/sent");
    assert!(sent > 5, "{sent}");
    assert_eq!(number(&result, "/delivery/completed"), sent);
    // Each client has a session of its own, and shows nothing but what was set.
    let asked = server.asked();
    let upgrades = asked.iter().filter(|asked| asked.path().starts_with("/ws"));
    let mut shown: Vec<String> = upgrades.map(cookies).collect();
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 3, "{shown:?}");
    for shown in &shown {
        assert!(
            shown.starts_with("csrftoken=c00kie; sessionid=s%3A"),
            "{shown}"
        );
        assert!(shown.ends_with("; lang=de"), "{shown}");
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_login_that_goes_wrong_is_named_before_anything_is_started() {
    let mapping = &mappings()[6];
    let without = |part: &str, instead: &str| {
        assert!(mapping.contains(part), "{part}");
        let (_, done) = run(&mapping.replace(part, instead), &form_server(), &[]);
        assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
        done.stderr
    };
    let said = without("\"{form}\"", "\"x\"");
    assert!(said.contains("403: CSRF verification failed"), "{said}");
    let said = without("expect = 302\n", "");
    assert!(said.contains("302"), "{said}");
    let said = without("cookie:csrftoken", "cookie:other");
    assert!(
        said.contains("nothing for {cookie}: `cookie:other` is not there"),
        "{said}"
    );
    let said = without("page = \"/accounts/login/\"", "page = \"/ws/\"");
    assert!(said.contains("the page before it answers 403"), "{said}");
}

/// Logs in over three paths, each of which sets a cookie; sockets want the last two.
fn winding_server() -> Peer {
    Peer::start(|asked| {
        let set = |to: &str, cookie: &str| {
            let head = format!("Location: {to}\r\nSet-Cookie: {cookie}; Path=/\r\n");
            Answer::Http(302, head, "<p>there</p>".to_owned())
        };
        let known = cookies(asked);
        match (asked.path(), asked.line.split(' ').next()) {
            ("/login", Some("POST")) => set("/sso/check?back=%2F", "step=1"),
            ("/sso/check?back=%2F", Some("GET")) if known == "step=1" => {
                set("../home", "sessionid=s%3A7")
            }
            ("/home", Some("GET")) if known.contains("sessionid=s%3A7") => Answer::Http(
                200,
                "Set-Cookie: lang=de\r\n".to_owned(),
                "x".repeat(100_000),
            ),
            ("/ws", _) if known == "step=1; sessionid=s%3A7; lang=de" => Answer::echo(),
            ("/away", _) => set("https://sso.example.org/?token=s%3A9", "step=1"),
            _ => Answer::json(403, "{}"),
        }
    })
}

#[test]
#[ignore = "slow: drives a load"]
fn a_login_is_followed_as_far_as_the_scenario_says_and_doctor_does_the_same() {
    let mapping = "# Is who is sent on and on let in?
[environment]
users = { password = \"${env:CHAT_PASSWORD}\" }
[load]
clients = 2
hold = \"1s\"
drain = \"500ms\"
message = { every = \"200ms\" }
session = { credential = \"cookie\" }
[target]
cookies = true
login = { path = \"/login\", body = \"form\", token = \"none\", redirects = 2 }
token = \"none\"
socket = { path = \"/ws\" }
send = { message = \"{text}\", heartbeat = \"none\" }
events = { field = \"none\", connected = \"none\" }
matching = \"order\"
";
    let server = winding_server();
    let (case, done) = run(mapping, &server, &[]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let sent = number(&case.result(), "/delivery/sent");
    assert_eq!(number(&case.result(), "/delivery/completed"), sent);
    let path = case.folder().join("mapping.toml");
    let url = format!("ws://{}", server.address);
    let mut doctor = command(&["doctor", &url, "--password", "${env:CHAT_PASSWORD}"]);
    doctor
        .arg("--scenario")
        .arg(path)
        .env("CHAT_PASSWORD", SECRET);
    let said = finish(doctor.spawn().unwrap()).stdout;
    assert!(said.contains("user-000001 is let in"), "{said}");
    for (written, instead, why) in [
        (
            "redirects = 2",
            "redirects = 1",
            "leads on to ../home, past the limit of redirects, 1",
        ),
        ("redirects = 2", "redirects = 0", "login.redirects = 1"),
        ("/login", "/away", "leads to https://sso.example.org"),
    ] {
        let (_, done) = run(&mapping.replace(written, instead), &server, &[]);
        assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(why), "{why}: {}", done.stderr);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_cookie_of_the_way_goes_back_with_token_and_upgrade() {
    let mapping = "# Do clients go back to the node that knows them?
[environment]
users = { password = \"${env:CHAT_PASSWORD}\" }
[load]
clients = 3
hold = \"1s\"
drain = \"500ms\"
message = { every = \"200ms\" }
[target]
cookies = true
login = { path = \"/login\", method = \"put\" }
token = { path = \"/ticket\", field = \"ticket\" }
socket = { path = \"/ws\", query = \"ticket\" }
send = { message = \"{text}\", heartbeat = \"none\" }
events = { field = \"none\", connected = \"none\" }
matching = \"order\"
";
    let logins = AtomicU32::new(0);
    let server = Peer::start(move |asked| match asked.path() {
        "/login" if asked.line.starts_with("PUT ") => {
            let node = logins.fetch_add(1, Ordering::Relaxed) % 2;
            let set = format!("Set-Cookie: NODE=n{node}; Path=/\r\n");
            Answer::Http(200, set, format!("{{\"token\":\"t-n{node}\"}}"))
        }
        path => {
            let bearer = asked.all("authorization").concat();
            let node = cookies(asked).replace("NODE=", "");
            if path == "/ticket" && bearer == format!("Bearer t-{node}") {
                return Answer::json(200, &format!("{{\"ticket\":\"k-{node}\"}}"));
            }
            if path == format!("/ws?ticket=k-{node}") {
                return Answer::echo();
            }
            Answer::json(400, "{\"error\":\"Session ID unknown\"}")
        }
    });
    let (case, done) = run(mapping, &server, &[]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(number(&case.result(), "/delivery/completed") > 5);
    let off = mapping.replace("cookies = true", "cookies = false");
    let (_, done) = run(&off, &server, &[]);
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
}

#[test]
#[ignore = "slow: waits for refusals"]
fn the_doctor_logs_in_by_the_form_too() {
    let server = form_server();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapping.toml");
    fs::write(&path, &mappings()[6]).unwrap();
    let url = format!("ws://{}", server.address);
    let mut doctor = command(&["doctor", &url, "--scenario"]);
    doctor
        .arg(&path)
        .args(["--password", "${env:CHAT_PASSWORD}"]);
    let done = finish(doctor.env("CHAT_PASSWORD", SECRET).spawn().unwrap());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}

/// A token is asked for with the session's cookie, and with nothing else.
const SESSION: &str = "# Do the cookies of a login get a ticket?
[environment]
users = { password = \"${env:CHAT_PASSWORD}\" }
[load]
clients = 3
hold = \"1s\"
drain = \"500ms\"
message = { every = \"200ms\" }
[target]
cookies = true
login = { path = \"/login\", body = \"form\", token = \"none\" }
token = { path = \"/ticket\", field = \"ticket\" }
socket = { path = \"/ws\", query = \"ticket\" }
send = { message = \"{text}\", heartbeat = \"none\" }
events = { field = \"none\", connected = \"none\" }
matching = \"order\"
[[trial]]
kind = \"refusal\"
";

/// Gives a ticket for a cookie, and repeats the cookie to whom it gives none.
fn session_server(path: &'static str) -> Peer {
    let sessions = AtomicU32::new(0);
    Peer::start(move |asked| {
        let known = cookies(asked);
        let session = known.strip_prefix("sid=s%3A");
        match (asked.path(), session) {
            ("/login", _) => {
                let nth = sessions.fetch_add(1, Ordering::Relaxed);
                let set = format!("Set-Cookie: sid=s%3A{nth}-of-many; Path=/\r\n");
                Answer::Http(200, set, "<p>welcome</p>".to_owned())
            }
            (asked_path, Some(session))
                if asked_path == path && asked.all("authorization").is_empty() =>
            {
                Answer::json(200, &format!("{{\"ticket\":\"k-{session}\"}}"))
            }
            (asked_path, Some(session)) if asked_path == format!("/ws?ticket=k-{session}") => {
                Answer::echo()
            }
            _ => Answer::json(403, &format!("{{\"not\":\"{known}\"}}")),
        }
    })
}

#[test]
#[ignore = "slow: drives a load"]
fn cookies_of_a_login_without_a_token_get_connection_tokens_for_load_trials_and_doctor() {
    let server = session_server("/ticket");
    let (case, done) = run(SESSION, &server, &[]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let sent = number(&case.result(), "/delivery/sent");
    assert!(sent > 5, "{sent}");
    assert_eq!(number(&case.result(), "/delivery/completed"), sent);
    assert!(server.count("/ticket") >= 4, "{:?}", server.asked());
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.all("authorization").is_empty())
    );
    let path = case.folder().join("mapping.toml");
    let doctor = |server: &Peer| {
        let url = format!("ws://{}", server.address);
        let mut doctor = command(&["doctor", &url, "--password", "${env:CHAT_PASSWORD}"]);
        doctor.arg("--scenario").arg(&path);
        finish(doctor.env("CHAT_PASSWORD", SECRET).spawn().unwrap())
    };
    let done = doctor(&server);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("a token is given"), "{}", done.stdout);
    // An answer that repeats the session is shown without it.
    let server = session_server("/elsewhere");
    let (_, refused) = run(SESSION, &server, &[]);
    assert_eq!(refused.code, 3, "{}{}", refused.stdout, refused.stderr);
    let known = "/ticket gives user-000001 no connection token: 403: {\"not\":\"sid=***\"}";
    assert!(refused.stderr.contains(known), "{}", refused.stderr);
    let said = doctor(&server).stdout;
    assert!(
        said.contains("/ticket answers 403: {\"not\":\"sid=***\"}"),
        "{said}"
    );
}
