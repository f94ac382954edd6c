//! This module tests faults on a system that was there before: its own Redis, server and Toxiproxy.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use fault_proxy::client::Client;
use fault_proxy::{ProxyView, Stream, ToxicSpec};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{
    Done, PASSWORD, Part, command, eventually, finish, free_address, redis_command, serve_command,
};

const SCENARIO: &str = r#"# Does somebody else's chat get through the faults of its own proxies?
title = "links"

[environment]
target = "ws://EDGE"
toxiproxy = "http://API"
links = { redis = "shared-redis", edge = "shared-edge" }
users = { prefix = "user-", password = "${env:CHAT_PASSWORD}" }

[load]
clients = 20
stages = [{ ramp = "1s", to = 20 }, { hold = "10s" }]
message = { every = "1s", chunks = 2 }
reconnect = { first = "200ms", attempts = 20 }
drain = "5s"

[[fault]]
at = "2s"
for = "2s"
link = "redis"
kind = "down"

[[fault]]
at = "6s"
for = "2s"
link = "edge"
kind = "latency"
latency = "200ms"

[[expect]]
what = "lost"
equals = 0
"#;

/// Somebody else's Redis, server and Toxiproxy, with toxics of their own on it.
struct System {
    folder: tempfile::TempDir,
    _parts: Vec<Part>,
    api: SocketAddr,
    edge: SocketAddr,
}

impl System {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [redis, redis_proxy, server, edge, api] = std::array::from_fn(|_| free_address());
        let config = folder.path().join("proxies.json");
        let proxies = json!([
            {"name": "shared-redis", "listen": redis_proxy, "upstream": redis},
            {"name": "shared-edge", "listen": edge, "upstream": server},
            {"name": "not-named", "listen": free_address(), "upstream": server},
        ]);
        fs::write(&config, proxies.to_string()).unwrap();
        let redis_command = redis_command(redis, folder.path());
        let mut proxy = command(&["proxy", "--listen", &api.to_string(), "--config"]);
        proxy.arg(&config);
        let serve = serve_command(server, redis_proxy);
        let parts = [(redis_command, redis), (proxy, api), (serve, server)];
        let parts = parts.map(|(command, address)| Part::start(command, address));
        let system = Self {
            folder,
            _parts: parts.into(),
            api,
            edge,
        };
        // What its owner put there stays there.
        let theirs = ToxicSpec::latency("theirs", Stream::Upstream, 1, 0);
        system.ask(async |client| client.add_toxic("shared-redis", &theirs).await.map(drop));
        system
    }

    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Client) -> Result<T, fault_proxy::client::ClientError>,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = Client::new(&format!("http://{}", self.api)).unwrap();
        runtime.block_on(question(&client)).unwrap()
    }

    fn proxies(&self) -> BTreeMap<String, ProxyView> {
        self.ask(async |client| client.proxies().await)
            .into_iter()
            .collect()
    }

    /// A run against it, of [`SCENARIO`] with some words replaced.
    fn run(&self, changes: &[(&str, &str)]) -> Command {
        let mut text = SCENARIO
            .replace("EDGE", &self.edge.to_string())
            .replace("API", &self.api.to_string());
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let scenario = self.folder.path().join("links.toml");
        fs::write(&scenario, text).unwrap();
        let mut run = command(&["run"]);
        run.arg(scenario).arg("--out").arg(self.out());
        run.env("CHAT_PASSWORD", PASSWORD);
        run
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    #[track_caller]
    fn finished(&self, changes: &[(&str, &str)]) -> Done {
        finish(self.run(changes).spawn().unwrap())
    }

    fn result(&self) -> Value {
        let text = fs::read(self.out().join("result.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn faults_reach_a_target_through_its_own_proxies_and_leave_them_as_they_were() {
    let system = System::start();
    let before = system.proxies();
    let done = system.finished(&[]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let result = system.result();
    for (place, name) in ["redis-down", "edge-latency"].iter().enumerate() {
        let fault = &result["faults"][place];
        assert_eq!(
            (&fault["name"], &fault["confirmed"]),
            (&json!(name), &json!(true))
        );
    }
    // `/readyz` is asked through the edge proxy: it can tell of Redis, and not of the edge.
    assert_eq!(result["faults"][0]["stamps"]["readiness_watched"], true);
    assert_eq!(result["faults"][1]["stamps"]["readiness_watched"], false);
    assert!(
        result["errors"]["unavailable"].as_u64() > Some(0),
        "{}",
        result["errors"]
    );
    assert_eq!(system.proxies(), before);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_killed_run_leaves_the_proxies_of_others_as_they_were() {
    let system = System::start();
    let before = system.proxies();
    // Both faults in force at the same time, and for long.
    let changes = [
        ("at = \"6s\"", "at = \"2s\""),
        ("for = \"2s\"", "for = \"8s\""),
    ];
    let child = system.run(&changes).spawn().unwrap();
    eventually("both faults are in force", || {
        let now = system.proxies();
        !now["shared-redis"].enabled && !now["shared-edge"].toxics.is_empty()
    });
    kill(
        Pid::from_raw(i32::try_from(child.id()).unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    assert_eq!(finish(child).code, -1);
    eventually("all is as it was", || system.proxies() == before);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_fault_on_a_proxy_that_clients_do_not_pass_is_not_confirmed() {
    let system = System::start();
    let done = system.finished(&[("edge = \"shared-edge\"", "edge = \"not-named\"")]);
    assert_eq!(done.code, 13, "{}{}", done.stdout, done.stderr);
    let fault = &system.result()["faults"][1];
    assert_eq!(
        (&fault["name"], &fault["confirmed"]),
        (&json!("edge-latency"), &json!(false))
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_proxy_that_is_not_there_is_named_with_those_that_are() {
    let system = System::start();
    let done = system.finished(&[("shared-redis", "shared-rediss")]);
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
    let problem = &done.stderr;
    assert!(problem.contains("environment.links.redis"), "{problem}");
    assert!(
        problem.contains("it has not-named, shared-edge, shared-redis"),
        "{problem}"
    );
    assert!(problem.contains("hint:"), "{problem}");
}
