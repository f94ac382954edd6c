//! This module tests runs against a target that speaks TLS, and one that does not.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use crate::support::{
    Done, PASSWORD, Part, command, finish, free_address, redis_command, serve_command,
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
