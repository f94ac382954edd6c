//! Starts and stops what a test needs: a private Redis and a server of this build.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Long enough for a loaded machine; nothing waits this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse";

/// Whether there is time for tests that take minutes.
pub(crate) fn slow_tests() -> bool {
    std::env::var_os("HARNESS_SLOW_TESTS").is_some()
}

/// A Redis of one's own, ended with the test.
pub(crate) struct Redis {
    child: Option<Child>,
    port: u16,
    password: String,
    kept: bool,
    dir: TempDir,
}

impl Redis {
    /// Started and answering; nothing is kept over a restart.
    pub(crate) async fn start() -> Self {
        Self::start_as(false).await
    }

    /// The same, with everything kept over a restart that was answered before it.
    pub(crate) async fn start_kept() -> Self {
        Self::start_as(true).await
    }

    async fn start_as(kept: bool) -> Self {
        let dir = TempDir::new().unwrap();
        let name = dir.path().file_name().unwrap().to_string_lossy();
        let password = format!("pw{}", name.replace(['.', '_'], ""));
        let mut redis = Self {
            child: None,
            port: free_port(),
            password,
            kept,
            dir,
        };
        redis.restart().await;
        redis
    }

    /// Starts it again on the same port, empty unless it keeps everything.
    pub(crate) async fn restart(&mut self) {
        let binary = std::env::var_os("REDIS_SERVER")
            .map_or_else(|| PathBuf::from("redis-server"), PathBuf::from);
        let child = Command::new(&binary)
            .args(["--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .args(["--appendonly", if self.kept { "yes" } else { "no" }])
            .args(["--port", &self.port.to_string()])
            .args(["--requirepass", &self.password])
            .arg("--dir")
            .arg(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!(
                "{}: {error}; install it (`apt-get install redis-server`) or set REDIS_SERVER",
                binary.display()
            )
        }));
        let started = Instant::now();
        while self.ping().await.is_err() {
            assert!(started.elapsed() < PATIENCE, "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ping(&self) -> redis::RedisResult<()> {
        let mut connection = self.connect(0).await?;
        redis::cmd("PING").query_async(&mut connection).await
    }

    /// A connection for looking at what the server keeps.
    pub(crate) async fn connect(
        &self,
        database: u8,
    ) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        // Under a loaded machine even a healthy Redis may take longer than the half second that is the client's default.
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(format!("{}/{database}", self.url()))?;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Without a database.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Ends it as a crash would.
    pub(crate) fn crash(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Takes away what it saved: it comes back empty.
    pub(crate) fn forget(&self) {
        let gone = std::fs::remove_file(self.dir.path().join("dump.rdb"));
        assert!(gone.is_ok() || !self.dir.path().join("dump.rdb").exists());
    }

    /// Stops it without closing a connection.
    pub(crate) fn pause(&self) {
        signal(self.child.as_ref().unwrap(), Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        signal(self.child.as_ref().unwrap(), Signal::SIGCONT);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // SIGKILL ends a stopped process too.
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// A server or a worker of this build, ended with the test.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    _dir: TempDir,
}

impl Server {
    /// Started on a free port, connected to `redis` and ready.
    pub(crate) async fn start(redis: &Redis, flags: &[&str]) -> Self {
        let server = Self::spawn(&redis.url(), flags);
        server.until_ready().await;
        server
    }

    /// A worker process, connected to `redis` and ready.
    pub(crate) async fn start_worker(redis: &Redis, flags: &[&str]) -> Self {
        let worker = Self::spawn_as(&["worker"], &redis.url(), flags);
        worker.until_ready().await;
        worker
    }

    /// Started and listening; not necessarily ready.
    pub(crate) fn spawn(redis_url: &str, flags: &[&str]) -> Self {
        Self::spawn_as(&["serve", "--threads", "2"], redis_url, flags)
    }

    /// The same with that subcommand.
    pub(crate) fn spawn_as(command: &[&str], redis_url: &str, flags: &[&str]) -> Self {
        let settings = [
            ("REFERENCE_SERVER_REDIS_URL", redis_url),
            ("REFERENCE_SERVER_PASSWORD", PASSWORD),
            ("REFERENCE_SERVER_LOG", "debug"),
        ];
        let flags = [command, &["--listen", "127.0.0.1:0"], flags].concat();
        Self::spawn_with(&flags, settings)
    }

    /// The same with nothing but these arguments and variables.
    pub(crate) fn spawn_with(
        arguments: &[&str],
        settings: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("server.log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_reference-server"))
            .args(arguments)
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .and_then(|address| address.parse().ok());
        let log_text = std::fs::read_to_string(&log).unwrap();
        let address =
            address.unwrap_or_else(|| panic!("unexpected first line {line:?}; log: {log_text}"));
        Self {
            child,
            address,
            log,
            _dir: dir,
        }
    }

    /// Something else that serves, such as a proxy before it; ended with the test.
    pub(crate) fn adopt(child: Child, address: SocketAddr, log: PathBuf, dir: TempDir) -> Self {
        Self {
            child,
            address,
            log,
            _dir: dir,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of an HTTP path.
    pub(crate) fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until `/readyz` is green.
    pub(crate) async fn until_ready(&self) {
        self.until_ready_is(true).await;
    }

    /// Waits until `/readyz` is green or red.
    pub(crate) async fn until_ready_is(&self, wanted: bool) {
        let started = Instant::now();
        loop {
            let answer = reqwest::get(self.http("/readyz")).await.unwrap();
            if answer.status().is_success() == wanted {
                return;
            }
            let log = self.log();
            assert!(
                started.elapsed() < PATIENCE,
                "readiness never became {wanted}; log: {log}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The value of a metric, labels included in its name as they are printed.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = reqwest::get(self.http("/metrics"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let line = line.unwrap_or_else(|| panic!("no metric {name} in {text}"));
        line.parse().unwrap()
    }

    /// Waits until a metric has a value.
    pub(crate) async fn until_metric(&self, name: &str, wanted: f64) {
        self.until_metric_is(name, |value| (value - wanted).abs() < 1e-9)
            .await;
    }

    /// Waits until a metric is as wanted.
    pub(crate) async fn until_metric_is(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let started = Instant::now();
        loop {
            let value = self.metric(name).await;
            if wanted(value) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{name} stays at {value}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes file descriptors from it, while it runs.
    pub(crate) fn limit_files(&self, files: u32) {
        let status = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string()])
            .arg(format!("--nofile={files}"))
            .status();
        assert!(status.unwrap().success(), "prlimit (util-linux) is needed");
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        signal(&self.child, Signal::SIGTERM);
    }

    /// Stops it without closing a connection.
    pub(crate) fn pause(&self) {
        signal(&self.child, Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        signal(&self.child, Signal::SIGCONT);
    }

    /// Ends it as a crash would. It is waited for when it is dropped.
    pub(crate) fn crash(&self) {
        signal(&self.child, Signal::SIGKILL);
    }

    /// Waits for its end.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// A port nobody listens on right now. The kernel gives it to nobody's outgoing connection either, so that who was killed there can come back.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = rand::random_range(12_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, signal).unwrap();
}
