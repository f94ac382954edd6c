//! This module tests runs against a target that speaks TLS, and one that does not.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use crate::support::{
    Done, PASSWORD, Part, command, finish, free_address, nginx, redis_command, serve_command,
};

/// Somebody else's Redis, and a server with a certificate for its address that nobody else signed.
struct System {
    folder: tempfile::TempDir,
    _parts: [Part; 2],
    server: SocketAddr,
}

impl System {
    fn start(encrypted: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [redis, server] = std::array::from_fn(|_| free_address());
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([server.ip().to_string()]).unwrap();
        fs::write(folder.path().join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        let mut serve = serve_command(server, redis);
        if encrypted {
            serve.arg("--tls-cert").arg(folder.path().join("cert.pem"));
            serve.arg("--tls-key").arg(folder.path().join("key.pem"));
        }
        let parts = [
            Part::start(redis_command(redis, folder.path()), redis),
            Part::start(serve, server),
        ];
        Self {
            folder,
            _parts: parts,
            server,
        }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn run(&self, scheme: &str, more: &[&str]) -> Done {
        let mut run = command(&["run", "scenarios/smoke.toml", "--clients", "20"]);
        run.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"])
            .env("CHAT_PASSWORD", PASSWORD)
            .arg("--target")
            .arg(format!("{scheme}://{}", self.server))
            .arg("--out")
            .arg(self.folder.path().join("out"))
            .args(more);
        finish(run.spawn().unwrap())
    }

    fn result(&self) -> Value {
        let text = fs::read(self.folder.path().join("out/result.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[track_caller]
    fn assert_passed(&self, done: &Done) {
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        let result = self.result();
        let opened = result["clients"]["opened"].as_u64().unwrap();
        assert!(opened >= 20, "{opened}");
        let handshakes = &result["latency"]["tls"]["response"]["count"];
        assert_eq!(handshakes.as_u64(), Some(opened), "{}", result["latency"]);
    }
}

#[test]
#[ignore = "slow: starts servers"]
fn a_host_is_found_where_it_was_said_to_be() {
    let system = System::start(false);
    let port = system.server.port();
    let target = format!("ws://chat.example.test:{port}");
    let pin = format!("chat.example.test:{port}:{}", system.server.ip());
    let ask = |words: &[&str]| {
        let mut asked = command(words);
        asked.env("CHAT_PASSWORD", PASSWORD);
        finish(asked.spawn().unwrap())
    };
    let out = system.folder.path().join("out").display().to_string();
    let run = [
        "run",
        "scenarios/smoke.toml",
        "--clients",
        "20",
        "--set",
        "environment.users.password=${env:CHAT_PASSWORD}",
        "--target",
        &target,
        "--out",
        &out,
    ];
    let lost = ask(&run);
    assert_eq!(lost.code, 2, "{}", lost.stderr);
    assert!(
        lost.stderr.contains("is not this machine"),
        "{}",
        lost.stderr
    );
    let found = ask(&[&run[..], &["--resolve", &pin]].concat());
    assert_eq!(found.code, 0, "{}", found.stderr);
    let doctor = [
        "doctor",
        &target,
        "--password",
        "${env:CHAT_PASSWORD}",
        "--resolve",
        &pin,
    ];
    let doctor = ask(&doctor);
    assert_eq!(doctor.code, 0, "{}{}", doctor.stdout, doctor.stderr);
    let wrong = ask(&["doctor", &target, "--resolve", "chat.example.test"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("it holds no port"),
        "{}",
        wrong.stderr
    );
}

/// An nginx before the server that wants a certificate of its clients; it has the server's own.
fn asking_front(system: &System, front: SocketAddr) -> Part {
    let folder = system.folder.path();
    let at = |name: &str| folder.join(name).display().to_string();
    let conf = format!(
        "daemon off; master_process off; error_log {log}; pid {pid}; events {{}} http {{ access_log off; \
         client_body_temp_path {temp}; proxy_temp_path {temp}; fastcgi_temp_path {temp}; uwsgi_temp_path {temp}; scgi_temp_path {temp}; \
         server {{ listen {front} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; \
         ssl_client_certificate {client}; ssl_verify_client on; \
         location / {{ proxy_pass http://{server}; proxy_http_version 1.1; proxy_set_header Host {front}; \
         proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }} }}",
        log = at("nginx.log"),
        pid = at("nginx.pid"),
        temp = at("temp"),
        cert = at("cert.pem"),
        key = at("key.pem"),
        client = at("client.pem"),
        server = system.server,
    );
    fs::write(folder.join("nginx.conf"), conf).unwrap();
    let mut nginx = std::process::Command::new(nginx());
    nginx.arg("-c").arg(folder.join("nginx.conf"));
    Part::start(nginx, front)
}

#[test]
#[ignore = "slow: starts servers"]
fn a_certificate_of_the_client_opens_a_front_that_wants_one() {
    let system = System::start(false);
    let folder = system.folder.path();
    // Its certificate is the server's, for that address.
    let front = SocketAddr::new(system.server.ip(), free_address().port());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["client".to_owned()]).unwrap();
    fs::write(folder.join("client.pem"), cert.pem()).unwrap();
    fs::write(folder.join("client.key"), signing_key.serialize_pem()).unwrap();
    let _front = asking_front(&system, front);
    let at = |name: &str| folder.join(name).display().to_string();
    let run = |more: &[&str]| {
        let mut run = command(&["run", "scenarios/smoke.toml", "--clients", "20"]);
        run.args(["--set", "environment.users.password=${env:CHAT_PASSWORD}"])
            .env("CHAT_PASSWORD", PASSWORD)
            .args([
                "--target",
                &format!("wss://{front}"),
                "--ca",
                &at("cert.pem"),
                "--out",
                &at("out"),
                "--overwrite",
            ])
            .args(more);
        finish(run.spawn().unwrap())
    };
    let refused = run(&[]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("No required SSL certificate"),
        "{}",
        refused.stderr
    );
    let done = run(&[
        "--client-cert",
        &at("client.pem"),
        "--client-key",
        &at("client.key"),
    ]);
    system.assert_passed(&done);
    let alone = run(&["--client-cert", &at("client.pem")]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
    let wrong = run(&[
        "--client-cert",
        &at("client.pem"),
        "--client-key",
        &at("client.pem"),
    ]);
    assert_eq!(wrong.code, 3, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("tls.key"), "{}", wrong.stderr);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_target_whose_authority_is_named_is_measured_over_tls() {
    let system = System::start(true);
    let ca = system.ca();
    let done = system.run("wss", &["--ca", ca.to_str().unwrap()]);
    system.assert_passed(&done);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
}

#[test]
#[ignore = "slow: drives a load"]
fn who_checks_no_certificate_is_told_so_by_the_run() {
    let system = System::start(true);
    let done = system.run("wss", &["--insecure"]);
    system.assert_passed(&done);
    assert!(
        done.stderr.contains("warning: no certificate is checked"),
        "{}",
        done.stderr
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_certificate_of_an_unknown_authority_starts_nothing() {
    let system = System::start(true);
    let done = system.run("wss", &[]);
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stderr.contains("its authority is not trusted here"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("--ca"), "{}", done.stderr);
}

#[test]
#[ignore = "slow: drives a load"]
fn the_wrong_scheme_is_named_with_the_right_one() {
    for (encrypted, wrong, right) in [(true, "ws", "wss://"), (false, "wss", "ws://")] {
        let system = System::start(encrypted);
        let done = system.run(wrong, &[]);
        assert_eq!(done.code, 3, "{wrong}: {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains(right), "{wrong}: {}", done.stderr);
    }
}
