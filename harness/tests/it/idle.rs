//! Sockets with nothing to say behind a middlebox that forgets them: our own proxy's, and nginx.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::case::{Case, number};
use crate::support::{PASSWORD, Part, finish, free_address, nginx, redis_command, serve_command};

const SCENARIO: &str = "scenarios/idle-timeout.toml";
/// What the middlebox is set to, and how far from it a cut may come.
const TIMEOUT_US: u64 = 3_000_000;
const SLACK_US: u64 = 100_000;

/// Runs the scenario with more arguments; exit code and result.
#[track_caller]
fn run(more: &[&str]) -> (i32, Value) {
    let case = Case::new();
    let mut run = case.command(SCENARIO, &["--clients", "40"]);
    run.args(more).env("CHAT_PASSWORD", PASSWORD);
    let done = finish(run.spawn().unwrap());
    (done.code, case.result())
}

/// With heartbeats more often than the timeout every socket lives; with rarer ones each dies of it, is
/// counted as 1006, and comes back.
#[track_caller]
fn heartbeats_decide(more: &[&str]) {
    let (code, lived) = run(more);
    assert_eq!(code, 0, "{}", lived["verdict"]);
    assert_eq!(number(&lived, "/clients/cut"), 0);
    assert_eq!(number(&lived, "/clients/opened"), 40);
    let rare = [more, &["--set", "load.heartbeat=10s"]].concat();
    let (code, died) = run(&rare);
    assert_eq!(code, 10, "{}", died["verdict"]);
    let cut = number(&died, "/clients/cut");
    assert!(cut >= 80, "{cut} sockets were cut");
    assert_eq!(number(&died, "/closes/1006"), cut);
    assert_eq!(number(&died, "/latency/silence/response/count"), cut);
    // The latest of them waits for a busy machine too.
    for bound in ["min_us", "p50_us"] {
        let silence_us = number(&died, &format!("/latency/silence/response/{bound}"));
        let off_us = silence_us.abs_diff(TIMEOUT_US);
        assert!(off_us <= SLACK_US, "{bound} of silence: {silence_us} µs");
    }
    assert_eq!(number(&died, "/clients/failed"), 0);
    assert!(number(&died, "/clients/opened") >= 40 + cut - 40);
}

#[test]
#[ignore = "slow: drives a load"]
fn sockets_behind_the_edge_proxy_live_by_their_heartbeats() {
    heartbeats_decide(&[]);
}

#[test]
#[ignore = "slow: drives a load"]
fn sockets_behind_nginx_live_by_their_heartbeats() {
    let nginx = nginx();
    let folder = tempfile::tempdir().unwrap();
    let (redis, server, front) = (free_address(), free_address(), free_address());
    let _redis = Part::start(redis_command(redis, folder.path()), redis);
    let _server = Part::start(serve_command(server, redis), server);
    let _nginx = Part::start(
        nginx_command(nginx.as_os_str(), folder.path(), (front, server)),
        front,
    );
    let target = format!("ws://{front}");
    heartbeats_decide(&[
        "--target",
        &target,
        "--set",
        "environment.users.password=${env:CHAT_PASSWORD}",
        "--set",
        "environment.proxies=[]",
        "--set",
        "fault=[]",
    ]);
}

fn nginx_command(
    nginx: &std::ffi::OsStr,
    folder: &Path,
    (front, server): (SocketAddr, SocketAddr),
) -> Command {
    let text = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{ worker_connections 1024; }}
         http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
           server {{ listen {front}; location / {{
             proxy_pass http://{server}; proxy_http_version 1.1; proxy_set_header Host $http_host;
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 3s; }} }} }}"
    );
    fs::write(folder.join("nginx.conf"), text).unwrap();
    let mut command = Command::new(nginx);
    command.arg("-p").arg(folder).args(["-c", "nginx.conf"]);
    command
}
