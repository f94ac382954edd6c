//! `docker-compose.yml` and what it mounts: every name in them is one that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::{ENV, environment, example_env, read, ready, root, services, spawn, texts, yaml};
use crate::support::{PATIENCE, Redis};

/// Names in `${NAME}`, `${NAME:?why}` of a text; `$$` is a dollar.
fn variables(text: &str) -> BTreeSet<String> {
    let text = text.replace("$$", "");
    let name = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    text.split("${").skip(1).map(name).collect()
}

#[test]
fn the_services_are_those_of_a_chat_service_and_each_can_be_asked_for_its_health() {
    let services = services();
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    let expected = "chat-a chat-b grafana harness nginx prometheus redis toxiproxy worker";
    assert_eq!(names.join(" "), expected);
    for (name, service) in &services {
        assert_eq!(
            service["healthcheck"].is_object(),
            name != "harness",
            "{name}"
        );
        for waits_for in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(waits_for.0), "{name}: {waits_for:?}");
            assert_eq!(waits_for.1["condition"], "service_healthy", "{name}");
        }
    }
    assert_eq!(texts(&services["harness"]["profiles"]), ["harness"]);
    assert_eq!(texts(&services["chat-a"]["command"]), ["serve"]);
    assert_eq!(texts(&services["worker"]["command"]), ["worker"]);
}

#[test]
fn images_are_pinned_and_nothing_of_ours_runs_as_root() {
    let pinned = |image: &str| {
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        tag.is_some_and(|tag| {
            tag.contains(|c: char| c.is_ascii_digit()) && tag.contains(['.', '-'])
        })
    };
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        assert!(pinned(image), "{name}: {image}");
    }
    let dockerfile = read("deploy/Dockerfile");
    let mut stages: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut stage = "";
    for line in dockerfile.lines() {
        if let Some(from) = line.strip_prefix("FROM ") {
            let (image, name) = from.split_once(" AS ").unwrap();
            assert!(pinned(image) || stages.contains_key(image), "{image}");
            stages.insert(name, None);
            stage = name;
        } else if let Some(user) = line.strip_prefix("USER ") {
            stages.insert(stage, Some(user));
        }
    }
    for target in ["server", "proxy", "harness"] {
        let user = stages[target].unwrap();
        assert!(
            !user.starts_with('0') && !user.starts_with("root"),
            "{user}"
        );
    }
    for (name, service) in services() {
        let target = service["build"]["target"].as_str().unwrap_or("server");
        assert!(stages.contains_key(target), "{name}: {target}");
    }
    let toolchain = read("Cargo.toml");
    let version = toolchain.split("rust-version = \"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    assert!(
        dockerfile.contains(&format!("FROM rust:{version}.")),
        "{version}"
    );
}

#[test]
fn the_proxy_before_redis_is_ours_and_asked_by_its_own_command_line() {
    let proxy = &services()["toxiproxy"];
    assert_eq!(proxy["build"]["target"], "proxy");
    let dockerfile = read("deploy/Dockerfile");
    let (_, stage) = dockerfile.split_once("FROM base AS proxy\n").unwrap();
    let stage = stage.split("\nFROM ").next().unwrap();
    assert!(stage.contains("ENTRYPOINT [\"fault-proxy\"]"), "{stage}");
    assert!(stage.contains("COPY --from=build /built/fault-proxy "));
    let check = texts(&proxy["healthcheck"]["test"]);
    assert_eq!(check, ["CMD", "fault-proxy", "cli", "list"]);
    let volume = texts(&proxy["volumes"])[0].to_owned();
    let (from, to) = volume.split_once(':').unwrap();
    let to = to.trim_end_matches(":ro");
    let config = texts(&proxy["command"])[1]
        .strip_prefix("-config=")
        .unwrap();
    let file = config.strip_prefix(to).unwrap();
    assert!(root().join(format!("{from}{file}")).is_file(), "{config}");
}

#[test]
fn no_folder_of_sources_is_left_out_of_what_images_are_built_from() {
    let ignored = read(".dockerignore");
    for line in ignored.lines().filter(|line| !line.starts_with('#')) {
        // Rooms of the harness may be called as what is built is.
        assert!(!line.contains("**"), "{line}: names folders anywhere");
    }
}

#[test]
fn ports_are_open_to_this_machine_only() {
    let mut open = 0;
    for (name, service) in services() {
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
            open += 1;
        }
    }
    assert!(open >= 4, "{open}");
}

/// Variables that some command of ours reads.
fn known_variables() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut known = BTreeMap::new();
    for command in ["serve", "worker"] {
        let output = Command::new(env!("CARGO_BIN_EXE_reference-server"))
            .args([command, "--help"])
            .output()
            .unwrap();
        // Built with the rest of the workspace, help is wrapped to the terminal.
        let help = String::from_utf8(output.stdout).unwrap();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let names = help.split("[env: ").skip(1);
        let names = names.map(|rest| rest.split(['=', ']']).next().unwrap().to_owned());
        known.insert(command, names.collect());
    }
    let mut harness = BTreeSet::new();
    let mut folders = vec![root().join("harness/src/cli")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let names = text.split("env = \"").skip(1);
            harness.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    known.insert("run", harness);
    known
}

#[test]
fn every_setting_is_one_that_its_command_has() {
    let known = known_variables();
    let mut checked = 0;
    for (name, service) in services() {
        let command = match name.as_str() {
            "harness" => "run",
            _ => texts(&service["command"])
                .first()
                .copied()
                .unwrap_or_default(),
        };
        for variable in environment(&service).into_keys() {
            if variable.starts_with("REFERENCE_SERVER_") || variable.starts_with("HARNESS_") {
                let of = known.get(command).unwrap();
                assert!(
                    of.contains(&variable),
                    "{name}: {command} has no {variable}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn what_the_compose_file_asks_for_is_there() {
    let compose = read("docker-compose.yml");
    let lines = compose
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    let asked = variables(&code);
    let mut given: BTreeSet<String> = example_env().into_keys().collect();
    // What may be left out.
    given.insert("COMMIT".to_owned());
    assert_eq!(asked, given, "{ENV}");
    for (name, service) in services() {
        for volume in texts(&service["volumes"]) {
            let from = volume.split(':').next().unwrap();
            let there = from
                .strip_prefix("./")
                .is_none_or(|path| root().join(path).exists());
            assert!(there, "{name}: {volume}");
        }
    }
    let scenario = services()["harness"]["command"][0]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(root().join(&scenario).is_file(), "{scenario}");
    assert!(root().join("deploy/ready.sh").is_file());
}

/// `host:port` where a service of ours listens, by the compose file.
fn listens(services: &BTreeMap<String, Value>, at: &str) -> bool {
    let (host, port) = at.split_once(':').unwrap();
    let Some(service) = services.get(host) else {
        return false;
    };
    let listens = environment(service).into_iter().any(|(name, value)| {
        let is_address = name == "REFERENCE_SERVER_LISTEN" || name == "HARNESS_PROMETHEUS";
        is_address && value == format!("0.0.0.0:{port}")
    });
    listens || (host, port) == ("redis", "6379")
}

#[test]
fn every_address_of_one_service_in_another_is_one_that_listens() {
    let services = services();
    for name in ["chat", "worker"] {
        let path = format!("deploy/prometheus/targets/{name}.yml");
        let targets = yaml(&path);
        for target in texts(&targets[0]["targets"]) {
            assert!(listens(&services, target), "{path}: {target}");
        }
        assert!(read("deploy/prometheus/prometheus.yml").contains(&format!("targets/{name}.yml")));
    }
    // A run is found by its name, where it says `/metrics`.
    let scraped = yaml("deploy/prometheus/prometheus.yml");
    let jobs = scraped["scrape_configs"].as_array().unwrap();
    let run = jobs
        .iter()
        .find(|job| job["job_name"] == "harness")
        .unwrap();
    let run = &run["dns_sd_configs"][0];
    let at = format!("{}:{}", run["names"][0].as_str().unwrap(), run["port"]);
    assert!(listens(&services, &at), "{at}");
    let nginx = environment(&services["nginx"]);
    for name in ["CHAT_SERVER_A", "CHAT_SERVER_B"] {
        let address = nginx[name].strip_suffix(" resolve").unwrap();
        assert!(listens(&services, address), "{name}");
    }
    for name in ["CHAT_PORT", "CHAT_BROKEN_PORT"] {
        let published = format!("127.0.0.1:{0}:{0}", nginx[name]);
        assert!(texts(&services["nginx"]["ports"]).contains(&published.as_str()));
    }
    let target = &environment(&services["harness"])["HARNESS_TARGET"];
    assert_eq!(*target, format!("ws://nginx:{}", nginx["CHAT_PORT"]));
    // Redis through Toxiproxy: each database through a proxy of its own.
    let proxies: Vec<Value> =
        serde_json::from_str(&read("deploy/toxiproxy/toxiproxy.json")).unwrap();
    let mut databases = BTreeMap::new();
    for (name, url) in environment(&services["chat-a"]) {
        if name.ends_with("_URL") {
            let (address, database) = url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
            databases.insert(address.to_owned(), database.to_owned());
        }
    }
    assert_eq!(databases.values().collect::<Vec<_>>(), ["0", "2", "3"]);
    for proxy in &proxies {
        assert!(
            listens(&services, proxy["upstream"].as_str().unwrap()),
            "{proxy}"
        );
        let port = proxy["listen"]
            .as_str()
            .unwrap()
            .rsplit(':')
            .next()
            .unwrap();
        assert!(
            databases.remove(&format!("toxiproxy:{port}")).is_some(),
            "{proxy}"
        );
    }
    assert!(databases.is_empty(), "{databases:?}");
}

#[test]
fn secrets_are_made_anew_and_a_file_with_some_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    let make = || {
        let mut script = Command::new("sh");
        script.arg(root().join("deploy/env.sh")).arg(&file);
        script.output().unwrap().status.success()
    };
    assert!(make());
    let text = std::fs::read_to_string(&file).unwrap();
    let made: BTreeMap<&str, &str> = text
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .collect();
    let wanted = example_env();
    assert!(made.keys().eq(wanted.keys()), "{made:?}");
    assert!(
        wanted.values().all(String::is_empty),
        "an example is no secret"
    );
    let values: BTreeSet<&str> = made.values().copied().collect();
    assert_eq!(values.len(), made.len(), "each is its own");
    let is_hidden =
        |value: &&str| value.len() == 48 && value.chars().all(|c| c.is_ascii_alphanumeric());
    assert!(values.iter().all(is_hidden), "{values:?}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    assert!(!make(), "it is there already");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn the_outage_of_the_stack_breaks_its_own_proxies() {
    let scenario = read("deploy/redis-outage.toml");
    let links = scenario.lines().find(|line| line.starts_with("links = "));
    let named = links.unwrap().split('"').skip(1).step_by(2);
    let named: BTreeSet<&str> = named.filter(|name| !name.contains('.')).collect();
    let proxies: Vec<Value> =
        serde_json::from_str(&read("deploy/toxiproxy/toxiproxy.json")).unwrap();
    let there: BTreeSet<&str> = proxies
        .iter()
        .map(|proxy| proxy["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, there);
    let volumes = services()["harness"]["volumes"].clone();
    let mounted = texts(&volumes)
        .into_iter()
        .any(|volume| volume.starts_with("./deploy/redis-outage.toml:"));
    assert!(mounted, "{volumes}");
}

#[test]
fn only_the_proxy_reaches_redis() {
    let networks = |service: &Value| -> BTreeSet<String> {
        texts(&service["networks"])
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let services = services();
    let store = networks(&services["redis"]);
    for (name, service) in &services {
        let mine = networks(service);
        assert!(!mine.is_empty(), "{name}");
        let shares = mine.intersection(&store).next().is_some();
        assert_eq!(
            shares,
            name == "redis" || name == "toxiproxy",
            "{name}: {mine:?}"
        );
    }
}

#[tokio::test]
async fn a_process_that_is_not_ready_is_not_healthy() {
    let redis = Redis::start().await;
    let server = spawn("chat-a", &redis);
    server.until_ready().await;
    assert!(ready(&server));
    redis.pause();
    server.until_ready_is(false).await;
    assert!(!ready(&server));
    server.crash();
    let started = Instant::now();
    while ready(&server) {
        assert!(started.elapsed() < PATIENCE, "it is gone");
    }
}
