//! This module builds what the doctor examines: Redis, a server and whatever is wrong with them.
//!
//! **In:** a set-up, broken or in good order. **Out:** the address to examine; everything ends when the
//! [`System`] is dropped. Loopback only.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::row::SetUp;
use crate::failure::Failure;

/// Longest wait for a part to listen.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// The password of every account.
pub(super) const PASSWORD: &str = "known-to-both";
const REDIS_PASSWORD: &str = "r-secret";

/// The programs that are needed.
pub(super) struct Programs {
    pub harness: PathBuf,
    pub server: PathBuf,
    pub redis: PathBuf,
    /// `None`: a set-up that needs it cannot be built.
    pub nginx: Option<PathBuf>,
}

/// Processes that end with it, and a folder of theirs.
pub(super) struct System {
    parts: Vec<Child>,
    folder: TempDir,
    /// `ws://127.0.0.1:PORT`, or what else is to be examined.
    pub url: String,
}

impl Drop for System {
    fn drop(&mut self) {
        for part in self.parts.iter_mut().rev() {
            // It may have ended by itself.
            drop(part.kill());
            drop(part.wait());
        }
    }
}

impl System {
    /// Builds it.
    pub(super) fn build(set_up: SetUp, broken: bool, programs: &Programs) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|source| Failure::File {
            path: std::env::temp_dir(),
            source,
        })?;
        let mut system = Self {
            parts: Vec::new(),
            folder,
            url: String::new(),
        };
        if set_up == SetUp::Other && broken {
            let address = free_address()?;
            let mut proxy = Command::new(&programs.harness);
            proxy.args(["proxy", "--listen", &address.to_string()]);
            system.start(proxy, address)?;
            system.url = format!("ws://{address}");
            return Ok(system);
        }
        let server = system.serve(programs, set_up == SetUp::Redis && broken)?;
        system.url = match set_up {
            SetUp::Scheme if broken => format!("wss://{server}"),
            SetUp::Nginx => format!("ws://{}", system.nginx(programs, server, !broken)?),
            SetUp::Redis | SetUp::Other | SetUp::Scheme => format!("ws://{server}"),
        };
        Ok(system)
    }

    /// Redis and a server; its channel layer lacks the password or not.
    fn serve(&mut self, programs: &Programs, without: bool) -> Result<SocketAddr, Failure> {
        let (redis, server) = (free_address()?, free_address()?);
        let mut store = Command::new(&programs.redis);
        store
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(redis.port().to_string())
            .args(["--requirepass", REDIS_PASSWORD])
            .current_dir(self.folder.path());
        self.start(store, redis)?;
        let url = format!("redis://:{REDIS_PASSWORD}@{redis}");
        let mut serve = Command::new(&programs.server);
        serve
            .args(["serve", "--listen", &server.to_string()])
            .env("REFERENCE_SERVER_REDIS_URL", url)
            .env("REFERENCE_SERVER_PASSWORD", PASSWORD);
        if without {
            let url = format!("redis://{redis}");
            serve.env("REFERENCE_SERVER_REDIS_CHANNEL_URL", url);
        }
        self.start(serve, server)?;
        Ok(server)
    }

    fn nginx(
        &mut self,
        programs: &Programs,
        behind: SocketAddr,
        passes_on: bool,
    ) -> Result<SocketAddr, Failure> {
        let address = free_address()?;
        let upgrade = if passes_on {
            "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
        } else {
            ""
        };
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen {address};
    location / {{ proxy_pass http://{behind}; proxy_http_version 1.1; proxy_set_header Host $http_host; {upgrade} }}
  }}
}}
"
        );
        let path = self.folder.path().join("nginx.conf");
        fs::write(&path, text).map_err(|source| Failure::File { path, source })?;
        let nginx = programs.nginx.as_deref().unwrap_or(Path::new("nginx"));
        let mut command = Command::new(nginx);
        command
            .arg("-p")
            .arg(self.folder.path())
            .args(["-c", "nginx.conf"]);
        self.start(command, address)?;
        Ok(address)
    }

    /// Starts a part and waits until it listens.
    fn start(&mut self, mut command: Command, address: SocketAddr) -> Result<(), Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = command.spawn();
        let part = started.map_err(|source| Failure::Start {
            program: program.clone(),
            source,
        })?;
        self.parts.push(part);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(Failure::Step {
                    step: program,
                    status: format!("nothing listening at {address} after {PATIENCE:?}"),
                });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

/// A port that nobody has.
fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|source| Failure::Start {
        program: "a listener on 127.0.0.1".to_owned(),
        source,
    })
}
