//! The command line of the program: the lines that scripts look for, and what it says when it does not work.

use crate::program::{Done, PROGRAM, Running, command, done};
use nix::sys::signal::Signal;
use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A folder with the program under Toxiproxy's names, and a server started by one.
struct Stand {
    folder: TempDir,
    server: Running,
}

impl Stand {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["toxiproxy-server", "toxiproxy-cli"] {
            symlink(PROGRAM, folder.path().join(name)).unwrap();
        }
        let mut server = command(folder.path().join("toxiproxy-server"));
        server.args(["-port", "0"]);
        Self {
            server: Running::of(server),
            folder,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.api)
    }

    fn named(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Done {
        let mut cli = command(self.named("toxiproxy-cli"));
        cli.env("TOXIPROXY_URL", self.url()).args(words);
        done(cli)
    }

    /// What it says when all is well.
    #[track_caller]
    fn says(&self, words: &[&str], expected: &str) {
        let done = self.run(words);
        assert_eq!(
            (done.code, done.stdout.as_str(), done.stderr.as_str()),
            (Some(0), expected, ""),
            "{words:?}"
        );
    }

    #[track_caller]
    fn refuses(&self, words: &[&str], code: i32, said: &[&str]) {
        let done = self.run(words);
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(code), ""),
            "{done:?}"
        );
        for part in said {
            assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
        }
    }

    fn stop(self) {
        self.server.stop(Signal::SIGTERM);
    }
}

#[test]
fn a_session_says_what_scripts_of_toxiproxy_look_for() {
    let stand = Stand::new();
    stand.says(&["list"], "");
    let create = [
        "create",
        "-l",
        "127.0.0.1:0",
        "-u",
        "localhost:20002",
        "web",
    ];
    stand.says(&create, "Created new proxy web\n");
    let listed = stand.run(&["ls"]).stdout;
    let fields: Vec<&str> = listed.trim_end().split('\t').collect();
    let [name, listen, upstream, state, toxics] = fields[..] else {
        panic!("{listed:?}");
    };
    assert!(listen.starts_with("127.0.0.1:") && !listen.ends_with(":0"));
    let rest = (name, upstream, state, toxics);
    assert_eq!(rest, ("web", "localhost:20002", "enabled", "0"));
    stand.says(&["toggle", "web"], "Proxy web is now disabled\n");
    assert!(stand.run(&["l"]).stdout.contains("\tdisabled\t0\n"));
    stand.says(&["tog", "web"], "Proxy web is now enabled\n");
    stand.says(&["inspect", "web"], "");

    let add = [
        "toxic",
        "add",
        "--type=latency",
        "--downstream",
        "--toxicName=slow",
        "--attribute=latency=1000",
        "--attribute",
        "jitter=50",
        "--toxicity=0.5",
        "web",
    ];
    let added = "Added downstream latency toxic 'slow' on proxy 'web'\n";
    stand.says(&add, added);
    let slow = "slow\ttype=latency\tstream=downstream\ttoxicity=";
    let row = format!("{slow}0.50\tattributes=[\tjitter=50\tlatency=1000\t]\n");
    stand.says(&["inspect", "web"], &row);
    let updated = "Updated toxic 'slow' on proxy 'web'\n";
    let update = ["toxic", "update", "-n", "slow", "-a", "jitter=1e1", "web"];
    stand.says(&update, updated);
    let row = format!("{slow}0.50\tattributes=[\tjitter=10\tlatency=1000\t]\n");
    stand.says(&["i", "web"], &row);
    stand.says(&["t", "u", "-n=slow", "-tox=0.25", "web"], updated);
    let row = format!("{slow}0.25\tattributes=[\tjitter=10\tlatency=1000\t]\n");
    stand.says(&["i", "web"], &row);
    stand.says(&["delete", "web"], "Deleted proxy web\n");
    stand.says(&["list"], "");
    stand.stop();
}

#[test]
fn toxics_are_named_by_type_and_stream_and_listed_upstream_first() {
    let stand = Stand::new();
    let create = ["c", "-l", "127.0.0.1:0", "-u", "127.0.0.1:1", "web"];
    stand.says(&create, "Created new proxy web\n");
    let slow = ["t", "a", "-t", "latency", "-n", "slow", "-d", "web"];
    stand.says(
        &slow,
        "Added downstream latency toxic 'slow' on proxy 'web'\n",
    );
    let add = ["t", "a", "-t", "bandwidth", "-u", "-a", "rate=5", "web"];
    let added = "Added upstream bandwidth toxic 'bandwidth_upstream' on proxy 'web'\n";
    stand.says(&add, added);
    // An attribute may be left out, and a type be one of this server only.
    let add = ["toxic", "add", "-t", "blackhole", "-tox", "0", "web"];
    let added = "Added downstream blackhole toxic 'blackhole_downstream' on proxy 'web'\n";
    stand.says(&add, added);
    assert!(stand.run(&["list"]).stdout.ends_with("\tenabled\t3\n"));
    let names: Vec<String> = stand
        .run(&["inspect", "web"])
        .stdout
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["bandwidth_upstream", "slow", "blackhole_downstream"]
    );
    let removed = |name: &str| format!("Removed toxic '{name}' on proxy 'web'\n");
    stand.says(
        &["toxic", "delete", "--toxicName", "slow", "web"],
        &removed("slow"),
    );
    let upstream = "bandwidth_upstream";
    stand.says(
        &["toxic", "remove", "-n", upstream, "web"],
        &removed(upstream),
    );
    let downstream = "blackhole_downstream";
    stand.says(&["t", "r", "-n", downstream, "web"], &removed(downstream));
    stand.says(&["delete", "web"], "Deleted proxy web\n");
    stand.says(&["list"], "");
    stand.stop();
}

#[test]
fn proxies_are_listed_by_name_and_names_cannot_steer_a_terminal() {
    let stand = Stand::new();
    for name in ["b", "a\x1b[2J"] {
        let done = stand.run(&["create", "-l", "127.0.0.1:0", "-u", "127.0.0.1:1", name]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(!done.stdout.contains('\x1b'), "{done:?}");
    }
    let listed = stand.run(&["list"]).stdout;
    let names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(names, ["a\u{fffd}[2J", "b"]);
    stand.stop();
}

#[test]
fn the_api_is_named_by_flag_or_variable() {
    let stand = Stand::new();
    let run = |program: &Path, words: &[&str], variable: Option<&str>| {
        let mut cli = command(program);
        cli.args(words);
        if let Some(url) = variable {
            cli.env("TOXIPROXY_URL", url);
        }
        done(cli)
    };
    let (link, own) = (stand.named("toxiproxy-cli"), Path::new(PROGRAM));
    let (url, bare) = (stand.url(), stand.server.api.to_string());
    let list = "list";
    for (program, words, variable) in [
        (link.as_path(), vec!["-h", &url, list], None),
        (&link, vec!["--host", &bare, list], None),
        (
            &link,
            vec!["-host", &bare, list],
            Some("http://127.0.0.1:1"),
        ),
        (&link, vec![list], Some(url.as_str())),
        (own, vec!["cli", list], Some(bare.as_str())),
        (own, vec!["cli", "-h", &url, list], None),
    ] {
        let done = run(program, &words, variable);
        let said = (done.code, done.stdout.as_str(), done.stderr.as_str());
        assert_eq!(said, (Some(0), "", ""), "{words:?}");
    }
    stand.stop();
}

#[test]
fn what_is_refused_is_said_with_place_fact_and_hint() {
    let stand = Stand::new();
    stand.says(
        &["create", "-l", "127.0.0.1:0", "-u", "127.0.0.1:1", "a"],
        "Created new proxy a\n",
    );
    let listen = stand.run(&["list"]).stdout;
    let listen = listen.split('\t').nth(1).unwrap().to_owned();
    let shows = " hint: `toxiproxy-cli list` shows what proxies there are\n";
    for command in ["toggle", "inspect", "delete"] {
        let fact = format!("error: toxiproxy-cli {command}: proxy not found\n");
        stand.refuses(&[command, "b"], 1, &[&fact, shows]);
    }
    let add = |name: &'static str| ["toxic", "add", "-t", name, "a"];
    let types = "hint: `toxiproxy-cli toxic add --help` lists the types";
    stand.refuses(
        &add("latence"),
        1,
        &["toxic add: invalid toxic type\n", types],
    );
    assert_eq!(stand.run(&add("timeout")).code, Some(0));
    let way = "hint: `toxiproxy-cli toxic update` changes it";
    stand.refuses(&add("timeout"), 1, &["toxic already exists", way]);
    let update = ["toxic", "update", "-n", "x", "a"];
    let shows = "hint: `toxiproxy-cli inspect PROXY` shows what toxics it has";
    stand.refuses(&update, 1, &["toxic not found", shows]);
    stand.refuses(&["toxic", "rm", "a"], 2, &["rm"]);
    let create = ["create", "-l", "127.0.0.1:0", "-u", "127.0.0.1:1", "a"];
    let way = "hint: `toxiproxy-cli delete PROXY` first";
    stand.refuses(&create, 1, &["proxy already exists", way]);
    let create = ["create", "-l", &listen, "-u", "127.0.0.1:1", "b"];
    let busy = "bind: address already in use\n hint: take another port";
    stand.refuses(&create, 1, &[busy]);
    let bad = [
        "toxic",
        "add",
        "-t",
        "latency",
        "-a",
        "latency=-1",
        "-n",
        "l",
        "a",
    ];
    stand.refuses(&bad, 1, &["invalid attribute: latency must be between 0"]);
    stand.stop();
}

#[test]
fn what_is_wrongly_asked_ends_with_2_and_names_the_word() {
    let stand = Stand::new();
    for (words, said) in [
        (
            &["create", "-l", "127.0.0.1:0", "a"] as &[&str],
            "--upstream",
        ),
        (
            &["toxic", "add", "-t", "latency", "-a", "latency", "a"],
            "write NAME=VALUE",
        ),
        (
            &["toxic", "add", "-t", "latency", "-tox", "2", "a"],
            "from 0 to 1",
        ),
        (
            &["toxic", "add", "-t", "latency", "-u", "-d", "a"],
            "--downstream",
        ),
        (&["toggle"], "PROXY"),
        (&["explode"], "explode"),
        (
            &["-h", "https://localhost:1", "list"],
            "the scheme must be http",
        ),
    ] {
        stand.refuses(words, 2, &[said]);
    }
    let done = stand.run(&["--help"]);
    assert_eq!(done.code, Some(0));
    assert!(done.stdout.contains("inspect") && done.stdout.contains("TOXIPROXY_URL"));
    assert!(!done.stdout.contains(&stand.url()), "{}", done.stdout);
    assert_eq!(stand.run(&["-v"]).code, Some(0));
    for words in [
        &["create", "-h"] as &[&str],
        &["toxic", "-help"],
        &["toxic", "add", "--help"],
        &["help", "toxic", "add"],
    ] {
        let done = stand.run(words);
        assert_eq!(done.code, Some(0), "{words:?}: {done:?}");
        assert!(done.stdout.contains("Usage: toxiproxy-cli"), "{done:?}");
    }
    stand.stop();
}

#[test]
fn nobody_there_is_said_without_a_password() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = taken.local_addr().unwrap();
    drop(taken);
    for url in [
        format!("http://user:canary@{free}"),
        format!("user:canary@{free}"),
        "ftp://user:canary@localhost".to_owned(),
        "http://user:canary@:port".to_owned(),
    ] {
        let mut cli = command(PROGRAM);
        cli.args(["cli", "list"]).env("TOXIPROXY_URL", &url);
        let done = done(cli);
        assert!(done.code.is_some_and(|code| code > 0), "{done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
        assert!(done.stderr.contains("\n hint: "), "{done:?}");
        assert!(!done.stderr.contains("canary"), "{done:?}");
        if url.ends_with(&free.to_string()) {
            let fact = format!("fault-proxy cli list: http://{free} does not answer: ");
            assert!(done.stderr.contains(&fact), "{done:?}");
        }
    }
}
