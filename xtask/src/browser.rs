//! This module finds headless Chromium and Playwright, which tells it what to do; installs what is missing.
//!
//! Playwright has a folder of its own in `target/browser/`; Chromium is the system's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::{package, step};

const CHROMIUM: package::Program = package::Program {
    names: &["chromium", "chromium-browser", "google-chrome"],
    variable: "CHROMIUM",
    packages: ["chromium", "chromium"],
};
/// The version of Playwright.
const WANTED: &str = "xtask/page/requirements.txt";

/// A browser, and a Python that can drive it.
pub(crate) struct Chromium {
    python: PathBuf,
    chromium: PathBuf,
}

impl Chromium {
    /// Installs what is not there.
    ///
    /// # Errors
    ///
    /// What cannot be installed, or a file that cannot be written.
    pub(crate) fn ensure() -> Result<Self, Failure> {
        let chromium = CHROMIUM.ensure()?;
        let folder = step::target("browser");
        let file = |path: &Path, source| Failure::File {
            path: path.to_path_buf(),
            source,
        };
        let wanted = step::root().join(WANTED);
        let packages = fs::read_to_string(&wanted).map_err(|source| file(&wanted, source))?;
        let (python, mark) = (folder.join("venv/bin/python"), folder.join("installed"));
        if fs::read_to_string(&mark).is_ok_and(|has| has == packages) {
            return Ok(Self { python, chromium });
        }
        fs::create_dir_all(&folder).map_err(|source| file(&folder, source))?;
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "venv"]).current_dir(&folder);
        step::run("venv", &mut venv)?;
        let mut pip = Command::new(folder.join("venv/bin/pip"));
        pip.args(["install", "-q", "--disable-pip-version-check", "-r"]);
        step::run("pip install playwright", pip.arg(&wanted))?;
        fs::write(&mark, packages).map_err(|source| file(&mark, source))?;
        Ok(Self { python, chromium })
    }

    /// A script that finds the browser's path in `CHROMIUM`.
    pub(crate) fn script(&self, path: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(path).env("CHROMIUM", &self.chromium);
        command
    }
}
