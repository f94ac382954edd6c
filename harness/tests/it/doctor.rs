//! This module has the doctor examine servers that are well, and such as are not.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use crate::support::{
    PASSWORD, Part, command, finish, free_address, nginx, redis_command, serve_command,
};
use crate::targets::{mappings, shouter};

/// Redis and a server, or whatever stands in its place.
struct System {
    folder: tempfile::TempDir,
    parts: Vec<Part>,
    address: SocketAddr,
}

impl System {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            parts: Vec::new(),
            address: free_address(),
        }
    }

    /// A server with more arguments.
    fn server(more: &[&str]) -> Self {
        let mut system = Self::new();
        let redis = free_address();
        system.start(redis_command(redis, system.folder.path()), redis);
        let mut serve = serve_command(system.address, redis);
        serve.args(more);
        system.start(serve, system.address);
        system
    }

    fn start(&mut self, command: Command, address: SocketAddr) {
        self.parts.push(Part::start(command, address));
    }

    fn certificate(&self) -> [PathBuf; 2] {
        let made = generate_simple_self_signed([self.address.ip().to_string()]).unwrap();
        let CertifiedKey { cert, signing_key } = made;
        let files = ["cert.pem", "key.pem"].map(|name| self.folder.path().join(name));
        fs::write(&files[0], cert.pem()).unwrap();
        fs::write(&files[1], signing_key.serialize_pem()).unwrap();
        files
    }

    /// What the doctor says, as JSON, with its exit code.
    fn examined(&self, scheme: &str, more: &[&str]) -> (i32, Value) {
        let mut doctor = command(&["doctor", &format!("{scheme}://{}", self.address), "--json"]);
        doctor
            .args(["--password", "${env:CHAT_PASSWORD}"])
            .env("CHAT_PASSWORD", PASSWORD)
            .args(more);
        let done = finish(doctor.spawn().unwrap());
        assert_eq!(done.stderr, "");
        let report = serde_json::from_str(&done.stdout);
        (
            done.code,
            report.unwrap_or_else(|error| panic!("{error}: {}", done.stdout)),
        )
    }

    /// The doctor finds all well.
    #[track_caller]
    fn assert_healthy(&self, scheme: &str, more: &[&str]) {
        let (code, report) = self.examined(scheme, more);
        assert_eq!((code, &report["healthy"]), (0, &json!(true)), "{report:#}");
    }

    /// The doctor's first complaint is at `step`, of the known failure `row`.
    #[track_caller]
    fn assert_ill(&self, scheme: &str, more: &[&str], (step, row): (&str, u8)) {
        let (code, report) = self.examined(scheme, more);
        assert_eq!(
            (code, &report["healthy"]),
            (10, &json!(false)),
            "{report:#}"
        );
        let steps = report["steps"].as_array().unwrap();
        let first = steps
            .iter()
            .find(|step| step["outcome"] == "failed")
            .unwrap();
        assert_eq!(first["step"], step, "{report:#}");
        assert_eq!(first["failure"]["row"], row, "{report:#}");
        assert!(first["cure"].is_string(), "{report:#}");
    }
}

#[test]
#[ignore = "slow: starts a server"]
fn a_mapped_server_is_asked_for_its_health_where_the_scenario_says() {
    let system = System::server(&[]);
    let at = |path: &str| {
        let file = system.folder.path().join("mine.toml");
        let text = format!(
            "[load]\nclients = 1\nhold = \"1s\"\n[target]\nprotocol = \"contract\"\nhealth = \"{path}\"\n"
        );
        fs::write(&file, text).unwrap();
        system.examined("ws", &["--scenario", file.to_str().unwrap()])
    };
    let (code, report) = at("/readyz");
    assert_eq!(code, 0, "{report:#}");
    assert!(
        report.to_string().contains("/readyz answers 200"),
        "{report:#}"
    );
    let (code, report) = at("/nowhere");
    assert_eq!(code, 10, "{report:#}");
    assert!(
        report.to_string().contains("/nowhere answers 404"),
        "{report:#}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_server_that_is_well_is_said_to_be_and_every_step_was_tried() {
    let system = System::server(&["--ping-interval", "500ms"]);
    let (code, report) = system.examined("ws", &["--idle", "2s"]);
    assert_eq!(code, 0, "{report:#}");
    let steps = report["steps"].as_array().unwrap();
    let skipped: Vec<_> = steps
        .iter()
        .filter(|step| step["outcome"] != "ok")
        .map(|step| &step["step"])
        .collect();
    assert_eq!(skipped, ["tls"], "{report:#}");
    let idle = steps.last().unwrap()["fact"].as_str().unwrap();
    assert!(idle.contains("pings of the server"), "{idle}");
}

#[test]
#[ignore = "slow: drives a load"]
fn the_wrong_scheme_and_the_wrong_port_are_row_32() {
    System::server(&[]).assert_ill("wss", &[], ("tls", 32));
    let mut secure = System::new();
    let [cert, key] = secure.certificate();
    let redis = free_address();
    secure.start(redis_command(redis, secure.folder.path()), redis);
    let mut serve = serve_command(secure.address, redis);
    serve
        .arg("--tls-cert")
        .arg(&cert)
        .arg("--tls-key")
        .arg(&key);
    secure.start(serve, secure.address);
    secure.assert_ill("ws", &[], ("http", 32));
    secure.assert_healthy("wss", &["--ca", cert.to_str().unwrap()]);
    let nobody = System::new();
    nobody.assert_ill("ws", &[], ("tcp", 32));
    let mut not_http = System::new();
    not_http.start(
        redis_command(not_http.address, not_http.folder.path()),
        not_http.address,
    );
    not_http.assert_ill("ws", &[], ("http", 32));
}

#[test]
#[ignore = "slow: drives a load"]
fn an_http_server_without_websockets_is_row_31() {
    let mut other = System::new();
    let proxy = command(&["proxy", "--listen", &other.address.to_string()]);
    other.start(proxy, other.address);
    other.assert_ill("ws", &[], ("upgrade", 31));
}

#[test]
#[ignore = "slow: starts servers"]
fn an_nginx_that_does_not_pass_upgrade_on_is_row_30() {
    let nginx = nginx();
    for (upgrade, well) in [
        (
            "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;",
            true,
        ),
        ("", false),
    ] {
        let mut system = System::server(&[]);
        let behind = std::mem::replace(&mut system.address, free_address());
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
             events {{}}
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
               server {{ listen {}; location / {{ proxy_pass http://{behind}; proxy_http_version 1.1; proxy_set_header Host $http_host; {upgrade} }} }} }}",
            system.address,
        );
        fs::write(system.folder.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new(&nginx);
        command
            .arg("-p")
            .arg(system.folder.path())
            .args(["-c", "nginx.conf"]);
        system.start(command, system.address);
        if well {
            system.assert_healthy("ws", &[]);
        } else {
            system.assert_ill("ws", &[], ("upgrade", 30));
        }
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_channel_layer_without_its_password_is_row_11() {
    let mut system = System::new();
    let redis = free_address();
    let mut guarded = redis_command(redis, system.folder.path());
    guarded.args(["--requirepass", "r-secret"]);
    system.start(guarded, redis);
    let mut serve = serve_command(system.address, redis);
    let (with, without) = (
        format!("redis://:r-secret@{redis}"),
        format!("redis://{redis}"),
    );
    serve
        .env("REFERENCE_SERVER_REDIS_URL", with)
        .env("REFERENCE_SERVER_REDIS_CHANNEL_URL", without);
    system.start(serve, system.address);
    let (code, report) = system.examined("ws", &[]);
    assert_eq!(code, 10, "{report:#}");
    let steps = report["steps"].as_array().unwrap();
    let named = |step: &&Value| step["failure"]["name"] == "redis-noauth";
    let step = steps
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(step["step"], "connected", "{report:#}");
    assert!(
        step["cure"].as_str().unwrap().contains("password"),
        "{step}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn defects_that_one_client_can_see_are_named() {
    for (defect, step, row) in [
        ("silent-1006", "refusal", 6),
        ("ping-as-chat", "heartbeat", 10),
    ] {
        System::server(&["--defect", defect]).assert_ill("ws", &[], (step, row));
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn who_hangs_while_redis_is_away_is_named_and_who_does_not_is_not() {
    let named = |more: &[&str]| -> Vec<u64> {
        let mut system = System::server(more);
        // Redis; the server goes on.
        drop(system.parts.remove(0));
        let (code, report) = system.examined("ws", &[]);
        assert_eq!(code, 10, "{report:#}");
        let steps = report["steps"].as_array().unwrap().iter();
        steps
            .filter_map(|step| step["failure"]["row"].as_u64())
            .collect()
    };
    assert_eq!(named(&[]), [0_u64; 0]);
    assert_eq!(named(&["--defect", "connect-hang"]), [7]);
    assert_eq!(named(&["--defect", "token-endpoint-hang"]), [8]);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_server_that_sends_no_pings_dies_at_a_middlebox_and_one_that_does_lives() {
    for (more, well) in [
        (&["--ping-interval", "500ms"][..], true),
        (
            &["--ping-interval", "500ms", "--defect", "no-server-ping"][..],
            false,
        ),
    ] {
        let mut system = System::server(more);
        let behind = std::mem::replace(&mut system.address, free_address());
        let proxies = json!([{"name": "middlebox", "listen": system.address, "upstream": behind}]);
        let config = system.folder.path().join("proxies.json");
        fs::write(&config, proxies.to_string()).unwrap();
        let api = free_address();
        let mut proxy = command(&["proxy", "--listen", &api.to_string(), "--config"]);
        proxy.arg(&config);
        system.start(proxy, system.address);
        let toxic = fault_proxy::ToxicSpec::idle_timeout("quiet", 1_500);
        add_toxic(api, &toxic);
        if well {
            system.assert_healthy("ws", &["--idle", "4s"]);
        } else {
            system.assert_ill("ws", &["--idle", "4s"], ("idle", 9));
        }
    }
}

fn add_toxic(api: SocketAddr, toxic: &fault_proxy::ToxicSpec) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = fault_proxy::client::Client::new(&format!("http://{api}")).unwrap();
    runtime
        .block_on(client.add_toxic("middlebox", toxic))
        .unwrap();
}

#[test]
#[ignore = "slow: drives a load"]
fn a_server_is_examined_as_the_mapping_of_a_scenario_says() {
    let mut system = System::server(&[]);
    let path = system.folder.path().join("mapping.toml");
    let scenario = ["--scenario", path.to_str().unwrap()];
    let map = |text: &str| fs::write(&path, text).unwrap();
    for mapping in &mappings()[..3] {
        map(mapping);
        system.assert_healthy("ws", &scenario);
    }
    // What the mapping says and the server has not.
    let wrong = mappings()[2].replace("[target]", "[target]\nlogin = { path = \"/nowhere/\" }");
    map(&wrong);
    let (code, report) = system.examined("ws", &scenario);
    let steps = report["steps"].as_array().unwrap();
    let failed = steps.iter().find(|step| step["outcome"] == "failed");
    let failed = failed.unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!((code, &failed["step"]), (10, &json!("login")), "{report:#}");
    assert!(failed["cure"].as_str().unwrap().contains("[target]"));
    map(&mappings()[3]);
    system.address = shouter(usize::MAX);
    system.assert_healthy("ws", &scenario);
    system.address = shouter(1);
    let (code, report) = system.examined("ws", &scenario);
    assert_eq!(code, 10, "{report:#}");
}
