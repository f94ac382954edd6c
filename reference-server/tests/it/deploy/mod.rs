//! The files of `deploy/` and `docker-compose.yml`: parsed, held against the flags and metrics that exist, and run as they are by
//! the nginx and the Prometheus of this machine. There is no Docker engine in it.

mod compose;
mod nginx;
mod prometheus;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{PASSWORD, Redis, Server};

/// Names of what the compose file needs in `.env`; `deploy/env.sh` writes their values.
const ENV: &str = "deploy/example.env";

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    let whole = root().join(path);
    std::fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn services() -> BTreeMap<String, Value> {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().unwrap();
    services.clone().into_iter().collect()
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

/// The variables of a service, as written.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let pairs = service["environment"].as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn example_env() -> BTreeMap<String, String> {
    let text = read(ENV);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// As Compose does it.
fn fill_in(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let name = name.split(':').next().unwrap();
        filled.push_str(&variables[name]);
        filled.push_str(rest);
    }
    filled
}

/// A service of the compose file as a process of this machine: its own command and settings, other addresses.
fn spawn(service: &str, redis: &Redis) -> Server {
    let services = services();
    let service = &services[service];
    let (password, address) = redis.url()["redis://:".len()..]
        .split_once('@')
        .map(|(password, address)| (password.to_owned(), address.to_owned()))
        .unwrap();
    let mut given = example_env();
    given.insert("REDIS_PASSWORD".to_owned(), password);
    given.insert("CHAT_PASSWORD".to_owned(), PASSWORD.to_owned());
    let secret = "long-enough-for-a-test-of-it".to_owned();
    given.insert("CHAT_JWT_SECRET".to_owned(), secret);
    let settings = environment(service).into_iter().map(|(name, value)| {
        let mut value = fill_in(&value, &given);
        if name == "REFERENCE_SERVER_LISTEN" {
            "127.0.0.1:0".clone_into(&mut value);
        }
        if let Some((before, after)) = value.clone().split_once("@toxiproxy:") {
            let database = after.split_once('/').unwrap().1;
            value = format!("{before}@{address}/{database}");
        }
        (name, value)
    });
    Server::spawn_with(&texts(&service["command"]), settings.collect::<Vec<_>>())
}

/// A program of this machine; `None`, said loudly, where it is not installed. Where its variable is set it must be there.
fn program(name: &str, variable: &str) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(variable) {
        let given = PathBuf::from(given);
        assert!(given.is_file(), "{variable}={}", given.display());
        return Some(given);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places
        .map(|place| place.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        println!("!!! SKIPPED: {name} is not installed; install it or set {variable}");
    }
    found
}

/// What the containers are asked for their health with.
fn ready(process: &Server) -> bool {
    let mut command = Command::new(root().join("deploy/ready.sh"));
    let status = command.arg(process.address().port().to_string()).status();
    status.unwrap().success()
}
