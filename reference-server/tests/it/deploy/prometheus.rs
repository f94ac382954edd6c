//! The dashboard asks for metrics that exist, and Prometheus scrapes them, with the very file of `deploy/`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{program, read, root, spawn};
use crate::support::{PATIENCE, Redis, Server, free_port};

const PROMETHEUS: &str = "deploy/prometheus/prometheus.yml";
const DASHBOARD: &str = "deploy/grafana/dashboards/chat.json";

/// The queries of the dashboard, and of rules and alerts.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let noted = dashboard["annotations"]["list"].as_array().unwrap();
    let rules: Value = super::yaml("deploy/prometheus/rules/chat.yml");
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    targets
        .chain(noted)
        .chain(rules)
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

/// Names of metrics in a query: words that are no function, no label and no keyword.
fn metrics_of(query: &str) -> BTreeSet<String> {
    let mut outside = String::new();
    let mut inside = false;
    for letter in query.chars() {
        match letter {
            '{' | '[' => inside = true,
            '}' | ']' => inside = false,
            letter if !inside => outside.push(letter),
            _ => {}
        }
    }
    // Labels stand in the parentheses after these.
    for word in ["by (", "without ("] {
        while let Some(at) = outside.find(word) {
            let end = at + outside[at..].find(')').unwrap();
            outside.replace_range(at..=end, "");
        }
    }
    let mut found = BTreeSet::new();
    let mut rest = outside.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if !after.trim_start().starts_with('(') && word.contains('_') {
            found.insert(word.to_owned());
        }
        rest = after;
    }
    found
}

#[test]
fn metrics_are_found_in_a_query() {
    let query = r#"histogram_quantile(0.99, sum by (le, a_b) (rate(x_seconds_bucket{c_d="e_f"}[5m]))) > max(y_total)"#;
    let found: Vec<String> = metrics_of(query).into_iter().collect();
    assert_eq!(found, ["x_seconds_bucket", "y_total"]);
}

#[tokio::test]
async fn every_metric_of_the_dashboard_exists() {
    let redis = Redis::start().await;
    let (server, worker) = (spawn("chat-a", &redis), spawn("worker", &redis));
    server.until_ready().await;
    worker.until_ready().await;
    let mut told = BTreeSet::new();
    for process in [&server, &worker] {
        let text = reqwest::get(process.http("/metrics")).await.unwrap();
        let text = text.text().await.unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        told.extend(lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()));
    }
    let mut checked = 0;
    for query in queries() {
        for metric in metrics_of(&query) {
            // The harness' own are checked where they are made.
            if !metric.starts_with("harness_") {
                assert!(told.contains(&metric), "{metric} of `{query}`");
                checked += 1;
            }
        }
    }
    assert!(checked >= 25, "{checked}");
    // And what it must not leave out.
    let all: String = queries().concat();
    for needed in [
        "chat_connections_open",
        "chat_tasks_lost_total",
        "chat_redis_up",
    ] {
        assert!(all.contains(needed), "{needed}");
    }
}

#[tokio::test]
#[ignore = "slow: drives a load"]
async fn prometheus_scrapes_both_servers_and_the_worker_and_knows_every_query() {
    let Some(prometheus) = program("prometheus", "PROMETHEUS") else {
        return;
    };
    let redis = Redis::start().await;
    let (one, two) = (spawn("chat-a", &redis), spawn("chat-b", &redis));
    let worker = spawn("worker", &redis);
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("prometheus.yml");
    std::fs::copy(root().join(PROMETHEUS), &config).unwrap();
    let targets = dir.path().join("targets");
    std::fs::create_dir(&targets).unwrap();
    let write = |name: &str, addresses: &[SocketAddr]| {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let text = format!("- targets: {}\n", serde_json::json!(addresses));
        std::fs::write(targets.join(name), text).unwrap();
    };
    write("chat.yml", &[one.address(), two.address()]);
    write("worker.yml", &[worker.address()]);
    write("harness.yml", &[]);
    let log = dir.path().join("log");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let child = Command::new(prometheus)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            dir.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let prometheus = Server::adopt(child, address, log, dir);
    let started = Instant::now();
    loop {
        let up = ask(&prometheus, "sum by (job) (up)").await;
        let results = up["data"]["result"].as_array().map(Vec::len);
        let of = |job: &str| {
            let results = up["data"]["result"].as_array().into_iter().flatten();
            let mut of = results.filter(|result| result["metric"]["job"] == job);
            of.next().map(|result| result["value"][1].clone())
        };
        if of("chat") == Some("2".into()) && of("worker") == Some("1".into()) {
            break;
        }
        let log = prometheus.log();
        assert!(started.elapsed() < PATIENCE, "{results:?} {up}\n{log}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for query in queries() {
        let answer = ask(&prometheus, &query.replace("$__rate_interval", "30s")).await;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
    }
    let open = ask(&prometheus, "count(chat_connections_open)").await;
    assert_eq!(open["data"]["result"][0]["value"][1], "2", "{open}");
}

async fn ask(prometheus: &Server, query: &str) -> Value {
    let request = reqwest::Client::new().post(prometheus.http("/api/v1/query"));
    let mut body = "query=".to_owned();
    for byte in query.bytes() {
        write!(body, "%{byte:02X}").unwrap();
    }
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    match request.send().await {
        Ok(answer) => answer.json().await.unwrap_or(Value::Null),
        // Not there yet.
        Err(_) => Value::Null,
    }
}
