//! This module reaches servers of other makes: by their host, at all their addresses, past proxies, over their TLS,
//! with what their logins answer.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_tungstenite::tungstenite::Message;

use crate::case::number;
use crate::peer::{Answer, Asked, Peer};
use crate::support::{Done, command, finish};

/// A login, and a token in the query.
const MAPPING: &str = r#"# Is it reached?
[environment]
users = { prefix = "u-", password = "${env:PEER_PASSWORD}" }
[load]
clients = 3
ramp = "100ms"
hold = "2s"
drain = "1s"
session = { credential = "query-token" }
message = { every = "300ms" }
reconnect = { first = "200ms", factor = 2, cap = "1s", attempts = 2 }
[target]
login = { path = "/login" }
token = "none"
socket = { path = "/ws", query = "token" }
send = { message = "{text}", heartbeat = "none" }
events = { field = "none", connected = "none" }
matching = "order"
"#;
const EDGE_FAULT: &str = r#"
[[fault]]
at = "500ms"
for = "500ms"
link = "edge"
kind = "latency"
latency = "20ms"
"#;
const TOKEN: &str = r#"{"token":"t"}"#;

/// Lets everybody in, and echoes.
fn kind_answers(asked: &Asked) -> Answer {
    match asked.path().split('?').next() {
        Some("/login") => Answer::json(200, TOKEN),
        Some(path) if path.starts_with("/ws") => Answer::echo(),
        _ => Answer::json(404, ""),
    }
}

/// A folder with a scenario, and what becomes of it.
struct Trip {
    folder: tempfile::TempDir,
}

impl Trip {
    fn with(mapping: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine.toml"), mapping).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn scenario(&self) -> PathBuf {
        self.folder.path().join("mine.toml")
    }

    fn command(&self, subcommand: &str, more: &[&str]) -> Command {
        let mut command = command(&[subcommand]);
        command.arg(self.scenario()).args(more);
        command.env("PEER_PASSWORD", "pw");
        command
    }

    fn check(&self) -> Done {
        finish(self.command("check", &[]).spawn().unwrap())
    }

    fn run_command(&self, target: &str, more: &[&str]) -> Command {
        let mut run = self.command("run", &["--target", target, "-q"]);
        run.args(more)
            .arg("--out")
            .arg(self.folder.path().join("out"));
        run
    }

    fn run(&self, target: &str, more: &[&str]) -> Done {
        finish(self.run_command(target, more).spawn().unwrap())
    }

    fn result(&self) -> Value {
        let text = fs::read(self.folder.path().join("out/result.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The run worked, and every message came back.
    #[track_caller]
    fn assert_driven(&self, done: &Done) {
        // A pause of the machine makes a run invalid, and says nothing of how it was driven.
        let driven = matches!(done.code, 0 | 13);
        assert!(driven, "{}{}", done.stdout, done.stderr);
        let result = self.result();
        let completed = number(&result, "/delivery/completed");
        assert!(completed > 0, "{}", result["delivery"]);
        assert_eq!(completed, number(&result, "/delivery/sent"));
    }

    fn doctor(&self, url: &str, more: &[&str]) -> (i32, Value) {
        let mut doctor = command(&["doctor", url, "--json", "--scenario"]);
        doctor.arg(self.scenario()).args(more);
        doctor.args(["--password", "${env:PEER_PASSWORD}"]);
        doctor.env("PEER_PASSWORD", "pw");
        examined(doctor)
    }
}

fn examined(mut doctor: Command) -> (i32, Value) {
    let done = finish(doctor.spawn().unwrap());
    let report = serde_json::from_str(&done.stdout);
    (
        done.code,
        report.unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr)),
    )
}

/// The first step that failed.
#[track_caller]
fn failed(report: &Value) -> &Value {
    let steps = report["steps"].as_array().unwrap();
    let mut failed = steps.iter().filter(|step| step["outcome"] == "failed");
    failed.next().unwrap_or_else(|| panic!("{report:#}"))
}

#[track_caller]
fn assert_one_host(peer: &Peer, host: &str) {
    let asked = peer.asked();
    for kind in ["POST /login ", "GET /ws?", "GET /metrics "] {
        assert!(
            asked.iter().any(|asked| asked.line.starts_with(kind)),
            "{kind}"
        );
    }
    for asked in asked {
        assert_eq!(asked.all("host"), [host], "{}", asked.line);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn everything_is_asked_under_the_one_host_of_the_headers() {
    let named = MAPPING.replace(
        "[target]\n",
        "[target]\nheaders = { host = \"chat.test\" }\n",
    );
    for mapping in [named.clone(), edge(&named)] {
        let (peer, trip) = (Peer::start(kind_answers), Trip::with(&mapping));
        let done = trip.run(&format!("ws://{}", peer.address), &[]);
        trip.assert_driven(&done);
        assert_one_host(&peer, "chat.test");
    }
    let (peer, trip) = (Peer::start(kind_answers), Trip::with(&named));
    let (code, report) = trip.doctor(&format!("ws://{}", peer.address), &[]);
    // An echo lets everybody in: that much it says.
    assert_eq!(
        (code, &failed(&report)["step"]),
        (10, &Value::from("refusal"))
    );
    for asked in peer.asked() {
        assert_eq!(asked.all("host"), ["chat.test"], "{}", asked.line);
    }
}

/// The same with a fault between clients and server.
fn edge(mapping: &str) -> String {
    let proxied = mapping.replace("[environment]\n", "[environment]\nproxies = [\"edge\"]\n");
    proxied + EDGE_FAULT
}

#[test]
#[ignore = "slow: drives a load"]
fn through_the_edge_proxy_the_host_is_that_of_the_target() {
    let (peer, trip) = (Peer::start(kind_answers), Trip::with(&edge(MAPPING)));
    let done = trip.run(&format!("ws://{}", peer.address), &[]);
    trip.assert_driven(&done);
    assert_one_host(&peer, &peer.address.to_string());
}

#[test]
fn headers_that_are_not_for_a_scenario_to_say_are_refused() {
    for (headers, said) in [
        (
            "Sec-WebSocket-Extensions = \"permessage-deflate\"",
            "permessage-deflate; leave it out",
        ),
        (
            "sec-websocket-key = \"${env:X}\"",
            "belongs to the handshake",
        ),
        ("Connection = \"close\"", "belongs to the connection"),
        ("Upgrade = \"h2c\"", "belongs to the connection"),
        ("Content-Length = \"0\"", "belongs to the body"),
        ("Transfer-Encoding = \"chunked\"", "belongs to the body"),
        ("Host = \"a\", host = \"b\"", "one header twice"),
        ("Host = \"http://a/\"", "is no host"),
        ("X-A = \"a\\r\\nX-B: b\"", "a line break"),
        ("X-A = \"größe\"", "not ASCII"),
        ("\"X A\" = \"a\"", "no name of a header"),
    ] {
        let mapping = MAPPING.replace(
            "[target]\n",
            &format!("[target]\nheaders = {{ {headers} }}\n"),
        );
        let done = Trip::with(&mapping).check();
        assert_eq!(done.code, 2, "{headers}");
        assert!(done.stderr.contains(said), "{headers}: {}", done.stderr);
    }
    let allowed = "[target]\nheaders = { Sec-WebSocket-Protocol = \"graphql-transport-ws\", Host = \"a:1\" }\n";
    let done = Trip::with(&MAPPING.replace("[target]\n", allowed)).check();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let twice = MAPPING
        .replace(
            "[target]\n",
            "[target]\nheaders = { Sec-WebSocket-Protocol = \"x\" }\n",
        )
        .replace("\"query-token\"", "\"bearer\"");
    let done = Trip::with(&twice).check();
    assert!(
        done.stderr
            .contains("the sub-protocol carries the credential"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_secret_that_no_header_can_hold_starts_nothing_and_is_not_shown() {
    let mapping = MAPPING.replace(
        "[target]\n",
        "[target]\nheaders = { X-Key = \"${env:PEER_KEY}\" }\n",
    );
    let (peer, trip) = (Peer::start(kind_answers), Trip::with(&mapping));
    let mut run = trip.run_command(&format!("ws://{}", peer.address), &[]);
    run.env("PEER_KEY", "very-secret\n");
    let done = finish(run.spawn().unwrap());
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("X-Key cannot be sent: it holds a line break"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("very-secret"));
    assert_eq!(peer.count("/login"), 0);
}

#[test]
#[ignore = "slow: drives a load"]
fn an_address_in_brackets_is_reached() {
    for mapping in [MAPPING.to_owned(), edge(MAPPING)] {
        let Some(peer) = Peer::over_ipv6(kind_answers) else {
            return;
        };
        let trip = Trip::with(&mapping);
        let done = trip.run(&format!("ws://{}", peer.address), &[]);
        trip.assert_driven(&done);
        assert_one_host(&peer, &peer.address.to_string());
    }
}

#[test]
fn who_does_not_listen_is_named_with_every_address() {
    let trip = Trip::with(MAPPING);
    let done = trip.run("ws://localhost:1", &[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stderr.contains("localhost:1"), "{}", done.stderr);
    assert!(
        done.stderr.contains("refuses connections"),
        "{}",
        done.stderr
    );
}

#[test]
fn what_stands_between_stays_with_another_target_and_what_does_not_apply_is_said() {
    let mapping = edge(MAPPING).replace(
        "[environment]\n",
        "[environment]\nredis = \"private\"\nserver = { defects = [\"connect-hang\"] }\n",
    );
    let mapping = mapping.replace(
        "proxies = [\"edge\"]",
        "proxies = [\"redis.tokens\", \"edge\"]",
    );
    let trip = Trip::with(&mapping);
    let mut plan = trip.command("plan", &[]);
    plan.env("HARNESS_TARGET", "ws://127.0.0.1:8000");
    let done = finish(plan.spawn().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stdout.contains("proxies = [\"edge\"]"),
        "{}",
        done.stdout
    );
    for left_out in [
        "environment.server.defects",
        "environment.redis",
        "environment.proxies of Redis",
    ] {
        assert!(
            done.stderr.contains(left_out),
            "{left_out}: {}",
            done.stderr
        );
    }
    // What the command line itself says is not left out.
    let target = ["--target", "ws://127.0.0.1:8000"];
    let said = finish(
        trip.command(
            "plan",
            &[&target[..], &["--defect", "connect-hang"]].concat(),
        )
        .spawn()
        .unwrap(),
    );
    assert_eq!(said.code, 2, "{}", said.stderr);
    let set = ["--set", "environment.proxies=[]"];
    let done = finish(
        trip.command("plan", &[&target[..], &set].concat())
            .spawn()
            .unwrap(),
    );
    assert_eq!(done.code, 2, "the fault has no link: {}", done.stdout);
}

#[test]
#[ignore = "slow: drives a load"]
fn no_proxy_of_the_environment_is_asked_and_that_is_said() {
    let detour = Peer::start(|_| Answer::json(502, "proxied"));
    for variable in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        let (peer, trip) = (Peer::start(kind_answers), Trip::with(MAPPING));
        let mut run = trip.run_command(&format!("ws://{}", peer.address), &[]);
        run.env(variable, format!("http://{}", detour.address));
        run.env_remove("no_proxy").env_remove("NO_PROXY");
        let done = finish(run.spawn().unwrap());
        trip.assert_driven(&done);
        let note = format!("note: {variable} is set, and not obeyed");
        assert_eq!(done.stderr.matches(&note).count(), 1, "{}", done.stderr);
    }
    assert_eq!(detour.asked().len(), 0);
}

/// As `openssl req -x509` makes a certificate: signed by itself, and an authority's.
fn openssl_like(names: &[&str]) -> (String, CertificateDer<'static>, KeyPair) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    (cert.pem(), cert.der().clone(), key)
}

/// TLS with such a certificate; `demanding`: and with one of the client.
fn tls(names: &[&str], demanding: bool) -> (String, ServerConfig) {
    let (pem, cert, key) = openssl_like(names);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if demanding {
        let mut roots = RootCertStore::empty();
        roots.add(openssl_like(&["ca"]).1).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        config.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        config.with_no_client_auth()
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (pem, config.with_single_cert(vec![cert], key).unwrap())
}

#[test]
#[ignore = "slow: drives a load"]
fn a_certificate_that_names_itself_an_authority_is_believed_when_it_is_named() {
    let (pem, config) = tls(&["127.0.0.1"], false);
    // The name of the certificate is that of the target, whatever host is asked for.
    let named = MAPPING.replace(
        "[target]\n",
        "[target]\nheaders = { Host = \"chat.test\" }\n",
    );
    let (peer, trip) = (Peer::secure(config, kind_answers), Trip::with(&named));
    let ca = trip.file("ca.pem", pem);
    let done = trip.run(&format!("wss://{}", peer.address), &["--ca", &ca]);
    trip.assert_driven(&done);
    assert_one_host(&peer, "chat.test");
    let log = fs::read_to_string(trip.folder.path().join("out/logs/harness.log")).unwrap();
    assert!(!log.contains("CaUsedAsEndEntity"), "{log}");
}

#[test]
fn why_a_certificate_is_not_believed_is_said_in_words() {
    for (names, said) in [
        (
            &["chat.test"][..],
            "it is for chat.test, and not for 127.0.0.1",
        ),
        (&[], "it has no subjectAltName"),
    ] {
        let (pem, config) = tls(names, false);
        let (peer, trip) = (Peer::secure(config, kind_answers), Trip::with(MAPPING));
        let ca = trip.file("ca.pem", pem);
        let url = format!("wss://{}", peer.address);
        let done = trip.run(&url, &["--ca", &ca]);
        assert_eq!(done.code, 3, "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        let (_, report) = trip.doctor(&url, &["--ca", &ca]);
        assert!(
            failed(&report)["fact"].as_str().unwrap().contains(said),
            "{report:#}"
        );
        let (_, report) = trip.doctor(&url, &[]);
        let fact = failed(&report)["fact"].as_str().unwrap();
        assert!(fact.contains("an authority's own (CA:TRUE)"), "{report:#}");
        assert!(failed(&report)["failure"].is_null(), "{report:#}");
    }
}

#[test]
fn a_server_that_wants_a_certificate_is_no_known_failure() {
    let (pem, config) = tls(&["127.0.0.1"], true);
    let (peer, trip) = (Peer::secure(config, kind_answers), Trip::with(MAPPING));
    let ca = trip.file("ca.pem", pem);
    let url = format!("wss://{}", peer.address);
    let said = "certificate_required (116)";
    let done = trip.run(&url, &["--ca", &ca]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stderr.contains(said), "{}", done.stderr);
    let (code, report) = trip.doctor(&url, &["--ca", &ca]);
    assert_eq!((code, &failed(&report)["step"]), (10, &Value::from("tls")));
    assert!(
        failed(&report)["fact"].as_str().unwrap().contains(said),
        "{report:#}"
    );
    assert!(failed(&report)["failure"].is_null(), "{report:#}");
}

/// Says that to every login.
fn logins(status: u16, headers: &'static str, body: &'static str) -> Peer {
    Peer::start(move |asked| match asked.path() {
        "/login" => Answer::Http(status, headers.to_owned(), body.to_owned()),
        _ => kind_answers(asked),
    })
}

#[test]
fn a_login_that_the_load_could_not_read_starts_nothing() {
    for (status, headers, body, said) in [
        (
            401,
            "",
            r#"{"error":"invalid_credentials"}"#,
            "does not let u-000001 log in: 401: {\"error\":\"invalid_credentials\"}",
        ),
        (500, "", "oops\nat line 7", "log in: 500: oops"),
        (
            302,
            "Location: /login/\r\n",
            "",
            "name where it leads, /login/",
        ),
        (404, "", "", "[target] login.path"),
        (
            200,
            "",
            r#"{"data":{"jwt":"x"},"ok":true}"#,
            "no field `token` in the body; its fields: data.jwt, ok",
        ),
        (
            200,
            "",
            r#"{"data":{"jwt":"x"},"ok":true}"#,
            "login.token = \"data.jwt\"",
        ),
        (
            200,
            "",
            "welcome",
            "the body is a text, so it has no field `token`: welcome",
        ),
        (200, "", "welcome", "login.token = \"body\""),
        (204, "", "", "204, but the body is empty"),
        (
            200,
            "",
            r#"{"token":{"a":1}}"#,
            "its field `token` is an object",
        ),
        (429, "Retry-After: 3600\r\n", "", "it asks to wait 3600 s"),
    ] {
        let (peer, trip) = (logins(status, headers, body), Trip::with(MAPPING));
        let done = trip.run(&format!("ws://{}", peer.address), &[]);
        assert_eq!(
            done.code, 3,
            "{status} {body}: {}{}",
            done.stdout, done.stderr
        );
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
        assert_eq!(peer.count("/login"), 1, "{status} {body}");
    }
    let peer = Peer::start(|_| Answer::HangUp);
    let done = Trip::with(MAPPING).run(&format!("ws://{}", peer.address), &[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr.contains("no login at http://127.0.0.1"),
        "{}",
        done.stderr
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn what_a_login_may_answer_is_read_before_the_run_and_in_it() {
    for (status, body, field) in [
        (202, TOKEN, "token"),
        (200, r#"{"token":4711}"#, "token"),
        (201, "plain-and-simple", "body"),
        (200, r#"{"list":[{"jwt":"t"}]}"#, "list.0.jwt"),
    ] {
        let login = format!("login = {{ path = \"/login\", token = \"{field}\" }}");
        let trip = Trip::with(&MAPPING.replace("login = { path = \"/login\" }", &login));
        let peer = logins(status, "", body);
        let done = trip.run(&format!("ws://{}", peer.address), &[]);
        trip.assert_driven(&done);
        // One before the run, and one for each client.
        assert_eq!(peer.count("/login"), 4, "{status} {body}");
    }
}

#[test]
fn a_connection_token_is_tried_before_the_run_as_the_first_client_asks_for_it() {
    let mapping = MAPPING
        .replace(
            "token = \"none\"",
            "token = { path = \"/token\", field = \"ticket\" }",
        )
        .replace("\"query-token\"", "\"connection-token\"");
    let trip = Trip::with(&mapping);
    let peer = Peer::start(|asked| match asked.path() {
        "/token" => Answer::json(200, r#"{"token":"c"}"#),
        _ => kind_answers(asked),
    });
    let done = trip.run(&format!("ws://{}", peer.address), &[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("gives u-000001 no connection token: 200"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("no field `ticket`"), "{}", done.stderr);
    let asked = peer.asked();
    let token = asked.iter().find(|asked| asked.path() == "/token").unwrap();
    assert_eq!(token.all("authorization"), ["Bearer t"]);
    let login = asked.iter().find(|asked| asked.path() == "/login").unwrap();
    assert_eq!(login.body, r#"{"email":"u-000001","password":"pw"}"#);
}

#[test]
fn a_kept_connection_that_closes_as_it_is_used_again_is_no_failure_before_the_run() {
    let mapping = MAPPING
        .replace("token = \"none\"", "token = { path = \"/token\" }")
        .replace("\"query-token\"", "\"connection-token\"");
    // Each connection is served once, and then closed without a word.
    let peer = Peer::serving_once(|asked| match asked.path() {
        "/token" => Answer::json(403, "so far"),
        _ => kind_answers(asked),
    });
    let url = format!("ws://{}", peer.address);
    let trip = Trip::with(&mapping);
    let done = trip.run(&url, &[]);
    assert!(done.stderr.contains("403: so far"), "{}", done.stderr);
    let (_, report) = trip.doctor(&url, &[]);
    let steps = report["steps"].as_array().unwrap();
    let token = steps.iter().find(|step| step["step"] == "token").unwrap();
    assert_eq!(token["fact"], "/token answers 403: so far", "{report:#}");
}

#[test]
fn a_server_that_asks_to_wait_before_the_run_is_waited_for() {
    let asked = AtomicU32::new(0);
    let peer = Peer::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::Http(503, "Retry-After: 1\r\n".to_owned(), String::new()),
        _ => Answer::json(401, "no"),
    });
    let done = Trip::with(MAPPING).run(&format!("ws://{}", peer.address), &[]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("the login answers 503 and asks to wait 1 s; waiting"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("log in: 401: no"), "{}", done.stderr);
    assert_eq!(peer.count("/login"), 2);
}

#[test]
fn the_doctor_tells_a_wrong_password_with_the_servers_words() {
    let peer = logins(401, "", r#"{"error":"invalid_credentials"}"#);
    let (_, report) = Trip::with(MAPPING).doctor(&format!("ws://{}", peer.address), &[]);
    let steps = report["steps"].as_array().unwrap();
    let login = steps.iter().find(|step| step["step"] == "login").unwrap();
    assert_eq!(
        login["fact"], "u-000001 is not let in: 401: {\"error\":\"invalid_credentials\"}",
        "{report:#}"
    );
}

#[test]
fn the_doctor_is_the_first_account_of_a_file() {
    let trip = Trip::with("");
    let users = trip.file("users.csv", "account;password\nann;her-own\n");
    let mapping = MAPPING.replace("prefix = \"u-\"", &format!("file = \"{users}\""));
    trip.file("mine.toml", mapping);
    let peer = Peer::start(kind_answers);
    let url = format!("ws://{}", peer.address);
    let mut doctor = command(&["doctor", &url, "--json", "--scenario"]);
    doctor.arg(trip.scenario());
    examined(doctor);
    let asked = peer.asked();
    let mut logins = asked.iter().filter(|asked| asked.body.contains("ann"));
    let login = logins.next().unwrap_or_else(|| panic!("{asked:?}"));
    assert_eq!(login.body, r#"{"email":"ann","password":"her-own"}"#);
}

/// Every failure that the doctor names.
fn named(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps
        .filter_map(|step| step["failure"]["name"].as_str())
        .collect()
}

#[test]
fn the_doctor_names_nothing_of_a_server_that_merely_speaks_otherwise() {
    // Its events are numbers.
    let events = MAPPING
        .replace(
            "events = { field = \"none\", connected = \"none\" }",
            "events = { field = \"op\", connected = \"10\", answer = \"0\" }",
        )
        .replace("\"query-token\"", "\"none\"");
    let peer = Peer::start(|asked| match asked.path() {
        "/ws" => Answer::Socket(|_| Some(Message::text(r#"{"op":0}"#))),
        _ => kind_answers(asked),
    });
    let (code, report) = Trip::with(&events).doctor(&format!("ws://{}", peer.address), &[]);
    assert_eq!((code, named(&report)), (10, vec![]), "{report:#}");
    assert_eq!(failed(&report)["step"], "connected", "{report:#}");
    // Its greeting is another one.
    let greeting = events
        .replace("connected = \"10\"", "connected = \"none\"")
        .replace("answer = \"0\"", "answer = \"1\"");
    let (code, report) = Trip::with(&greeting).doctor(&format!("ws://{}", peer.address), &[]);
    assert_eq!((code, named(&report)), (10, vec![]), "{report:#}");
    let fact = failed(&report)["fact"].as_str().unwrap();
    assert!(
        fact.contains(r#"none is an answer; the first: {"op":0}"#),
        "{report:#}"
    );
    assert!(
        failed(&report)["cure"]
            .as_str()
            .unwrap()
            .contains("events.field")
    );
}

#[test]
fn the_doctor_names_nothing_where_a_server_hangs_up_on_everybody() {
    let peer = Peer::start(|asked| match asked.path().split('?').next() {
        Some("/ws") => Answer::HangUp,
        _ => kind_answers(asked),
    });
    let (code, report) = Trip::with(MAPPING).doctor(&format!("ws://{}", peer.address), &[]);
    assert_eq!((code, named(&report)), (10, vec![]), "{report:#}");
    // Who lets in those who have a right to it, and hangs up on others, is silent.
    let peer = Peer::start(|asked| match asked.path() {
        "/ws?token=t" => Answer::echo(),
        path if path.starts_with("/ws") => Answer::HangUp,
        _ => kind_answers(asked),
    });
    let (code, report) = Trip::with(MAPPING).doctor(&format!("ws://{}", peer.address), &[]);
    assert_eq!(
        (code, named(&report)),
        (10, vec!["silent-1006"]),
        "{report:#}"
    );
}

#[test]
fn the_doctor_does_not_call_a_chat_server_of_another_make_one_without_sockets() {
    let url = |peer: &Peer| format!("ws://{}", peer.address);
    let peer = Peer::start(|asked| match asked.path().split('?').next() {
        Some("/ws") => Answer::echo(),
        _ => Answer::json(404, ""),
    });
    let (code, report) = examined(command(&["doctor", &url(&peer), "--json"]));
    assert_eq!((code, named(&report)), (10, vec![]), "{report:#}");
    let fact = failed(&report)["fact"].as_str().unwrap();
    assert!(fact.contains("sockets are served at /ws"), "{report:#}");
    let none = Peer::start(|_| Answer::json(404, ""));
    let (_, report) = examined(command(&["doctor", &url(&none), "--json"]));
    assert_eq!(named(&report), ["wrong-server"], "{report:#}");
    // What is wished for gets lost on the way, or is refused.
    for (status, expected) in [
        (426, vec!["proxy-no-upgrade"]),
        (404, vec![]),
        (400, vec![]),
    ] {
        let peer = Peer::start(move |asked| match asked.path().split('?').next() {
            Some("/ws") => Answer::json(status, "no"),
            _ => kind_answers(asked),
        });
        let (_, report) = Trip::with(MAPPING).doctor(&url(&peer), &[]);
        assert_eq!(named(&report), expected, "{status}: {report:#}");
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn accounts_and_texts_of_a_spreadsheet_are_those_that_were_meant() {
    let mapping = MAPPING
        .replace("prefix = \"u-\"", "file = \"@users\"")
        .replace("[load]\n", "[load]\npayloads = \"@texts\"\n")
        .replace("path = \"/ws\"", "path = \"/ws/{account}\"")
        .replace("\"{text}\"", "'{\"say\":\"{text}\",\"by\":\"{account}\"}'");
    let trip = Trip::with("");
    let users =
        "\u{feff}Account;Password\r\n\"ann@example.org\";\" p 1 \"\r\nbob smith;\r\njürgen;p3\r\n";
    let users = trip.file("users.csv", users);
    let texts = "\u{feff}quote \" and \\ slash\r\nTab\there\r\nid is {id} of {client} {account} {text}\r\n  lead and trail  \r\n";
    let texts = trip.file("texts.txt", texts);
    trip.file(
        "mine.toml",
        mapping.replace("@users", &users).replace("@texts", &texts),
    );
    let peer = Peer::start(kind_answers);
    let mut run = trip.run_command(&format!("ws://{}", peer.address), &[]);
    run.args(["--set", "load.message.every=\"100ms\""]);
    let done = finish(run.spawn().unwrap());
    trip.assert_driven(&done);
    let asked = peer.asked();
    let mut logins: Vec<&str> = asked
        .iter()
        .filter(|asked| asked.path() == "/login")
        .map(|asked| asked.body.as_str())
        .collect();
    logins.sort_unstable();
    logins.dedup();
    assert_eq!(
        logins,
        [
            r#"{"email":"ann@example.org","password":" p 1 "}"#,
            r#"{"email":"bob smith","password":"pw"}"#,
            r#"{"email":"jürgen","password":"p3"}"#,
        ]
    );
    let said = peer.said();
    let said: Vec<Value> = said
        .iter()
        .map(|text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect();
    for text in [
        "quote \" and \\ slash",
        "Tab\there",
        "id is {id} of {client} {account} {text}",
        "  lead and trail  ",
    ] {
        let spoken = said.iter().any(|frame| frame["say"] == text);
        assert!(spoken, "{text:?}: {said:?}");
    }
    for path in [
        "/ws/ann%40example.org",
        "/ws/bob%20smith",
        "/ws/j%C3%BCrgen",
    ] {
        assert!(peer.count(path) > 0, "{path}");
    }
}

#[test]
fn a_file_without_an_end_or_without_a_beginning_starts_nothing() {
    let trip = Trip::with("");
    let pipe = trip.folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for file in ["/dev/zero", pipe.to_str().unwrap()] {
        let users = MAPPING.replace("prefix = \"u-\"", &format!("file = \"{file}\""));
        let texts = MAPPING.replace("[load]\n", &format!("[load]\npayloads = \"{file}\"\n"));
        for (mapping, more) in [
            (users.as_str(), vec![]),
            (&texts, vec![]),
            (MAPPING, vec!["--ca", file]),
        ] {
            trip.file("mine.toml", mapping);
            let done = trip.run("wss://127.0.0.1:1", &more);
            assert_eq!(done.code, 3, "{file}: {}", done.stderr);
            assert!(
                done.stderr.contains("it is no regular file"),
                "{file}: {}",
                done.stderr
            );
        }
        let done = finish(
            command(&["proxy", "--listen", "127.0.0.1:0", "--config", file])
                .spawn()
                .unwrap(),
        );
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains("it is no regular file"),
            "{}",
            done.stderr
        );
    }
}
