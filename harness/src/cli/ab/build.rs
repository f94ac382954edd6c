//! This module builds the server of a revision of the workspace around here.
//!
//! **In:** the name of a revision. **Out:** the binary of its `reference-server`.
//!
//! The revision is checked out into a git worktree of its own, which is removed afterwards: what is being worked on here is
//! left alone. Worktree and target folder have the same place every time, so that a second build starts from the first; the
//! binary is kept by the name of its commit and profile, and not built twice.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::cli::failure::Failure;
use crate::cli::screen;
use crate::clock::monotonic_ns;
use crate::exit::Exit;
use crate::intake;

/// Below the target folder of the workspace.
const FOLDER: &str = "harness-ab";
const PACKAGE: &str = "reference-server";
/// Bytes of what git and cargo say that are looked at: the end of it.
const SAID_BYTES_MAX: usize = 4_096;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long git may take for a question or a checkout.
const GIT_MAX: Duration = Duration::from_mins(5);

/// How revisions are built.
#[derive(Clone, Debug)]
pub(super) struct Builds {
    /// A profile of cargo.
    pub profile: String,
    /// The longest that one build may take.
    pub limit: Duration,
}

/// A revision that was built.
#[derive(Debug)]
pub(super) struct Built {
    pub binary: PathBuf,
    /// In full.
    pub commit: String,
}

impl Builds {
    /// The server of a revision.
    pub(super) fn server(&self, revision: &str) -> Result<Built, Failure> {
        let root = PathBuf::from(git(Path::new("."), &["rev-parse", "--show-toplevel"])?);
        let wanted = format!("{revision}^{{commit}}");
        let commit = git(
            &root,
            &[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &wanted,
            ],
        );
        let commit = commit.map_err(|_none| {
            let fact = format!("rev:{revision}: {} has no such revision", root.display());
            Failure::new(Exit::Usage, fact).hint(
                "name a branch, tag or commit that is here; a shallow clone has only its last: fetch with depth 0",
            )
        })?;
        let folder = root.join("target").join(FOLDER);
        let short = commit.get(..12).unwrap_or(&commit);
        let binary = folder
            .join("bin")
            .join(format!("{PACKAGE}-{short}-{}", self.profile));
        if !binary.is_file() {
            screen::say(&format!(
                "building {PACKAGE} of {revision} ({short}), profile {}: at most {} min",
                self.profile,
                self.limit.as_secs().div_ceil(60)
            ));
            self.build(&root, (&commit, &folder), &binary)?;
        }
        Ok(Built { binary, commit })
    }

    fn build(
        &self,
        root: &Path,
        (commit, folder): (&str, &Path),
        binary: &Path,
    ) -> Result<(), Failure> {
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).map_err(|error| unwritable(&bin, &error))?;
        let tree = Tree::check_out(root, &folder.join("tree"), commit)?;
        let target = folder.join("target");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                PACKAGE,
                "--bin",
                PACKAGE,
            ])
            .args(["--profile", &self.profile])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(&tree.path);
        let what = format!("the build of {commit}");
        wait(&mut command, &what, self.limit)?;
        // cargo's own name for the folder of its first profile.
        let below = if self.profile == "dev" {
            "debug"
        } else {
            &self.profile
        };
        let made = target.join(below).join(PACKAGE);
        // Under another name first: whoever finds the binary finds all of it.
        let half = binary.with_extension("half");
        fs::copy(&made, &half)
            .and_then(|_bytes| fs::rename(&half, binary))
            .map_err(|error| unwritable(binary, &error))
    }
}

/// A worktree that is removed when it is let go.
#[derive(Debug)]
struct Tree {
    root: PathBuf,
    path: PathBuf,
}

impl Tree {
    fn check_out(root: &Path, path: &Path, commit: &str) -> Result<Self, Failure> {
        let tree = Self {
            root: root.to_owned(),
            path: path.to_owned(),
        };
        // One that a killed build left.
        tree.remove();
        let place = path.to_string_lossy();
        git(
            root,
            &[
                "worktree", "add", "--force", "--detach", "--quiet", &place, commit,
            ],
        )?;
        Ok(tree)
    }

    fn remove(&self) {
        let place = self.path.to_string_lossy();
        if self.path.exists()
            && git(
                &self.root,
                &["worktree", "remove", "--force", "--force", &place],
            )
            .is_err()
        {
            screen::say(&format!("note: the worktree {place} could not be removed"));
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.remove();
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let fact = format!(
        "{}: cannot be written: {}",
        path.display(),
        intake::reason(error)
    );
    Failure::new(Exit::Storage, fact).hint("a build needs room below the workspace's target folder")
}

/// What git answers, without the line end.
fn git(root: &Path, words: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("git");
    command.arg("-C").arg(root).args(words);
    let text = wait(
        &mut command,
        &format!("git {}", words.first().unwrap_or(&"")),
        GIT_MAX,
    )?;
    Ok(text.trim_end().to_owned())
}

/// Waits for a command, and ends it with all that it started when it takes too long; what it wrote to stdout.
fn wait(command: &mut Command, what: &str, limit: Duration) -> Result<String, Failure> {
    let program = command.get_program().to_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = child.map_err(|error| missing(&program, &error))?;
    let (out, said) = (read(child.stdout.take()), read(child.stderr.take()));
    let begun_ns = monotonic_ns();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns)) < limit => {
                thread::sleep(LOOK_EVERY);
            }
            Ok(None) | Err(_) => {
                end(&mut child);
                break None;
            }
        }
    };
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default()
    };
    let (out, said) = (text(out), text(said));
    match status {
        Some(status) if status.success() => Ok(out),
        Some(_) => {
            let last = said.trim_end().lines().rev().take(12).collect::<Vec<_>>();
            let last: Vec<&str> = last.into_iter().rev().collect();
            let fact = format!("{what} failed:\n{}", last.join("\n"));
            Err(Failure::new(Exit::Environment, fact))
        }
        None => {
            let fact = format!(
                "{what} was not done after {} min",
                limit.as_secs().div_ceil(60)
            );
            Err(Failure::new(Exit::Environment, fact)
                .hint("give it longer with --build-limit; what was built is kept"))
        }
    }
}

/// With what it started: a compiler that goes on would be in the way of every run.
fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id())
        && killpg(Pid::from_raw(group), Signal::SIGKILL).is_err()
    {
        tracing::debug!("the build had ended");
    }
    drop(child.wait());
}

fn missing(program: &OsStr, error: &std::io::Error) -> Failure {
    let fact = format!(
        "{}: cannot be started: {}",
        program.display(),
        intake::reason(error)
    );
    Failure::new(Exit::Environment, fact)
        .hint("a revision is built with git and cargo; name a binary where they are not")
}

/// The end of what it says.
fn read(stream: Option<impl std::io::Read + Send + 'static>) -> Option<thread::JoinHandle<String>> {
    let mut stream = stream?;
    let read = move || {
        let (mut kept, mut block) = (Vec::new(), [0; SAID_BYTES_MAX]);
        while let Ok(length @ 1..) = stream.read(&mut block) {
            kept.extend_from_slice(&block[..length]);
            let over = kept.len().saturating_sub(2 * SAID_BYTES_MAX);
            kept.drain(..over);
        }
        String::from_utf8_lossy(&kept).into_owned()
    };
    thread::Builder::new().spawn(read).ok()
}
