//! This module is `cargo xtask image`: the images of `deploy/Dockerfile` built without a container engine, and the harness run
//! in its own as its user, on a root that cannot be written to (`deploy/image.sh`, which says how). Needs root, on Debian.

use std::process::{Command, ExitCode};

use crate::failure::Failure;
use crate::package::Program;
use crate::step;

const PROGRAMS: [Program; 2] = [
    Program {
        names: &["buildah"],
        variable: "BUILDAH",
        packages: ["buildah", "buildah"],
    },
    Program {
        names: &["debootstrap"],
        variable: "DEBOOTSTRAP",
        packages: ["debootstrap", "debootstrap"],
    },
];

pub(crate) fn run() -> Result<ExitCode, Failure> {
    for program in &PROGRAMS {
        program.ensure()?;
    }
    let mut script = Command::new("sh");
    script.arg("deploy/image.sh").current_dir(step::root());
    step::run("images", &mut script)?;
    Ok(ExitCode::SUCCESS)
}
