//! This module is what servers and runs stand on: the harness as it was built, and a Redis behind a fault proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::Failure;
use crate::step;

/// The variable in which scenarios find the password.
pub(super) const PASSED_ON: &str = "CHAT_PASSWORD";
/// The way to Redis, as the fault proxy calls it.
pub(super) const LINK: &str = "foreign-redis";

pub(super) fn harness() -> Command {
    Command::new(step::target("debug").join("harness"))
}

/// A Redis of the server's own, behind a fault proxy.
pub(super) struct Redis {
    children: [Child; 2],
    /// Where the server finds it.
    pub(super) url: String,
    /// Where the proxy is told what to do.
    pub(super) api: String,
}

impl Redis {
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let first = super::server::free_ports()?;
        let [own, api, way] = [first, first + 1, first + 2];
        let config: PathBuf = folder.join("proxies.json");
        let proxies = serde_json::json!([{
            "name": LINK,
            "listen": format!("127.0.0.1:{way}"),
            "upstream": format!("127.0.0.1:{own}"),
        }]);
        fs::write(&config, proxies.to_string()).map_err(|source| Failure::File {
            path: config.clone(),
            source,
        })?;
        let mut redis = Command::new(program);
        redis
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(own.to_string());
        let mut proxy = harness();
        proxy
            .args(["proxy", "--listen", &format!("127.0.0.1:{api}"), "--config"])
            .arg(&config);
        let spawn = |command: &mut Command| {
            let quiet = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            quiet.spawn().map_err(|source| Failure::Start {
                program: command.get_program().to_string_lossy().into_owned(),
                source,
            })
        };
        let redis = spawn(&mut redis)?;
        let proxy = spawn(&mut proxy);
        let mut started = match proxy {
            Ok(proxy) => [redis, proxy],
            Err(failure) => {
                ended(&mut [redis]);
                return Err(failure);
            }
        };
        if let Err(failure) = super::server::until_open(&[own, api, way]) {
            ended(&mut started);
            return Err(failure);
        }
        Ok(Self {
            children: started,
            url: format!("redis://127.0.0.1:{way}"),
            api: format!("http://127.0.0.1:{api}"),
        })
    }
}

fn ended(children: &mut [Child]) {
    for child in children {
        drop(child.kill());
        drop(child.wait());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        ended(&mut self.children);
    }
}
