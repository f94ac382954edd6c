//! This module installs, starts and ends a server of another make.
//!
//! **In:** its folder in `xtask/foreign/`. **Out:** a [`Running`] one; at its end, what it counted. A server is told by its
//! environment: `PORT` (and the nine after it are free), `PASSWORD`, `SECRET`, `REDIS_URL`, and `COUNTS`, the file for its counts.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::{package, step};

/// Of all accounts of a server; it lives as long as the server does.
pub(super) const PASSWORD: &str = "of-one-run-on-loopback";
/// Until a server can be asked, and until it has ended.
const PATIENCE: Duration = Duration::from_mins(3);
/// Until one whose run went wrong is ended by force.
const GRACE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);
/// Where blocks of ports are looked for, below those that the kernel gives away.
const PORTS: std::ops::Range<u16> = 21_000..29_000;
const PORTS_OF_ONE: u16 = 10;

const NODE: package::Program = package::Program {
    names: &["npm"],
    variable: "NPM",
    packages: ["npm", "npm"],
};
const RABBITMQ: package::Program = package::Program {
    names: &["rabbitmq-server"],
    variable: "RABBITMQ_SERVER",
    packages: ["rabbitmq-server", "rabbitmq-server"],
};

/// What a server is written for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Python,
    Node,
    /// A broker that a Python file starts.
    RabbitMq,
}

/// A server of another make.
pub(super) struct Server {
    /// Of its folder.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    program: Program,
    pub(super) has_redis: bool,
    /// It says by a file `ready` that it can be asked; its port is open before.
    tells_ready: bool,
}

impl Server {
    pub(super) const fn new(name: &'static str, what: &'static str, program: Program) -> Self {
        Self {
            name,
            what,
            program,
            has_redis: false,
            tells_ready: false,
        }
    }

    pub(super) const fn with_redis(self) -> Self {
        Self {
            has_redis: true,
            ..self
        }
    }

    pub(super) const fn telling_ready(self) -> Self {
        Self {
            tells_ready: true,
            ..self
        }
    }

    /// Where it is installed and runs.
    pub(super) fn folder(&self) -> PathBuf {
        step::target("foreign").join(self.name)
    }

    /// What it needs, as its packages are pinned.
    pub(super) fn packages(&self) -> String {
        let folder = step::root().join("xtask/foreign").join(self.name);
        let python = fs::read_to_string(folder.join("requirements.txt"));
        let packages = python.or_else(|_| {
            let text = fs::read_to_string(folder.join("package.json"))?;
            let packages: Value = serde_json::from_str(&text)?;
            let named = packages.get("dependencies").and_then(Value::as_object);
            let named = named.into_iter().flatten();
            let named = named.map(|(name, at)| format!("{name}=={}", at.as_str().unwrap_or("?")));
            Ok::<_, std::io::Error>(named.collect::<Vec<_>>().join(" "))
        });
        let packages = packages.unwrap_or_else(|_| "rabbitmq-server of the system".to_owned());
        packages.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Brings its files and packages into its folder, where they are not there already.
    pub(super) fn install(&self) -> Result<(), Failure> {
        let (from, to) = (
            step::root().join("xtask/foreign").join(self.name),
            self.folder(),
        );
        let copied = || -> std::io::Result<()> {
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
            Ok(())
        };
        copied().map_err(|source| Failure::File {
            path: to.clone(),
            source,
        })?;
        let (mark, wanted) = (to.join("installed"), self.packages());
        if fs::read_to_string(&mark).is_ok_and(|has| has == wanted) {
            return Ok(());
        }
        match self.program {
            Program::Python => {
                let mut venv = Command::new("python3");
                step::run("venv", venv.args(["-m", "venv", "venv"]).current_dir(&to))?;
                let mut pip = Command::new(to.join("venv/bin/pip"));
                pip.args([
                    "install",
                    "-q",
                    "--disable-pip-version-check",
                    "-r",
                    "requirements.txt",
                ]);
                step::run(&format!("pip install {wanted}"), pip.current_dir(&to))?;
            }
            Program::Node => {
                let mut npm = Command::new(NODE.ensure()?);
                npm.args(["install", "--no-audit", "--no-fund"]);
                step::run(&format!("npm install {wanted}"), npm.current_dir(&to))?;
            }
            Program::RabbitMq => drop(RABBITMQ.ensure()?),
        }
        fs::write(&mark, wanted).map_err(|source| Failure::File { path: mark, source })
    }

    /// Starts it, and waits until it can be asked.
    pub(super) fn start(&self, redis_url: &str) -> Result<Running, Failure> {
        let folder = self.folder();
        let (ready, counts) = (folder.join("ready"), folder.join("counts.json"));
        for stale in [&ready, &counts] {
            drop(fs::remove_file(stale));
        }
        let port = free_ports()?;
        let mut command = match self.program {
            Program::Python => Command::new(folder.join("venv/bin/python")),
            Program::Node => Command::new("node"),
            Program::RabbitMq => Command::new("python3"),
        };
        let script = match self.program {
            Program::Node => "server.mjs",
            Program::Python | Program::RabbitMq => "server.py",
        };
        let log = fs::File::create(folder.join("server.log"));
        let log = log.and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|source| Failure::File {
            path: folder.join("server.log"),
            source,
        })?;
        command
            .arg(script)
            .env("PORT", port.to_string())
            .env("PASSWORD", PASSWORD)
            .env("SECRET", PASSWORD)
            .env("REDIS_URL", redis_url)
            .env("COUNTS", &counts)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .current_dir(&folder);
        let child = command.spawn().map_err(|source| Failure::Start {
            program: format!("{} {script}", self.name),
            source,
        })?;
        let mut running = Running {
            child,
            port,
            counts,
            log: folder.join("server.log"),
        };
        let is_open = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let can_be_asked = || is_open() && (!self.tells_ready || ready.is_file());
        running.until(can_be_asked)?;
        Ok(running)
    }
}

/// The first of several ports that nobody listens on.
pub(super) fn free_ports() -> Result<u16, Failure> {
    let is_free = |first: &u16| {
        (*first..first + PORTS_OF_ONE).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
    };
    // Two commands at once begin at different places.
    let offset = (std::process::id() % 700) as u16 * PORTS_OF_ONE;
    let candidates = (PORTS.start + offset..PORTS.end).step_by(usize::from(PORTS_OF_ONE));
    let mut candidates = candidates.filter(is_free);
    candidates.next().ok_or_else(|| Failure::Step {
        step: "find ten free ports in a row".to_owned(),
        status: "none".to_owned(),
    })
}

/// Waits until all of these ports are open.
pub(super) fn until_open(ports: &[u16]) -> Result<(), Failure> {
    let begun = Instant::now();
    let is_open = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
    while !ports.iter().all(is_open) {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::Step {
                step: format!("open the ports {ports:?}"),
                status: "they are not open".to_owned(),
            });
        }
        sleep(LOOK);
    }
    Ok(())
}

/// A server that runs; it ends with this.
pub(super) struct Running {
    child: Child,
    pub(super) port: u16,
    counts: PathBuf,
    log: PathBuf,
}

impl Running {
    fn until(&mut self, holds: impl Fn() -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        while !holds() {
            let ended = self.child.try_wait().ok().flatten();
            if let Some(ended) = ended {
                return Err(self.failed(&format!("it ended: {ended}")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.failed("it cannot be asked"));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    fn failed(&self, why: &str) -> Failure {
        Failure::Step {
            step: "start the server".to_owned(),
            status: format!("{why}; it says: {}", last_lines(&self.log)),
        }
    }

    /// Ends it as a service manager would, and reads what it counted.
    pub(super) fn stop(mut self) -> Result<Value, Failure> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        asked.map_err(|source| Failure::Start {
            program: "kill".to_owned(),
            source,
        })?;
        let begun = Instant::now();
        while self.child.try_wait().ok().flatten().is_none() {
            if begun.elapsed() > PATIENCE {
                return Err(self.failed("it does not end"));
            }
            sleep(LOOK);
        }
        let told = fs::read_to_string(&self.counts).map_err(|source| Failure::File {
            path: self.counts.clone(),
            source,
        })?;
        serde_json::from_str(&told).map_err(|error| self.failed(&format!("counts: {error}")))
    }
}

impl Drop for Running {
    /// What it started itself ends with it only if it is asked to.
    fn drop(&mut self) {
        let is_there = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if is_there(&mut self.child) {
            let id = self.child.id().to_string();
            drop(Command::new("kill").args(["-TERM", &id]).status());
        }
        let begun = Instant::now();
        while is_there(&mut self.child) && begun.elapsed() < GRACE {
            sleep(LOOK);
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The end of what a server wrote.
fn last_lines(log: &Path) -> String {
    const LINES: usize = 12;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join(" | ")
}
