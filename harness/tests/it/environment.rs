//! This module tests what only the binary can show: the janitor as a process of its own, and runs
//! that are killed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{Done, command, finish};

/// A killed run must have left nothing after this.
const GONE_WITHIN: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);
/// A run is killed this long after its start, one run each: in the preflight, between the parts of
/// the start, in the ramp, in the load.
const MOMENTS_MS: [u64; 10] = [20, 60, 110, 170, 240, 350, 500, 900, 1_600, 3_000];

/// A janitor and the socket a harness would hold.
struct Janitor {
    process: Child,
    socket: BufReader<UnixStream>,
    state: tempfile::TempDir,
    run_id: String,
}

/// Leases are kept in no other.
fn private_folder() -> tempfile::TempDir {
    let mode = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new()
        .permissions(mode)
        .tempdir()
        .unwrap()
}

impl Janitor {
    fn start(name: &str) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let process = command(&["janitor"])
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut janitor = Self {
            process,
            socket: BufReader::new(ours),
            state: private_folder(),
            run_id: format!("it-{name}-{}", std::process::id()),
        };
        let begin = json!({ "begin": {
            "run_id": janitor.run_id,
            "harness": { "pid": std::process::id(), "started": 0 },
            "leases": janitor.state.path(),
        }});
        let begun = janitor.ask(&begin);
        assert!(Path::new(begun["begun"]["directory"].as_str().unwrap()).is_dir());
        janitor
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.socket.get_mut(), "{request}").unwrap();
        let mut reply = String::new();
        self.socket.read_line(&mut reply).unwrap();
        serde_json::from_str(&reply).unwrap()
    }

    fn spawn_sleep(&mut self) -> Pid {
        let spawned = self.ask(&json!({ "spawn": {
            "what": "sleep",
            "program": "/bin/sleep",
            "args": ["1000"],
            "env": [],
            "log": self.state.path().join("sleep.log"),
        }}));
        let pid = spawned["spawned"]["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap())
    }

    fn leases(&self) -> usize {
        fs::read_dir(self.state.path())
            .unwrap()
            .filter(|entry| {
                let path = entry.as_ref().unwrap().path();
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .count()
    }
}

fn is_alive(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// Waits until it is true; `false` when it still is not after `patience`.
fn within(patience: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if is_true() {
            return true;
        }
        std::thread::sleep(POLL);
    }
    is_true()
}

#[test]
fn the_janitor_ends_its_children_and_itself_when_the_harness_goes() {
    let mut janitor = Janitor::start("gone");
    let child = janitor.spawn_sleep();
    assert!(is_alive(child));
    assert_eq!(janitor.leases(), 1);
    janitor
        .socket
        .get_ref()
        .shutdown(std::net::Shutdown::Both)
        .unwrap();
    let gone = || !is_alive(child) && janitor.process.try_wait().unwrap().is_some();
    assert!(within(GONE_WITHIN, gone));
    assert_eq!(janitor.leases(), 0);
}

#[test]
fn the_janitor_and_its_children_are_out_of_reach_of_the_terminal() {
    let mut janitor = Janitor::start("signals");
    let child = janitor.spawn_sleep();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        kill(janitor.pid(), signal).unwrap();
    }
    // It answers still, so it has survived all three.
    let second = janitor.spawn_sleep();
    let session = |pid: Pid| nix::unistd::getsid(Some(pid)).unwrap();
    for pid in [janitor.pid(), child, second] {
        assert_eq!(session(pid), janitor.pid());
    }
    let cleaned = janitor.ask(&json!("clean"));
    assert_eq!(cleaned, json!({ "cleaned": { "problems": [] } }));
    assert!(!is_alive(child) && !is_alive(second));
    assert!(janitor.process.wait().unwrap().success());
}

#[test]
fn a_child_takes_signals_as_usual_although_the_janitor_does_not() {
    let mut janitor = Janitor::start("defaults");
    let child = janitor.spawn_sleep();
    kill(child, Signal::SIGTERM).unwrap();
    assert!(within(GONE_WITHIN, || !is_alive(child)));
    assert_eq!(
        janitor.ask(&json!("clean"))["cleaned"]["problems"],
        json!([])
    );
    janitor.process.wait().unwrap();
}

/// Processes whose environment holds `text`: a run's children carry its id, its janitor the
/// directory of its lease.
fn processes_with(texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ);
        if texts.iter().any(|text| environ.contains(text.as_str())) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

fn lease_names(leases: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(leases).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect()
}

/// Kills one run after `moment`; whatever it had started by then must be gone in time.
fn check_killed_at(moment: Duration) {
    let state = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let out_text = out.path().to_str().unwrap();
    let mut run = command(&["run", "scenarios/smoke.toml", "--quiet", "--out", out_text])
        .env("XDG_STATE_HOME", state.path())
        .envs(std::env::var_os("HARNESS_SERVER").map(|path| ("HARNESS_SERVER", path)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let leases = state.path().join("harness/leases");
    let mut marks = vec![state.path().display().to_string()];
    let killed_at = Instant::now() + moment;
    while Instant::now() < killed_at {
        marks.extend(
            lease_names(&leases)
                .iter()
                .map(|run| format!("HARNESS_RUN={run}")),
        );
        marks.dedup();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(
        run.try_wait().unwrap(),
        None,
        "{moment:?}: the run ended by itself"
    );
    run.kill().unwrap();
    run.wait().unwrap();
    marks.extend(
        lease_names(&leases)
            .iter()
            .map(|run| format!("HARNESS_RUN={run}")),
    );
    let gone = within(GONE_WITHIN, || processes_with(&marks).is_empty());
    assert!(gone, "{moment:?}: {:?}", processes_with(&marks));
    assert_eq!(lease_names(&leases), BTreeSet::new(), "{moment:?}");
}

#[test]
#[ignore = "slow: drives a load"]
fn a_run_killed_at_any_moment_leaves_no_process_behind() {
    for moment in MOMENTS_MS {
        check_killed_at(Duration::from_millis(moment));
    }
}

/// Runs `harness recover` without a home of its own to look into.
fn recover(change: impl FnOnce(&mut Command)) -> Done {
    let mut recover = command(&["recover"]);
    change(recover.env_remove("XDG_STATE_HOME"));
    finish(recover.spawn().unwrap())
}

#[test]
fn leases_are_looked_for_only_where_nobody_else_can_write() {
    let shared = tempfile::tempdir().unwrap();
    let leases = shared.path().join("harness/leases");
    fs::create_dir_all(&leases).unwrap();
    fs::write(leases.join("evil.json"), "{}").unwrap();
    // Where temporary files go is nobody's home.
    let home = private_folder();
    let done = recover(|recover| {
        recover
            .env("HOME", home.path())
            .env("TMPDIR", shared.path());
    });
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (0, "nothing was left behind\n")
    );
    // A folder that others may write to is none, nor is a link to one.
    let link = home.path().join("link");
    std::os::unix::fs::symlink(shared.path(), &link).unwrap();
    fs::set_permissions(&leases, fs::Permissions::from_mode(0o777)).unwrap();
    for state in [shared.path(), &link] {
        let done = recover(|recover| {
            recover.env("XDG_STATE_HOME", state);
        });
        assert_eq!(done.code, 3, "{}", done.stderr);
        assert!(done.stderr.contains("others may use it"), "{}", done.stderr);
        assert!(done.stderr.contains(" hint: "), "{}", done.stderr);
    }
    // A run asks before it begins.
    let mut run = command(&["run", "scenarios/smoke.toml", "-q", "--server", "/bin/true"]);
    run.args(["--out"]).arg(home.path().join("out"));
    let done = finish(run.env("XDG_STATE_HOME", shared.path()).spawn().unwrap());
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr.contains("the folder of the leases"),
        "{}",
        done.stderr
    );
    assert!(!home.path().join("out").exists());
}
