//! Secrets with unmistakable names, in every place that takes one: none of them may turn up where somebody else could
//! read it. What a run leaves, says and passes on is searched; and so is what refuses a secret that was typed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::{
    Done, Part, command, eventually, finish, free_address, redis_command, serve_command,
};

const CANARY: &str = "cAnArY";
/// Where secrets come from, and what they are.
const VARIABLES: [(&str, &str); 5] = [
    ("CANARY_PASSWORD", "cAnArY-password-1x"),
    ("CANARY_JWT", "cAnArY-jwt-secret-1x"),
    ("CANARY_REDIS", "cAnArY-redis-1x"),
    ("CANARY_HEADER", "cAnArY-header-1x"),
    ("CANARY_WRONG", "cAnArY-wrong-1x"),
];

const OWN_SERVER: &str = r#"
[environment]
server.settings = { log = "trace", jwt-secret = "${env:CANARY_JWT}", password = "${env:CANARY_PASSWORD}" }
users = { password = "${env:CANARY_PASSWORD}" }
[load]
clients = 1
ramp = "100ms"
hold = "2500ms"
message = { every = "300ms" }
drain = "1s"
[[fault]]
at = "1s"
for = "300ms"
link = "redis"
kind = "down"
"#;

const ATTACHED: &str = r#"
[environment]
proxies = []
users = { file = "USERS" }
[target]
headers = { X-Api-Key = "${env:CANARY_HEADER}" }
[load]
clients = 1
ramp = "100ms"
hold = "1500ms"
message = { every = "300ms" }
drain = "1s"
[[expect]]
what = "completed"
at_least = 1000000
"#;

/// What is looked for.
struct Needles(Vec<String>);

impl Needles {
    fn are_in(&self, text: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(text);
        let known = self.0.iter().find(|needle| text.contains(*needle));
        known.cloned().or_else(|| {
            // An access token, whole: three parts of base64, of which the first always begins like this.
            let token = |start: &str| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                let rest = start.trim_start_matches(is_part).strip_prefix('.')?;
                let body = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (body > 20).then(|| "a token".to_owned())
            };
            text.split("eyJ").skip(1).find_map(token)
        })
    }

    /// The files below a folder, by content and by name.
    fn below(&self, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.below(&path, found);
            }
            // A pipe would be waited for; what has gone meanwhile holds nothing.
            let content = path.is_file().then(|| fs::read(&path).unwrap_or_default());
            let name = entry.file_name().into_encoded_bytes();
            if let Some(needle) = self
                .are_in(&content.unwrap_or_default())
                .or_else(|| self.are_in(&name))
            {
                found.push(format!("{needle} in {}", path.display()));
            }
        }
    }

    /// The arguments of every process there is.
    fn in_arguments(&self, found: &mut Vec<String>) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if let Some(needle) = self.are_in(&arguments) {
                let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
                found.push(format!("{needle} in the arguments {arguments}"));
            }
        }
    }
}

/// A folder for everything a run leaves, and what was found in it.
struct Watched {
    folder: tempfile::TempDir,
    needles: Needles,
}

impl Watched {
    fn new(more: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tmp", "state", "out"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let secrets = VARIABLES.map(|(_, secret)| secret.to_owned());
        let needles = Needles(secrets.into_iter().chain(more.iter().cloned()).collect());
        Self { folder, needles }
    }

    fn search(&self, found: &mut Vec<String>) {
        self.needles.in_arguments(found);
        self.needles.below(self.folder.path(), found);
    }

    /// Runs the harness at its most talkative, looks on, and says what was found and what it left.
    fn run(&self, scenario: &str, arguments: &[String]) -> (Done, Vec<String>) {
        let inputs = tempfile::tempdir().unwrap();
        let file = inputs.path().join("canary.toml");
        fs::write(&file, scenario).unwrap();
        let out = self.folder.path().join("out/run");
        let mut run = command(&["run", file.to_str().unwrap(), "--trace", "--out"]);
        run.arg(&out).args(arguments).envs(VARIABLES);
        run.env("HARNESS_LOG", "trace")
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"));
        let over = AtomicBool::new(false);
        let (done, mut found) = thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut found = Vec::new();
                while !over.load(Ordering::Relaxed) && found.is_empty() {
                    self.search(&mut found);
                    thread::sleep(Duration::from_millis(20));
                }
                found
            });
            let done = finish(run.spawn().unwrap());
            over.store(true, Ordering::Relaxed);
            (done, watching.join().unwrap())
        });
        self.search(&mut found);
        for (what, text) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
            if let Some(needle) = self.needles.are_in(text.as_bytes()) {
                found.push(format!("{needle} in {what}: {text}"));
            }
        }
        (done, found)
    }

    fn completed(&self) -> u64 {
        let text = fs::read(self.folder.path().join("out/run/result.json")).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&text).unwrap();
        result["delivery"]["completed"].as_u64().unwrap()
    }
}

fn texts(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_searches_for_canaries_finds_those_that_were_put_there() {
    // A word of its own: the other tests look at the arguments of every process, this one's too.
    let secret = "cAnArY-planted-1x";
    let watched = Watched::new(&[secret.to_owned()]);
    let mut found = Vec::new();
    watched.needles.below(watched.folder.path(), &mut found);
    assert!(found.is_empty(), "{found:?}");
    fs::write(watched.folder.path().join("state/lease"), secret).unwrap();
    fs::write(watched.folder.path().join("tmp").join(secret), "").unwrap();
    let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.x", "a".repeat(40));
    fs::write(watched.folder.path().join("out/log"), token).unwrap();
    watched.needles.below(watched.folder.path(), &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
    let mut sleep = Command::new("sh");
    sleep.args(["-c", "read x", secret]).stdin(Stdio::piped());
    let mut sleep = sleep.spawn().unwrap();
    eventually("its arguments are seen", || {
        let mut found = Vec::new();
        watched.needles.in_arguments(&mut found);
        !found.is_empty()
    });
    drop(sleep.stdin.take());
    sleep.wait().unwrap();
}

#[test]
#[ignore = "slow: drives a load"]
fn no_secret_of_a_run_that_starts_its_server_turns_up_anywhere() {
    let (folder, redis) = (tempfile::tempdir().unwrap(), free_address());
    let config = folder.path().join("redis.conf");
    let (_, password) = VARIABLES[2];
    fs::write(&config, format!("requirepass {password}\n")).unwrap();
    let mut serve = Command::new(redis_command(redis, folder.path()).get_program());
    serve.arg(&config);
    serve.args(redis_command(redis, folder.path()).get_args());
    let _redis = Part::start(serve, redis);
    let url = |secret: &str| format!("redis://:${{env:{secret}}}@{redis}");
    let watched = Watched::new(&[]);
    let arguments = texts(&["--redis-url", &url("CANARY_REDIS")]);
    let (done, found) = watched.run(OWN_SERVER, &arguments);
    assert!(found.is_empty(), "{found:#?}");
    assert!(watched.completed() > 0, "{}{}", done.stdout, done.stderr);
    // And one that cannot start: Redis does not accept the password.
    let watched = Watched::new(&[]);
    let arguments = texts(&["--redis-url", &url("CANARY_WRONG")]);
    let (done, found) = watched.run(OWN_SERVER, &arguments);
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
}

#[test]
#[ignore = "slow: drives a load"]
fn no_secret_of_a_run_against_a_server_that_is_there_turns_up_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let [redis, server] = std::array::from_fn(|_| free_address());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([server.ip().to_string()]).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let key = signing_key.serialize_pem();
    fs::write(path("cert.pem"), cert.pem()).unwrap();
    fs::write(path("key.pem"), &key).unwrap();
    let _redis = Part::start(redis_command(redis, folder.path()), redis);
    let mut serve = serve_command(server, redis);
    serve.args([
        "--tls-cert",
        &path("cert.pem"),
        "--tls-key",
        &path("key.pem"),
    ]);
    let [(_, password), (_, jwt), _, _, (_, wrong)] = VARIABLES;
    serve.env("REFERENCE_SERVER_PASSWORD", password);
    serve.env("REFERENCE_SERVER_JWT_SECRET", jwt);
    let _server = Part::start(serve, server);
    let scenario = ATTACHED.replace("USERS", &path("users.csv"));
    let target = format!("wss://{server}");
    let arguments = texts(&["--target", &target, "--ca", &path("cert.pem")]);
    let key = key.lines().nth(1).unwrap().to_owned();
    for (password, code) in [(password, 10), (wrong, 3)] {
        let users = format!("account,password\nuser-000001,{password}\n");
        fs::write(path("users.csv"), users).unwrap();
        let watched = Watched::new(std::slice::from_ref(&key));
        let (done, found) = watched.run(&scenario, &arguments);
        assert!(found.is_empty(), "{found:#?}");
        assert_eq!(done.code, code, "{}{}", done.stdout, done.stderr);
        if code == 10 {
            assert!(watched.completed() > 0, "{}{}", done.stdout, done.stderr);
        }
    }
}

/// Ends it at once where it would serve, run or ask.
#[track_caller]
fn refused(arguments: &[&str], variables: &[(&str, &str)]) {
    let mut command = command(arguments);
    let done = finish(command.envs(variables.iter().copied()).spawn().unwrap());
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(
        !said.contains(CANARY),
        "{arguments:?} {variables:?}: {said}"
    );
    assert!(
        matches!(done.code, 2 | 3),
        "{arguments:?}: {}: {said}",
        done.code
    );
    assert!(said.contains("error: "), "{arguments:?}: {said}");
}

const URLS: [&str; 10] = [
    "//u:cAnArY@127.0.0.1:1",
    "//cAnArY@127.0.0.1:1",
    "//127.0.0.1:1/?token=cAnArY",
    "//127.0.0.1:1/x#cAnArY",
    "//u:cAnArY@127.0.0.1:99999",
    "//u:cAnArY@",
    "//[u:cAnArY@h",
    "//u:p/cAnArY@h:1",
    "u:cAnArY@h",
    "/cAnArY",
];

#[test]
fn what_refuses_a_url_does_not_repeat_its_secret() {
    const PLAN: [&str; 2] = ["plan", "scenarios/smoke.toml"];
    for rest in URLS {
        for (flag, variable, key, scheme) in [
            ("--target", "HARNESS_TARGET", "target", "ws"),
            ("--toxiproxy", "HARNESS_TOXIPROXY", "toxiproxy", "http"),
            ("--redis-url", "HARNESS_REDIS_URL", "redis", "redis"),
        ] {
            let url = format!("{scheme}:{rest}");
            let wrong = format!("ftp:{rest}");
            refused(&[&PLAN[..], &[flag, &url]].concat(), &[]);
            refused(&[&PLAN[..], &[flag, &wrong]].concat(), &[]);
            refused(&PLAN, &[(variable, &url)]);
            let set = format!("environment.{key}={url}");
            refused(&[&PLAN[..], &["--set", &set]].concat(), &[]);
        }
        refused(&["doctor", &format!("ws:{rest}")], &[]);
        refused(&["recover", "--toxiproxy", &format!("http:{rest}")], &[]);
    }
    refused(&["proxy", "--listen", "http://u:cAnArY@127.0.0.1:1"], &[]);
}

#[test]
fn what_refuses_a_secret_does_not_repeat_it() {
    let plan = |more: &[&str]| refused(&[&["plan", "scenarios/smoke.toml"], more].concat(), &[]);
    for key in [
        "environment.users.password",
        "environment.users",
        "environment.users.passwrd",
        "environment.server.settings.password",
        "environment.server.settings.jwt-secret",
        "environment.server",
        "target.headers.X-Api-Key",
        "target.headers.Cookie",
        "environment.redis",
    ] {
        for value in [CANARY, "\"cAnArY\"", "[\"cAnArY\"]", "{ a = \"cAnArY\" }"] {
            plan(&["--set", &format!("{key}={value}")]);
        }
    }
    for url in [
        "redis-url",
        "redis-tasks-url",
        "redis-tokens-url",
        "redis-channel-url",
    ] {
        let set = format!("environment.server.settings.{url}=redis://:cAnArY@127.0.0.1:1");
        plan(&["--set", &set]);
    }
    plan(&["--set", "environment.users.password=${env:A:-cAnArY}"]);
    plan(&["--set", "target.headers.X-Api-Key=${env:A:-cAnArY}"]);
    plan(&["--set", "environment.users.password:cAnArY"]);
    plan(&["--set", "environment.users.password", CANARY]);
    plan(&["--password=cAnArY"]);
    refused(&["doctor", "ws://127.0.0.1:1", "--password", CANARY], &[]);
    refused(&["doctor", "ws://127.0.0.1:1", CANARY], &[]);
}

#[test]
fn a_problem_of_a_file_does_not_repeat_the_secret_in_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for environment in [
        "users = { password = \"cAnArY\" }",
        "users = { password = cAnArY }",
        "users = \"cAnArY\"",
        "users.password = cAnArY",
        "users.password = \"cAnArY",
        "users.password = 'cAnArY'\nusers.password = 'cAnArY'",
        "users.password: cAnArY",
        "redis = \"redis://:cAnArY@h:1\"",
        "redis = redis://:cAnArY@h:1",
        "redis = \"cAnArY\"",
        "target = ws://u:cAnArY@h:1",
        "target = \"ws://h:1/?token=cAnArY\"",
        "server.settings.password = \"cAnArY\"",
        "server.settings.jwt-secret = cAnArY",
        "target = \"ws://h:1\"\n[target]\nheaders = { \"Authorization: cAnArY\" = \"\" }",
        "target = \"ws://h:1\"\n[target.headers]\nX-Api-Key = cAnArY",
        "target = \"ws://h:1\"\n[target.headers]\nHost = \"u:cAnArY@h\"",
        "target = \"ws://h:1\"\n[target]\nlogin = { path = \"http://u:cAnArY@h\" }",
    ] {
        let text = format!("[environment]\n{environment}\n[load]\nclients = 1\nhold = \"1s\"\n");
        fs::write(path("canary.toml"), text).unwrap();
        refused(&["plan", &path("canary.toml")], &[]);
    }
    let scenario = ATTACHED.replace("USERS", &path("users.csv"));
    fs::write(path("canary.toml"), scenario).unwrap();
    for users in [
        "anna,cAnArY\nbert,cAnArY\n",
        "account,password\nanna,cAnArY,x\n",
        "account,password\n,cAnArY\n",
        "account;password\nanna;\"cAnArY\n",
        "account,password\nanna,\"x\"cAnArY\n",
    ] {
        fs::write(path("users.csv"), users).unwrap();
        let scenario = path("canary.toml");
        let target = "ws://127.0.0.1:1";
        refused(
            &["doctor", target, "--scenario", &scenario],
            &[("CANARY_HEADER", "x")],
        );
    }
}

#[test]
fn help_shows_no_value_of_a_variable() {
    let variables = [
        "TARGET",
        "REDIS_URL",
        "TOXIPROXY",
        "CA",
        "OUT",
        "SERVER",
        "PROMETHEUS",
    ];
    let variables = variables.map(|name| (format!("HARNESS_{name}"), CANARY));
    for subcommand in [
        "run", "plan", "check", "list", "doctor", "report", "proxy", "recover",
    ] {
        for help in ["--help", "-h"] {
            let mut command = command(&[subcommand, help]);
            let done = finish(command.envs(variables.clone()).spawn().unwrap());
            assert_eq!(done.code, 0, "{}", done.stderr);
            assert!(!done.stdout.contains(CANARY), "{}", done.stdout);
        }
    }
}
