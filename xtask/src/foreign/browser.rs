//! This module has headless Chromium use a server, and drives the server by what `harness import` makes of that.
//!
//! **In:** a server that runs, and what its page does (`page.js`). **Out:** a scenario.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{PASSWORD, Server, free_ports, until_open};
use super::stand::{PASSED_ON, Redis, harness};
use crate::browser::Chromium;
use crate::failure::Failure;
use crate::step;

const FOLDER: &str = "xtask/foreign/browser";

/// A browser that can be told what to do.
pub(super) struct Browser(Chromium);

impl Browser {
    /// Installs what is not there.
    pub(super) fn ensure() -> Result<Self, Failure> {
        Chromium::ensure().map(Self)
    }

    /// What the page of a server does; `None`: it has none.
    pub(super) fn page(server: &Server) -> Option<PathBuf> {
        let folder = step::root().join("xtask/foreign").join(server.name);
        Some(folder.join("page.js")).filter(|page| page.is_file())
    }

    /// Has the page use the server at `port`, and makes a scenario of it.
    pub(super) fn scenario(
        &self,
        server: &Server,
        page: &Path,
        port: u16,
    ) -> Result<PathBuf, Failure> {
        let folder = server.folder();
        let library = folder.join("node_modules/socket.io-client/dist/socket.io.min.js");
        let first = if server.name == "channels" {
            "/accounts/login/"
        } else {
            "/"
        };
        let mut rest = vec![PathBuf::from(first)];
        rest.extend(library.is_file().then_some(library));
        self.imported(page, (&folder, port), &rest)
    }

    /// The recording of a page, and the scenario of the recording.
    fn imported(
        &self,
        page: &Path,
        (folder, port): (&Path, u16),
        rest: &[PathBuf],
    ) -> Result<PathBuf, Failure> {
        let (har, scenario) = (folder.join("session.har"), folder.join("imported-run.toml"));
        drop(fs::remove_file(&scenario));
        let mut record = self.0.script(&step::root().join(FOLDER).join("record.py"));
        record
            .arg(format!("http://127.0.0.1:{port}"))
            .arg(page)
            .arg(&har)
            .args(rest)
            .env("PASSWORD", PASSWORD);
        step::run(&format!("record {}", page.display()), &mut record)?;
        let mut import = harness();
        import.arg("import").arg(&har).arg("--out").arg(&scenario);
        step::run("harness import", &mut import)?;
        Ok(scenario)
    }

    /// The same with the reference server, which is driven by what the recording says and nothing else.
    pub(super) fn reference(&self, redis: &Path) -> Result<(), Failure> {
        let folder = step::target("foreign").join("reference");
        let made = fs::create_dir_all(&folder);
        made.map_err(|source| Failure::File {
            path: folder.clone(),
            source,
        })?;
        let stands = Redis::start(redis, &folder)?;
        let port = free_ports()?;
        let mut server = Command::new(step::target("debug").join("reference-server"));
        server
            .args([
                "serve",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--redis-url",
                &stands.url,
            ])
            .env("REFERENCE_SERVER_PASSWORD", PASSWORD)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = server.spawn().map_err(|source| Failure::Start {
            program: "reference-server".to_owned(),
            source,
        })?;
        let page = step::root().join(FOLDER).join("reference.js");
        let driven = until_open(&[port]).and_then(|()| self.imported(&page, (&folder, port), &[]));
        let driven = driven.and_then(|scenario| {
            let out = folder.join("out");
            drop(fs::remove_dir_all(&out));
            let mut harness = harness();
            harness
                .arg("run")
                .arg(&scenario)
                .args(["--seed", "1", "--quiet", "--out"])
                .arg(&out);
            step::run(
                "harness run of the recording",
                harness.env(PASSED_ON, PASSWORD),
            )
        });
        drop(child.kill());
        drop(child.wait());
        driven
    }
}
