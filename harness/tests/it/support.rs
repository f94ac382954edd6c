//! This module runs the harness as a user does and waits for it no longer than a minute.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time one command may take.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);
/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// The password of every account of a server that a test starts.
pub(crate) const PASSWORD: &str = "known-to-both";

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// A file below the root of the repository, as text.
pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every scenario of the repository, as `scenarios/NAME.toml`, in order.
pub(crate) fn scenarios() -> Vec<String> {
    let folder = root().join("scenarios");
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut paths: Vec<String> = names
        .filter(|name| name.strip_suffix(".toml").is_some())
        .map(|name| format!("scenarios/{name}"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scenarios found");
    paths
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command `harness`, in the root of the repository, with none of its variables set, nor a proxy.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let built = env!("CARGO_BIN_EXE_harness");
    let binary = std::env::var_os("HARNESS_BINARY").map_or_else(|| built.into(), PathBuf::from);
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let is_proxy = name_text.to_ascii_lowercase().ends_with("_proxy");
        if name_text.starts_with("HARNESS_") || is_proxy {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs `harness` to its end.
#[track_caller]
pub(crate) fn harness(arguments: &[&str]) -> Done {
    finish(command(arguments).spawn().unwrap())
}

/// Waits for a child to end; ends it, and the test, when it takes too long.
#[track_caller]
pub(crate) fn finish(child: Child) -> Done {
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (send, receive) = mpsc::channel();
    let waiter = thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = receive.recv_timeout(COMMAND_DEADLINE) else {
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).unwrap();
        panic!("did not end within {COMMAND_DEADLINE:?}");
    };
    waiter.join().unwrap().unwrap();
    let output = output.unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn slow_tests_are_on() -> bool {
    std::env::var_os("HARNESS_SLOW_TESTS").is_some()
}

/// The program; a test that needs it does not pass without.
pub(crate) fn nginx() -> PathBuf {
    let nginx = std::env::var_os("NGINX").unwrap_or("/usr/sbin/nginx".into());
    let nginx = PathBuf::from(nginx);
    assert!(
        nginx.exists(),
        "{} is missing: apt-get install nginx, or name another with NGINX",
        nginx.display()
    );
    nginx
}

/// A loopback address that nothing else of these tests uses: a port alone may be taken by the connection of another
/// test before its server is up.
pub(crate) fn free_address() -> SocketAddr {
    static GIVEN: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id().to_le_bytes()[0];
    let ip = Ipv4Addr::new(127, 8, process, GIVEN.fetch_add(1, Ordering::Relaxed));
    let listener = TcpListener::bind((ip, 0)).unwrap();
    listener.local_addr().unwrap()
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A program of somebody else's system; ends with the test.
pub(crate) struct Part(Child);

impl Part {
    /// Starts it, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(mut command: Command, address: SocketAddr) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let part = Self(command.stderr(Stdio::null()).spawn().unwrap());
        eventually("it listens", || TcpStream::connect(address).is_ok());
        part
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A Redis that keeps nothing.
pub(crate) fn redis_command(address: SocketAddr, folder: &Path) -> Command {
    let binary = std::env::var_os("REDIS_SERVER").unwrap_or("redis-server".into());
    let mut command = Command::new(binary);
    command
        .arg("--bind")
        .arg(address.ip().to_string())
        .args(["--save", "", "--port"])
        .arg(address.port().to_string())
        .current_dir(folder);
    command
}

/// A reference server whose Redis is at `redis`.
pub(crate) fn serve_command(address: SocketAddr, redis: SocketAddr) -> Command {
    let program = std::env::var_os("HARNESS_SERVER").expect("HARNESS_SERVER is set");
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", &address.to_string()])
        .env("REFERENCE_SERVER_REDIS_URL", format!("redis://{redis}"))
        .env("REFERENCE_SERVER_PASSWORD", PASSWORD);
    command
}
